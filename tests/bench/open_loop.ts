/**
 * Load at a fixed rate, whatever the answers do: request i is due at start + i / rate, and its latency counts from then,
 * also where no connection was free to send it. A stall of the proxy so delays every request that came due meanwhile, as
 * it would have delayed their users; a load that waits for answers would have left those out (coordinated omission).
 */
import { NO_REGION, SLAB } from "../../runtime/os/arena.ts";
import { errnoName } from "../../runtime/os/errno.ts";
import type { Endpoint, Io } from "../../runtime/os/io.ts";
import { libc } from "../../runtime/os/libc.ts";
import { monotonic } from "../../runtime/os/scheduling.ts";
import { setNoDelay } from "../../runtime/os/socket_options.ts";
import { socketAddress } from "../../runtime/os/tcp_socket.ts";
import * as http from "../../runtime/http/mod.ts";

export interface OfferedLoad {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Requests in a second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface OfferedOutcome {
  /** Requests sent, those of the warm-up included. */
  readonly sent: number;
  /** Requests that were due and count. */
  readonly requests: number;
  /** Those that got no whole 200. */
  readonly errors: number;
  /** The first of them. */
  readonly why: string | null;
  /** From due to answered, ms. */
  readonly p50: number;
  readonly p99: number;
  /** From when it was due and a connection free until it was sent: what of that is the load's own doing, ms. */
  readonly lateP99: number;
}

const SOCK_STREAM = 1;
/** The connections of the proxy to its origin are made in this time, which does not count, ms. */
const WARM_UP = 500;
/** How long connections may take to be made, and answers to come behind the last request, ms. */
const PATIENCE = 5000;

/** Offers the load; ends at the latest 10.5 s after `seconds`. */
export function offer(io: Io, load: OfferedLoad): OfferedOutcome {
  return new OpenLoop(io, load).run();
}

class OpenLoop {
  readonly #io: Io;
  readonly #load: OfferedLoad;
  readonly #region: number;
  readonly #request: number;
  readonly #requestLength: number;
  readonly #idle: Client[] = [];
  readonly #count: number;
  readonly #uncounted: number;
  readonly #latency: Float64Array;
  readonly #lateness: Float64Array;
  #alive = 0;
  #start = 0;
  #next = 0;
  #answered = 0;
  #counted = 0;
  #why: string | null = null;

