/**
 * A request as one line of JSON:
 *
 *     {"at":"2026-11-22T10:23:39.123Z","id":"…","client":"192.0.2.7:53211","frontend":"http-in","route":"#0 /api/*",
 *      "backend":"api","server":"node01","method":"GET","host":"shop.example","target":"/api/?a=b","protocol":"HTTP/1.1",
 *      "status":200,"end":"done","t":{"head":0,"queue":0,"connect":0.4,"ttfb":1.2,"total":1.8},
 *      "bytes":{"in":120,"out":431},"attempts":1}
 *
 * Times are ms. "why" follows "end" where something went wrong or a rule turned the request away; "target_length" where the target was cut. ASCII only.
 */
import { ENDS } from "./end.ts";
import type { Line } from "./line.ts";
import type { Stamp } from "./stamp.ts";
import { TARGET, type Trace } from "./trace.ts";

/** Caps in bytes; together with the fixed parts they stay below LONGEST_LINE. */
const NAME = 128;
const ID = 140;
const WHY = 800;
const OCTETS = 300;

export function writeJsonLine(line: Line, trace: Trace, stamp: Stamp): void {
  line.plain('{"at":"');
  line.plain(stamp.until(trace.began));
  line.plain(stamp.millisecond(trace.began));
  line.plain('Z","id":"');
  line.json(trace.id, ID);
  line.plain('","client":"');
  writeClient(line, trace);
  line.plain('","frontend":"');
  line.json(trace.frontend, NAME);
  name(line, '","route":', trace.route);
  name(line, ',"backend":', trace.backend);
  name(line, ',"server":', trace.server);
  if (trace.mode === "http") writeRequest(line, trace);
  line.plain(',"end":"');
  line.plain(trace.end);
  line.plain('"');
  writeWhy(line, trace);
  line.plain(',"t":{');
  if (trace.mode === "http") {
    line.plain('"head":');
    line.tenths(trace.whole - trace.began);
    line.plain(",");
  }
  line.plain('"queue":');
  line.tenths(trace.queue);
  line.plain(',"connect":');
  line.tenths(trace.connect);
  if (trace.mode === "http") {
    line.plain(',"ttfb":');
    line.tenths(trace.response);
  }
  line.plain(',"total":');
  line.tenths(trace.total);
  line.plain('},"bytes":{"in":');
  line.integer(trace.bytesIn);
  line.plain(',"out":');
  line.integer(trace.bytesOut);
  line.plain('},"attempts":');
  line.integer(trace.attempts);
  line.plain("}\n");
}

/** The client as "ADDRESS:PORT", IPv6 in brackets. */
export function writeClient(line: Line, { client, port }: Trace): void {
  const bracketed = client.includes(":") && !client.startsWith("unix:");
  if (bracketed) line.plain("[");
  line.json(client, 64);
  if (bracketed) line.plain("]");
  if (port === 0) return;
  line.plain(":");
  line.integer(port);
}

/** Why it ended as it did, where that is not as it should be. */
export function whyOf({ end, detail, rule }: Trace): string | null {
  const { good, sentence } = ENDS[end];
  if (good) return rule === null ? null : `${sentence}: ${rule}`;
  // Lines are ASCII, and "\u00a7" helps nobody to find the place.
  return detail === "" ? sentence : `${sentence}: ${detail.replaceAll("§", "section ")}`;
}

function writeRequest(line: Line, trace: Trace): void {
  const { request, methodEnd, targetEnd, hostEnd } = trace;
  if (methodEnd === 0) line.plain(',"method":null,"host":null,"target":null,"protocol":null');
  else {
    line.plain(',"method":"');
    line.jsonOctets(request, 0, methodEnd, 64);
    line.plain('","host":"');
    line.jsonOctets(request, targetEnd, hostEnd, OCTETS);
    line.plain('","target":"');
    line.jsonOctets(request, methodEnd, targetEnd, TARGET + 100);
    line.plain('"');
    if (trace.targetLength > TARGET) {
      line.plain(',"target_length":');
      line.integer(trace.targetLength);
    }
    line.plain(trace.minor === 0 ? ',"protocol":"HTTP/1.0"' : ',"protocol":"HTTP/1.1"');
  }
  line.plain(',"status":');
  if (trace.status === 0) line.plain("null");
  else line.integer(trace.status);
}

function writeWhy(line: Line, trace: Trace): void {
  const why = whyOf(trace);
  if (why === null) return;
  line.plain(',"why":"');
  line.json(why, WHY);
  line.plain('"');
}

function name(line: Line, key: string, value: string | null): void {
  line.plain(key);
  if (value === null) return line.plain("null");
  line.plain('"');
  line.json(value, NAME);
  line.plain('"');
}
