/**
 * What engine threads and the proxy's main isolate share without messages: verdicts on servers, written by main and read
 * by all; counters and heartbeats, written by each thread in its own part and read by main. Doubles and words are
 * written whole, so no reader sees half of one.
 */

/** Frontends and servers that can be counted at a time, in one process. */
export const MAX_FRONTENDS = 1024;
export const MAX_SERVERS = 8192;

/** Counters of a frontend, in one thread. */
export const FrontendCounter = {
  current: 0,
  total: 1,
  requests: 2,
  /** 1xx; 2xx to 5xx follow. */
  responses: 3,
  bytesIn: 8,
  bytesOut: 9,
  stride: 10,
} as const;

/** Counters of a server, in one thread. */
export const ServerCounter = {
  connections: 0,
  queued: 1,
  requests: 2,
  connectFailures: 3,
  /** This thread's part of `active`, so that it can be taken back when the thread dies. */
  active: 4,
  stride: 5,
} as const;

/** Words of `control`, before those of the threads. */
const GENERATION = 0;
const CONTROL_WORDS = 8;
/** Words of each thread: turns of its loop so far, whether it is alive, buffers in use. */
const TURNS = 0;
const ALIVE = 1;
const REGIONS = 2;
const THREAD_WORDS = 16;

/** The memory itself, as it is passed to a thread. */
export interface SharedBuffers {
  readonly threads: number;
  readonly descriptors: number;
  readonly control: SharedArrayBuffer;
  readonly verdicts: SharedArrayBuffer;
  readonly cursors: SharedArrayBuffer;
  readonly active: SharedArrayBuffer;
  readonly frontends: SharedArrayBuffer;
  readonly servers: SharedArrayBuffer;
  readonly owned: SharedArrayBuffer;
}

export function allocateShared(threads: number, descriptors: number): SharedBuffers {
  return {
    threads,
    descriptors,
    control: new SharedArrayBuffer(4 * (CONTROL_WORDS + THREAD_WORDS * threads)),
    verdicts: new SharedArrayBuffer(4 * MAX_SERVERS),
    cursors: new SharedArrayBuffer(4 * MAX_SERVERS),
    active: new SharedArrayBuffer(4 * MAX_SERVERS),
    frontends: new SharedArrayBuffer(8 * MAX_FRONTENDS * FrontendCounter.stride * threads),
    servers: new SharedArrayBuffer(8 * MAX_SERVERS * ServerCounter.stride * threads),
    owned: new SharedArrayBuffer(descriptors * threads),
  };
}

/** One view of the shared memory; `thread` is whose counters are written. */
export class SharedState {
  readonly #control: Int32Array;
  /** By server slot: state in the upper half, weight in the lower; see `server_verdict.ts`. */
  readonly verdicts: Int32Array;
  /** By slot of a backend's first server: the shared position in its order of picks. */
  readonly cursors: Int32Array;
  /** By server slot: requests under way in all threads together, where the backend's policy or a limit asks for it. */
  readonly active: Int32Array;
  /** Counters of this thread. */
  readonly frontends: Float64Array;
  readonly servers: Float64Array;
  /** Descriptors this thread has open. */
  readonly owned: Uint8Array;
  readonly #at: number;

  constructor(readonly buffers: SharedBuffers, thread: number) {
    this.#control = new Int32Array(buffers.control);
    this.verdicts = new Int32Array(buffers.verdicts);
    this.cursors = new Int32Array(buffers.cursors);
    this.active = new Int32Array(buffers.active);
    const frontendWords = MAX_FRONTENDS * FrontendCounter.stride;
    this.frontends = new Float64Array(buffers.frontends, 8 * frontendWords * thread, frontendWords);
    const serverWords = MAX_SERVERS * ServerCounter.stride;
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

  /** Turns so far, wrapping. */
  get turns(): number {
    return this.#control[this.#at + TURNS];
  }

  /** The slot belongs to another frontend from now on. */
  clearFrontend(slot: number): void {
    this.frontends.fill(0, slot * FrontendCounter.stride, (slot + 1) * FrontendCounter.stride);
  }

  clearServer(slot: number): void {
    // Requests of the slot's last server may still be under way; each takes itself out of `active`.
    this.servers.fill(0, slot * ServerCounter.stride, slot * ServerCounter.stride + ServerCounter.active);
  }

  /** The thread died with all its connections. */
  forgetConnections(): void {
    for (let at = FrontendCounter.current; at < this.frontends.length; at += FrontendCounter.stride) {
      this.frontends[at] = 0;
    }
    for (let at = ServerCounter.connections; at < this.servers.length; at += ServerCounter.stride) {
      this.servers[at] = 0;
      this.servers[at + ServerCounter.queued - ServerCounter.connections] = 0;
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