  constructor(io: Io, load: OfferedLoad) {
    this.#io = io;
    this.#load = load;
    this.#region = io.arena.take(SLAB);
    const request = http.bytesOf(`GET ${load.path} HTTP/1.1\r\nHost: 127.0.0.1:${load.port}\r\n\r\n`);
    this.#request = io.arena.start(this.#region);
    this.#requestLength = request.length;
    io.arena.bytes.set(request, this.#request);
    this.#uncounted = Math.round(load.rate * WARM_UP / 1000);
    this.#count = this.#uncounted + Math.round(load.rate * load.seconds);
    this.#latency = new Float64Array(this.#count - this.#uncounted);
    this.#lateness = new Float64Array(this.#count - this.#uncounted);
  }

  run(): OfferedOutcome {
    this.#connect();
    this.#start = monotonic();
    const end = this.#start + WARM_UP + this.#load.seconds * 1000 + PATIENCE;
    while (this.#answered < this.#count && this.#alive > 0) {
      const now = monotonic();
      if (now > end) break;
      this.#send(now);
      const until = this.#next < this.#count && this.#idle.length > 0 ? this.#due(this.#next) : end;
      this.#io.wait(Math.max(0, Math.min(until - monotonic(), 100)));
      this.#io.report();
    }
    this.#io.give(this.#region);
    const latency = this.#latency.subarray(0, this.#counted).sort();
    return {
      sent: this.#next,
      requests: this.#latency.length,
      errors: this.#latency.length - this.#counted,
      why: this.#why ?? (this.#answered < this.#count ? "not answered in time" : null),
      p50: percentile(latency, 50),
      p99: percentile(latency, 99),
      lateP99: percentile(this.#lateness.sort(), 99),
    };
  }

  /** The client may send the next request. */
  free(client: Client): void {
    client.freeSince = monotonic();
    this.#idle.push(client);
  }

  answered(request: number): void {
    this.#answered++;
    if (request < this.#uncounted) return;
    this.#latency[this.#counted++] = monotonic() - this.#due(request);
  }

  lost(why: string): void {
    this.#alive--;
    this.#why ??= why;
  }

  #due(request: number): number {
    return this.#start + request * 1000 / this.#load.rate;
  }

  #send(now: number): void {
    while (this.#next < this.#count && this.#due(this.#next) <= now) {
      // In turns, so that every connection is used however low the rate.
      const client = this.#idle.shift();
      if (client === undefined) return;
      const request = this.#next++;
      if (request >= this.#uncounted) {
        this.#lateness[request - this.#uncounted] = now - Math.max(this.#due(request), client.freeSince);
      }
      client.ask(request, this.#request, this.#requestLength);
    }
  }

  #connect(): void {
    const { arena } = this.#io;
    const { domain, bytes } = socketAddress("127.0.0.1", this.#load.port);
    // Behind the request, and out of use before the first one is sent.
    const at = this.#request + ((this.#requestLength + 15) & ~15);
    arena.bytes.set(bytes, at);
    const { connections } = this.#load;
    for (let i = 0; i < connections; i++) {
      const fd = libc().socket(domain, SOCK_STREAM | this.#io.socketFlags, 0);
      if (fd < 0) throw new Error(`Cannot open ${connections} connections: no descriptor is left for the ${i + 1}th`);
      setNoDelay(fd);
      this.#alive++;
      new Client(this, this.#io, fd);
      this.#io.connect(fd, at, bytes.length);
    }
    const end = monotonic() + PATIENCE;
    while (this.#idle.length < connections) {
      if (this.#alive < connections || monotonic() > end) {
        throw new Error(
          `Cannot open ${connections} connections to port ${this.#load.port}: ${this.#idle.length} are open, ` +
            (this.#why ?? `the others took longer than ${PATIENCE} ms`),
        );
      }
      this.#io.wait(10);
      this.#io.report();
    }
  }
}

/** A connection with one request at a time on its way. */
class Client implements Endpoint {
  freeSince = 0;
  readonly #head = new http.ResponseHead();
  /** A head that came in pieces, so far. */
  #begun = new Uint8Array(0);
  /** Octets of body to come. */
  #left = 0;
  #request = -1;

  constructor(readonly load: OpenLoop, readonly io: Io, readonly fd: number) {
    io.open(fd, this);
  }

  ask(request: number, start: number, length: number): void {
    this.#request = request;
    this.io.send(this.fd, start, length, NO_REGION);
  }

  connected(errno: number): void {
    if (errno !== 0) return this.#lose(`connecting answered ${errnoName(errno)}`);
    this.io.receive(this.fd);
    this.load.free(this);
  }

  received(region: number, start: number, length: number): void {
    const why = this.#read(this.io.arena.bytes, start, start + length);
    this.io.give(region);
    if (why !== null) this.#lose(why);
  }

  ended(errno: number): void {
    this.#lose(errno === 0 ? "the proxy closed a connection" : `a connection ended with ${errnoName(errno)}`);
  }

  progressed(): void {}

  sent(errno: number): void {
    if (errno !== 0) this.#lose(`sending answered ${errnoName(errno)}`);
  }

  /** Takes a piece of the response; what is wrong with it, or null. */
  #read(bytes: Uint8Array, start: number, end: number): string | null {
    if (this.#request < 0) return "bytes came that nobody asked for";
    if (this.#left > 0) {
      this.#left -= end - start;
    } else {
      if (this.#begun.length > 0) {
        const whole = new Uint8Array(this.#begun.length + end - start);
        whole.set(this.#begun);
        whole.set(bytes.subarray(start, end), this.#begun.length);
        [bytes, start, end] = [whole, 0, whole.length];
      }
      this.#head.reset();
      const length = http.parseResponse(this.#head, bytes, start, end, false);
      this.#begun = length === http.NEED_MORE ? bytes.slice(start, end) : new Uint8Array(0);
      if (length === http.NEED_MORE) return null;
      if (length < 0) return "the response is malformed";
      const { status, framing, contentLength } = this.#head;
      if (status !== 200) return `the status is ${status}`;
      if (framing !== http.BY_LENGTH) return "the response has no Content-Length";
      this.#left = contentLength - (end - start - length);
    }
    if (this.#left < 0) return "the response is longer than its Content-Length";
    if (this.#left > 0) return null;
    const request = this.#request;
    this.#request = -1;
    this.load.answered(request);
    this.load.free(this);
    return null;
  }

  #lose(why: string): void {
    this.io.close(this.fd);
    this.load.lost(why);
  }
}

/** The smallest of `sorted` that at least `percent` % do not exceed; 0 of none. */
function percentile(sorted: Float64Array, percent: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.ceil(sorted.length * percent / 100) - 1];
}
