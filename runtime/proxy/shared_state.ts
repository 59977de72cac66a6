/**
 * What engine threads and the proxy's main isolate share without messages: verdicts on servers, written by main and read
 * by all; counters and heartbeats, written by each thread in its own part and read by main. Doubles and words are
 * written whole, so no reader sees half of one.
 */
import { allocateRates } from "./routes/rate_table.ts";

/** Frontends, servers and backends that there can be at a time, in one process. */
export const MAX_FRONTENDS = 1024;
export const MAX_SERVERS = 8192;
export const MAX_BACKENDS = 1024;

/** Counters of a frontend, in one thread. */
export const FrontendCounter = {
  current: 0,
  total: 1,
  requests: 2,
  /** 1xx; 2xx to 5xx follow. */
  responses: 3,
  bytesIn: 8,
  bytesOut: 9,
  /** 1 where its connections have a room of their own, and are none of the process's; no counter. */
  apart: 10,
  stride: 11,
} as const;

/** Counters of a server, in one thread. */
export const ServerCounter = {
  connections: 0,
  requests: 1,
  connectFailures: 2,
  /** This thread's part of `active`, so that it can be taken back when the thread dies. */
  active: 3,
  /** Final responses, 101 among 1xx; 2xx to 5xx follow. */
  responses: 4,
  /** Requests that got no usable response: none in time, none at all, no HTTP, or one that broke off. */
  failures: 9,
  /** ms from sending requests to the heads of their final responses, added up. */
  responseTime: 10,
  stride: 11,
} as const;

/** Words of `control`, before those of the threads. */
const GENERATION = 0;
const CONTROL_WORDS = 8;
/** Words of each thread: turns of its loop so far, whether it is alive, buffers in use, how it is woken. */
const TURNS = 0;
const ALIVE = 1;
const REGIONS = 2;
/** The eventfd that makes the thread take a turn. */
const WAKE = 3;
/** Lines of the access log that were dropped. */
const DROPPED = 4;
const THREAD_WORDS = 16;

/** Lines of waiters: one for each backend, then one for each server; two words each. */
export const LINES = MAX_BACKENDS + MAX_SERVERS;
export const LINE_WORDS = 2;

/** The memory itself, as it is passed to a thread. */
export interface SharedBuffers {
  readonly threads: number;
  readonly descriptors: number;
  readonly control: SharedArrayBuffer;
  readonly verdicts: SharedArrayBuffer;
  readonly cursors: SharedArrayBuffer;
  readonly active: SharedArrayBuffer;
  readonly errors: SharedArrayBuffer;
  readonly open: SharedArrayBuffer;
  readonly wanting: SharedArrayBuffer;
  readonly tickets: SharedArrayBuffer;
  readonly lines: SharedArrayBuffer;
  readonly frontends: SharedArrayBuffer;
  readonly servers: SharedArrayBuffer;
  readonly owned: SharedArrayBuffer;
  /** Buckets of rate limits, see `routes/rate_table.ts`. */
  readonly rates: SharedArrayBuffer;
}

export function allocateShared(threads: number, descriptors: number): SharedBuffers {
  return {
    threads,
    descriptors,
    control: new SharedArrayBuffer(4 * (CONTROL_WORDS + THREAD_WORDS * threads)),
    verdicts: new SharedArrayBuffer(4 * MAX_SERVERS),
    cursors: new SharedArrayBuffer(4 * MAX_BACKENDS),
    active: new SharedArrayBuffer(4 * MAX_SERVERS),
    errors: new SharedArrayBuffer(4 * MAX_SERVERS),
    open: new SharedArrayBuffer(4 * (1 + MAX_FRONTENDS)),
    wanting: new SharedArrayBuffer(4 * threads),
    tickets: new SharedArrayBuffer(4 * MAX_BACKENDS),
    lines: new SharedArrayBuffer(4 * LINE_WORDS * LINES * threads),
    frontends: new SharedArrayBuffer(8 * MAX_FRONTENDS * FrontendCounter.stride * threads),
    servers: new SharedArrayBuffer(8 * MAX_SERVERS * ServerCounter.stride * threads),
    owned: new SharedArrayBuffer(descriptors * threads),
    rates: allocateRates(),
  };
}

/** One view of the shared memory; `thread` is whose counters are written. */
export class SharedState {
  readonly #control: Int32Array;
  /** By server slot: state in the upper half, weight in the lower; see `server_verdict.ts`. */
  readonly verdicts: Int32Array;
  /** By slot of a backend: the shared position in its order of picks. */
  readonly cursors: Int32Array;
  /** By server slot: requests under way in all threads together, where the backend's policy or a limit asks for it. */
  readonly active: Int32Array;
  /** By server slot: requests in a row that it failed, in all threads together. */
  readonly errors: Int32Array;
  /** Client connections in all threads: of the process, then by slot of a frontend. */
  readonly open: Int32Array;
  /** By thread: whether it wants to be woken when a client's connection is closed. */
  readonly wanting: Int32Array;
  /** By slot of a backend: the last ticket of its queue. */
  readonly tickets: Int32Array;
  /** Of all threads: their part of each line of waiters; see `waiting_lines.ts`. */
  readonly lines: Int32Array;
  /** Counters of this thread. */
  readonly frontends: Float64Array;
  readonly servers: Float64Array;
  /** Descriptors this thread has open. */
  readonly owned: Uint8Array;
  /** Counters of servers in all threads. */
  readonly #everybody: Float64Array;
  readonly #at: number;

