/** Io by io_uring: multishot accept, buffers provided by rings, one io_uring_enter a turn. */
import { Arena, SLAB } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { Errno, OsError } from "./errno.ts";
import type { Acceptor, Endpoint, Io, IoOptions } from "./io.ts";
import { libc } from "./libc.ts";
import { setReset } from "./socket_options.ts";
import { UringListeners } from "./uring_listeners.ts";
import { UringQueue } from "./uring_queue.ts";
import { UringReceives } from "./uring_receives.ts";
import {
  ACCEPT,
  CANCEL,
  CONNECT,
  FD_MASK,
  RECEIVE,
  RECEIVE_ALL,
  RECEIVE_LARGE,
  SEND,
  UringRequests,
  WAKE,
} from "./uring_requests.ts";
import { UringSends } from "./uring_sends.ts";
import type { RingParameters } from "./uring_setup.ts";
import { ARMED, CONNECTING, SENDING, UringTable } from "./uring_table.ts";

const SOCK_CLOEXEC = 0x80000;
const SHUT_WR = 1;

export class UringIo implements Io {
  readonly name = "io_uring";
  readonly socketFlags = SOCK_CLOEXEC;
  readonly arena: Arena;
  readonly #queue: UringQueue;
  readonly #descriptors: Descriptors;
  readonly #table: UringTable;
  readonly #requests: UringRequests;
  readonly #listeners: UringListeners;
  readonly #receives: UringReceives;
  readonly #sends: UringSends;
  /** Of the table, where every completion looks. */
  readonly #endpoints: (Endpoint | null)[];
  readonly #generation: Int32Array;
  readonly #state: Uint8Array;
  readonly #wakers = new Map<number, () => void>();
  readonly #scratch: number;
  /** Descriptor that was reported on last. */
  #current = 0;

  constructor(options: IoOptions, ring: RingParameters, readonly reason: string) {
    this.arena = new Arena(options.arena ?? 192 << 20);
    this.#descriptors = new Descriptors(options);
    this.#queue = new UringQueue(ring);
    this.#descriptors.own(ring.fd);
    this.#table = new UringTable(this.#descriptors.count);
    this.#endpoints = this.#table.endpoints;
    this.#generation = this.#table.generation;
    this.#state = this.#table.state;
    this.#requests = new UringRequests(this.#queue, this.arena, this.#generation);
    this.#listeners = new UringListeners(this.#requests, this.#table);
    this.#receives = new UringReceives(ring.fd, this.#requests, this.arena, this.#table);
    this.#sends = new UringSends(this.#requests, this.arena, this.#table);
    this.#scratch = this.arena.address + this.arena.start(this.arena.take(SLAB));
  }

  accept(fd: number, acceptor: Acceptor): void {
    this.#listeners.accept(fd, acceptor);
  }

  pause(fd: number): void {
    this.#listeners.pause(fd);
  }

  forget(fd: number): void {
    this.#listeners.forget(fd);
  }

  get offered(): number {
    return this.#receives.offered;
  }

  get accepting(): boolean {
    return this.#listeners.leaving;
  }

  watch(fd: number, woken: () => void): void {
    this.#wakers.set(fd, woken);
    this.#requests.wake(fd, this.#scratch);
  }

  open(fd: number, endpoint: Endpoint): void {
    this.#descriptors.own(fd);
    this.#table.open(fd, endpoint);
  }

  connect(fd: number, start: number, length: number): void {
    this.#state[fd] |= CONNECTING;
    this.#requests.connect(fd, start, length);
  }

  receive(fd: number): void {
    this.#receives.receive(fd);
  }

  hold(fd: number): void {
    this.#receives.hold(fd);
  }

  send(fd: number, start: number, length: number, region: number): void {
    this.#sends.send(fd, start, length, region);
  }

  finish(fd: number): void {
    // IORING_OP_SHUTDOWN would go to a worker thread of the kernel; the call itself never waits.
    libc().shutdown(fd, SHUT_WR);
  }

  close(fd: number): void {
    this.#sends.orphan(fd);
    this.#requests.close(fd, (this.#state[fd] & (ARMED | SENDING | CONNECTING)) !== 0);
    this.#table.close(fd);
    this.#descriptors.disown(fd);
  }

  abort(fd: number): void {
    setReset(fd);
    this.close(fd);
  }

  give(region: number): void {
    this.arena.give(region);
  }

  wait(ms: number): void {
    this.#receives.refill();
    this.#queue.enter(ms);
  }

  report(): void {
    const queue = this.#queue;
    const words = queue.words;
    for (let left = queue.ready(); left > 0; left--) {
      const at = queue.completion();
      const low = words[at];
      const generation = words[at + 1];
      const result = words[at + 2];
      const flags = words[at + 3];
      queue.advance();
      const fd = low & FD_MASK;
      this.#current = fd;
      switch (low & ~FD_MASK) {
        case RECEIVE_ALL:
          this.#receives.received(fd, generation, result, flags, RECEIVE_ALL);
          break;
        case RECEIVE:
          this.#receives.received(fd, generation, result, flags, RECEIVE);
          break;
        case RECEIVE_LARGE:
          this.#receives.received(fd, generation, result, flags, RECEIVE_LARGE);
          break;
        case SEND:
          this.#sends.sent(fd, generation, result);
          break;
        case ACCEPT:
          this.#listeners.accepted(fd, generation, result, flags);
          break;
        case CONNECT:
          this.#connected(fd, generation, result);
          break;
        case WAKE:
          this.#woken(fd, result);
          break;
        case CANCEL:
          this.#listeners.notCancelled(fd, generation);
          break;
      }
    }
  }

  culprit(): Endpoint | null {
    return this.#endpoints[this.#current] ?? null;
  }

  [Symbol.dispose](): void {
    // What was closed has only been asked for.
    this.#queue.flush();
    for (let fd = 0; fd < this.#endpoints.length; fd++) {
      if (this.#endpoints[fd] === null) continue;
      libc().close(fd);
      this.#descriptors.disown(fd);
    }
    this.#endpoints.length = 0;
    this.#descriptors.disown(this.#queue.fd);
    this.#queue[Symbol.dispose]();
    this.#receives[Symbol.dispose]();
    this.arena[Symbol.dispose]();
  }

  #connected(fd: number, generation: number, result: number): void {
    if (generation !== this.#generation[fd]) return;
    this.#state[fd] &= ~CONNECTING;
    this.#endpoints[fd]?.connected(-result);
  }

  #woken(fd: number, result: number): void {
    if (result < 0 && result !== -Errno.EINTR && result !== -Errno.EAGAIN) {
      throw new OsError("read", -result, "Cannot read the eventfd that wakes this thread");
    }
    this.#requests.wake(fd, this.#scratch);
    this.#wakers.get(fd)?.();
  }
}
