/**
 * What is noted of one request while it goes through the engine, for its line in the access log. Times are the engine's,
 * monotonic ms; what did not come to pass is −1. Objects are used again; there are none where nothing is logged.
 */
import type { RequestHead } from "../../http/mod.ts";
import type { End } from "./end.ts";

/** Caps of what is kept of a request line, octets. */
const METHOD = 32;
const HOST = 256;
export const TARGET = 1500;

export class Trace {
  mode: "http" | "tcp" = "http";
  id = "";
  client = "";
  port = 0;
  frontend = "";
  route: string | null = null;
  backend: string | null = null;
  server: string | null = null;
  /** HTTP minor version of the request. */
  minor = 1;
  /** 0 = none was sent. */
  status = 0;
  end: End = "done";
  /** Particulars of a bad end; the sentence of `end` goes before. */
  detail = "";
  /** What of a route turned it away, if anything did. */
  rule: string | null = null;
  /** Servers that a connection was tried to, repetitions included. */
  attempts = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Octets for this client before the request. */
  pushedBefore = 0;
  /** Requests that waited here before this one did. */
  ahead = 0;
  /** Open connections of this thread when the line is written: all, the frontend's, the backend's, the server's. */
  readonly connections = [0, 0, 0, 0];

  /** The request's first octet arrived; its head was whole. */
  began = 0;
  whole = 0;
  /** ms it waited for places; was connected to the last server; waited for its head; altogether. */
  queue = 0;
  connect = -1;
  response = -1;
  total = 0;

  /** What of the request line is kept: method, target, host, one behind the other. */
  request = new Uint8Array(512);
  methodEnd = 0;
  targetEnd = 0;
  hostEnd = 0;
  /** Octets of the target as sent. */
  targetLength = 0;

  #waiting = -1;
  #connecting = -1;
  #sent = -1;

  reset(began: number, now: number): void {
    this.id = this.client = this.detail = "";
    this.route =
      this.backend =
      this.server =
      this.rule =
        null;
    this.status =
      this.attempts =
      this.bytesIn =
      this.bytesOut =
      this.ahead =
      this.queue =
      this.total =
        0;
    this.methodEnd =
      this.targetEnd =
      this.hostEnd =
      this.targetLength =
        0;
    this.connect =
      this.response =
      this.#waiting =
      this.#connecting =
      this.#sent =
        -1;
    this.end = "done";
    this.began = began;
    this.whole = now;
  }

  /** Keeps what the line tells of the head. */
  keep(head: RequestHead): void {
    const { bytes, start, hostField, authorityStart } = head;
    this.minor = head.minor;
    this.bytesIn = head.length;
    this.targetLength = head.targetEnd - head.targetStart;
    const target = Math.min(this.targetLength, TARGET);
    const most = METHOD + target + HOST;
    if (most > this.request.length) this.request = new Uint8Array(METHOD + TARGET + HOST);
    this.methodEnd = this.#copy(bytes, start + head.methodStart, start + head.methodEnd, 0, METHOD);
    this.targetEnd = this.#copy(bytes, start + head.targetStart, start + head.targetEnd, this.methodEnd, TARGET);
    this.hostEnd = hostField >= 0
      ? this.#copy(bytes, head.valueStart(hostField), head.valueEnd(hostField), this.targetEnd, HOST)
      : authorityStart >= 0
      ? this.#copy(bytes, start + authorityStart, start + head.authorityEnd, this.targetEnd, HOST)
      : this.targetEnd;
  }

  /** It waits for a place, behind `ahead` others. */
  waits(ahead: number, now: number): void {
    this.ahead = ahead;
    this.#waiting = now;
  }

  /** A server was chosen. */
  connects(backend: string, server: string, now: number): void {
    this.#endWait(now);
    this.backend = backend;
    this.server = server;
    this.attempts++;
    this.#connecting = now;
    this.connect = -1;
  }

  /** The connection is there, and the request, or its first bytes, go to the server. */
  sends(now: number): void {
    if (this.#connecting >= 0) this.connect = now - this.#connecting;
    this.#sent = now;
  }

  /** The final response begins. */
  answers(status: number, now: number): void {
    this.status = status;
    if (this.#sent >= 0) this.response = now - this.#sent;
  }

  /** The connection to the server failed. */
  fails(server: string, why: string): void {
    this.detail += `${this.detail === "" ? "" : ", "}${server}: ${why}`;
  }

  /** It is over. */
  ends(end: End, now: number): void {
    this.end = end;
    this.#endWait(now);
    this.total = now - this.began;
  }

  /** Copies at most `most` octets to `at`; answers where they end. */
  #copy(bytes: Uint8Array, start: number, end: number, at: number, most: number): number {
    const kept = this.request;
    const stop = Math.min(end, start + most);
    for (let i = start; i < stop; i++) kept[at++] = bytes[i];
    return at;
  }

  #endWait(now: number): void {
    if (this.#waiting < 0) return;
    this.queue += now - this.#waiting;
    this.#waiting = -1;
  }
}
