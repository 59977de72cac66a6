/**
 * A request as HAProxy logs it (configuration.txt §8.2.3 `option httplog`, §8.2.2 `option tcplog`), and behind that what
 * HAProxy does not say:
 *
 *     CLIENT:PORT [DATE] FRONTEND BACKEND/SERVER TR/Tw/Tc/Tr/Ta STATUS BYTES - - FLAGS-- ACT/FE/BE/SRV/RETRIES SQ/BQ
 *       "METHOD TARGET VERSION" end=done id=… route="#0 /api/*" host="shop.example" why="…"
 *
 * Connections are those of the engine thread. The queue is the backend's, so the place in the server's is always 0.
 */
import { ENDS } from "./end.ts";
import { whyOf, writeClient } from "./json_line.ts";
import type { Line } from "./line.ts";
import type { Stamp } from "./stamp.ts";
import { TARGET, type Trace } from "./trace.ts";

const NAME = 128;
const ID = 140;
const WHY = 800;
const OCTETS = 300;

export function writeTextLine(line: Line, trace: Trace, stamp: Stamp): void {
  const http = trace.mode === "http";
  writeClient(line, trace);
  line.plain(" [");
  line.plain(stamp.until(trace.began));
  line.plain(stamp.millisecond(trace.began));
  line.plain("] ");
  line.hashed(trace.frontend, NAME);
  line.plain(" ");
  line.hashed(trace.backend ?? trace.frontend, NAME);
  line.plain("/");
  line.hashed(trace.server ?? "<NOSRV>", NAME);
  line.plain(" ");
  writeTimers(line, trace, http);
  line.plain(" ");
  if (http) {
    line.integer(trace.status === 0 ? -1 : trace.status);
    line.plain(" ");
  }
  line.integer(trace.bytesOut);
  line.plain(http ? " - - " : " ");
  line.plain(ENDS[trace.end].flags);
  line.plain(http ? "-- " : " ");
  for (const count of trace.connections) {
    line.integer(count);
    line.plain("/");
  }
  line.integer(Math.max(0, trace.attempts - 1));
  line.plain(" 0/");
  line.integer(trace.ahead);
  if (http) writeRequest(line, trace);
  writeRest(line, trace);
  line.plain("\n");
}

/** Whole ms; −1 = it did not come to that. */
function writeTimers(line: Line, trace: Trace, http: boolean): void {
  if (http) {
    line.integer(trace.methodEnd === 0 ? -1 : trace.whole - trace.began);
    line.plain("/");
  }
  line.integer(trace.attempts === 0 && trace.queue === 0 ? -1 : trace.queue);
  line.plain("/");
  line.integer(trace.connect);
  line.plain("/");
  if (http) {
    line.integer(trace.response);
    line.plain("/");
  }
  line.integer(trace.total);
}

function writeRequest(line: Line, { request, methodEnd, targetEnd, minor }: Trace): void {
  if (methodEnd === 0) return line.plain(' "<BADREQ>"');
  line.plain(' "');
  line.hashedOctets(request, 0, methodEnd, 96);
  line.plain(" ");
  line.hashedOctets(request, methodEnd, targetEnd, TARGET + 100);
  line.plain(minor === 0 ? ' HTTP/1.0"' : ' HTTP/1.1"');
}

function writeRest(line: Line, trace: Trace): void {
  line.plain(" end=");
  line.plain(trace.end);
  if (trace.id !== "") {
    line.plain(" id=");
    line.hashed(trace.id, ID);
  }
  if (trace.route !== null) {
    line.plain(' route="');
    // Of the configuration, where "#" has a meaning of its own.
    line.json(trace.route, NAME);
    line.plain('"');
  }
  if (trace.hostEnd > trace.targetEnd) {
    line.plain(' host="');
    line.hashedOctets(trace.request, trace.targetEnd, trace.hostEnd, OCTETS);
    line.plain('"');
  }
  const why = whyOf(trace);
  if (why === null) return;
  line.plain(' why="');
  line.hashed(why, WHY);
  line.plain('"');
}