  constructor(readonly buffers: SharedBuffers, readonly thread: number) {
    this.#control = new Int32Array(buffers.control);
    this.verdicts = new Int32Array(buffers.verdicts);
    this.cursors = new Int32Array(buffers.cursors);
    this.active = new Int32Array(buffers.active);
    this.errors = new Int32Array(buffers.errors);
    this.open = new Int32Array(buffers.open);
    this.wanting = new Int32Array(buffers.wanting);
    this.tickets = new Int32Array(buffers.tickets);
    this.lines = new Int32Array(buffers.lines);
    const frontendWords = MAX_FRONTENDS * FrontendCounter.stride;
    this.frontends = new Float64Array(buffers.frontends, 8 * frontendWords * thread, frontendWords);
    const serverWords = MAX_SERVERS * ServerCounter.stride;
    this.#everybody = new Float64Array(buffers.servers);
    this.servers = new Float64Array(buffers.servers, 8 * serverWords * thread, serverWords);
    this.owned = new Uint8Array(buffers.owned, buffers.descriptors * thread, buffers.descriptors);
    this.#at = CONTROL_WORDS + THREAD_WORDS * thread;
  }

  /** Grows with every change of verdicts. */
  get generation(): number {
    return Atomics.load(this.#control, GENERATION);
  }

  /** To be called behind changes of `verdicts`. */
  publish(): void {
    Atomics.add(this.#control, GENERATION, 1);
  }

  /** The thread begins a turn. A count, not a time: threads have no clock in common. */
  beat(): void {
    this.#control[this.#at + TURNS]++;
  }

  /** Regions of the arena in use, as of the last turn. */
  get regions(): number {
    return this.#control[this.#at + REGIONS];
  }

  set regions(count: number) {
    this.#control[this.#at + REGIONS] = count;
  }

  /** Lines of the access log that this thread dropped, wrapping. */
  get droppedLines(): number {
    return this.#control[this.#at + DROPPED];
  }

  dropLine(): void {
    this.#control[this.#at + DROPPED]++;
  }

  /** Turns so far, wrapping. */
  get turns(): number {
    return this.#control[this.#at + TURNS];
  }

  /** The slot belongs to another frontend from now on. */
  clearFrontend(slot: number): void {
    // Connections of the slot's last frontend may still be open; each takes itself out.
    this.frontends.fill(0, slot * FrontendCounter.stride + FrontendCounter.total, (slot + 1) * FrontendCounter.stride);
  }

  clearServer(slot: number): void {
    // Requests of the slot's last server may still be under way; each takes itself out of `active`.
    const first = slot * ServerCounter.stride;
    this.servers.fill(0, first, first + ServerCounter.active);
    this.servers.fill(0, first + ServerCounter.active + 1, first + ServerCounter.stride);
  }

  /** Open connections of all threads to the server in this slot. */
  connectionsTo(slot: number): number {
    let sum = 0;
    const stride = MAX_SERVERS * ServerCounter.stride;
    for (let at = slot * ServerCounter.stride; at < this.#everybody.length; at += stride) sum += this.#everybody[at];
    return sum;
  }

  /** The eventfd of any thread, 0 = it has none yet. A thread that is started again has the one before it had. */
  wakeOf(thread: number): number {
    return Atomics.load(this.#control, CONTROL_WORDS + THREAD_WORDS * thread + WAKE);
  }

  set wake(fd: number) {
    Atomics.store(this.#control, this.#at + WAKE, fd);
  }

  /** The thread died with all its connections. */
  forgetConnections(): void {
    const words = LINE_WORDS * LINES;
    this.lines.fill(0, words * this.thread, words * (this.thread + 1));
    for (let at = FrontendCounter.current; at < this.frontends.length; at += FrontendCounter.stride) {
      const lost = this.frontends[at];
      if (this.frontends[at + FrontendCounter.apart] === 0) Atomics.sub(this.open, 0, lost);
      Atomics.sub(this.open, 1 + (at - FrontendCounter.current) / FrontendCounter.stride, lost);
      this.frontends[at] = 0;
    }
    this.wanting[this.thread] = 0;
    for (let at = ServerCounter.connections; at < this.servers.length; at += ServerCounter.stride) {
      this.servers[at] = 0;
      const lost = at + ServerCounter.active - ServerCounter.connections;
      Atomics.sub(this.active, (at - ServerCounter.connections) / ServerCounter.stride, this.servers[lost]);
      this.servers[lost] = 0;
    }
  }

  get alive(): boolean {
    return Atomics.load(this.#control, this.#at + ALIVE) === 1;
  }

  set alive(alive: boolean) {
    Atomics.store(this.#control, this.#at + ALIVE, alive ? 1 : 0);
  }
}
