/** The access log of one engine thread: traces begun and ended, lines formatted, and handed on in pieces. */
import type { RequestHead } from "../../http/mod.ts";
import type { Backend } from "../backend.ts";
import type { ClientConnection } from "../client_connection.ts";
import { serverKey } from "../thread_protocol.ts";
import { stateOf } from "../server_verdict.ts";
import type { End } from "./end.ts";
import { writeJsonLine } from "./json_line.ts";
import { LinePipe, type LinePipePorts } from "./line_pipe.ts";
import { Stamp } from "./stamp.ts";
import { writeTextLine } from "./text_line.ts";
import { Trace } from "./trace.ts";

/** Between looks at the time of day, ms. */
const CLOCK_AGE = 1000;
/** Servers told of in one line. */
const MOST_SERVERS = 8;

export interface AccessLogPorts extends LinePipePorts {
  /** Milliseconds since the epoch. */
  epoch(): number;
  /** Why a server is not up, by `serverKey`. */
  reasonOf(server: string): string | undefined;
}

export class AccessLog {
  readonly #ports: AccessLogPorts;
  readonly #pipe: LinePipe;
  readonly #stamp: Stamp;
  readonly #write: typeof writeJsonLine;
  readonly #spare: Trace[] = [];
  #looked = -Infinity;

  constructor(readonly format: "json" | "text", ports: AccessLogPorts) {
    this.#ports = ports;
    this.#pipe = new LinePipe(ports);
    this.#stamp = new Stamp(format);
    this.#write = format === "json" ? writeJsonLine : writeTextLine;
  }

  get pending(): boolean {
    return this.#pipe.pending;
  }

  /** A request, or a connection in `mode: tcp`, begins. `began`: when its first octet arrived. */
  begin(client: ClientConnection, head: RequestHead | null, began: number): Trace {
    const trace = this.#spare.pop() ?? new Trace();
    const { frontend } = client;
    const { engine } = frontend;
    trace.reset(began, engine.now);
    trace.mode = frontend.options.mode;
    trace.frontend = frontend.options.name;
    trace.client = engine.addressOf(client);
    trace.port = engine.portOf(client);
    trace.pushedBefore = client.pushed;
    if (head === null) return trace;
    trace.keep(head);
    // Where there are routes, they say which id it has: they may have told it to others.
    if (frontend.routing === null) trace.id = engine.routing.facts.begin(head, client).requestId;
    return trace;
  }

  /** It is over: writes its line. The trace must not be used any more. */
  end(trace: Trace, end: End, client: ClientConnection, backend: Backend | null): void {
    const { frontend } = client;
    const { now } = frontend.engine;
    trace.ends(end, now);
    trace.bytesOut = client.pushed - trace.pushedBefore;
    if (backend !== null) trace.backend ??= backend.options.name;
    if (end === "no_server" && backend !== null) trace.detail = this.#whyNoServer(backend);
    if (this.format === "text") countConnections(trace, client, backend);
    if (now - this.#looked >= CLOCK_AGE) {
      this.#looked = now;
      this.#stamp.set(performance.now(), this.#ports.epoch());
    }
    const line = this.#pipe.begin();
    if (line !== null) {
      this.#write(line, trace, this.#stamp);
      this.#pipe.finish(now);
    }
    this.#spare.push(trace);
  }

  /** At the end of each turn of the loop. */
  turn(now: number): void {
    this.#pipe.turn(now);
  }

  flush(): void {
    this.#pipe.flush();
  }

  #whyNoServer({ options: { name: backend }, servers }: Backend): string {
    const told = servers.slice(0, MOST_SERVERS).map(({ options: { name }, verdict }) => {
      const state = stateOf(verdict);
      const reason = this.#ports.reasonOf(serverKey(backend, name));
      if (state === "up") return `${name} has weight 0`;
      return reason === undefined ? `${name} is ${state}` : `${name} is ${state} (${reason})`;
    });
    const more = servers.length > MOST_SERVERS ? [`and ${servers.length - MOST_SERVERS} more`] : [];
    return [...told, ...more].join(", ") || "the backend has none";
  }
}

/** As HAProxy counts: connections of this thread, in all, of the frontend, of the backend and of the server. */
function countConnections(trace: Trace, { frontend }: ClientConnection, backend: Backend | null): void {
  const { engine } = frontend;
  const counts = trace.connections;
  counts[0] = engine.connections;
  counts[1] = frontend.connections.size;
  counts[2] = counts[3] = 0;
  if (backend === null) return;
  for (const server of backend.servers) {
    const connections = engine.shared.servers[server.counters];
    counts[2] += connections;
    if (server.options.name === trace.server) counts[3] = connections;
  }
}
