/**
 * Io by io_uring: multishot accept, buffers provided by rings, one io_uring_enter a turn.
 *
 * Receives are single, armed again when they complete, and begin by waiting (POLL_FIRST). Multishot receives measured no
 * cheaper for small requests and dearer for long bodies: they take up to 32 small buffers in one go, wanted or not, and
 * can only be stopped by a cancellation. So the reader decides, piece by piece.
 *
 * `user_data` of a request is its operation and descriptor in the low word and the descriptor's generation in the high
 * one. A descriptor number is reused as soon as it is closed, while completions of its former life still arrive: their
 * generation tells.
 */
import { Arena, LARGE, NO_REGION, SLAB, SMALL } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { Errno, OsError } from "./errno.ts";
import type { Acceptor, Endpoint, Io, IoOptions } from "./io.ts";
import { libc } from "./libc.ts";
import { setBlocking, setReset } from "./socket_options.ts";
import {
  ACCEPT_MULTISHOT,
  CANCEL_ALL,
  CANCEL_FD,
  CQE_BUFFER,
  CQE_BUFFER_SHIFT,
  CQE_MORE,
  OP_ACCEPT,
  OP_ASYNC_CANCEL,
  OP_CLOSE,
  OP_CONNECT,
  OP_READ,
  OP_RECV,
  OP_SEND,
  RECVSEND_POLL_FIRST,
  SQE_BUFFER_SELECT,
  SQE_CQE_SKIP_SUCCESS,
} from "./uring_abi.ts";
import { UringBuffers } from "./uring_buffers.ts";
import { UringQueue } from "./uring_queue.ts";
import type { RingParameters } from "./uring_setup.ts";

const SOCK_CLOEXEC = 0x80000;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;

/** Operations in user_data, above the descriptor. */
const FD_BITS = 24;
const FD_MASK = (1 << FD_BITS) - 1;
const RECEIVE = 1 << FD_BITS;
const RECEIVE_LARGE = 2 << FD_BITS;
const SEND = 3 << FD_BITS;
const ACCEPT = 4 << FD_BITS;
const CONNECT = 5 << FD_BITS;
const WAKE = 6 << FD_BITS;
const CANCEL = 7 << FD_BITS;
/** Nobody looks at the result. */
const QUIET = 8 << FD_BITS;

/** What is under way on a descriptor, as bits of `#state`. */
const ARMED = 1;
/** Of a listener: ARMED is about to end. */
const CANCELLING = 2;
/** Somebody wants to receive or accept: armed again when the request under way ends. */
const WANTED = 4;
/** The last receive filled its buffer: there is more, and larger buffers are worth it. */
const FILLED = 8;
const SENDING = 16;
const CONNECTING = 32;
/** In the queue for buffers. */
const STARVED = 64;

const SMALL_DEPTH = 64;
const LARGE_DEPTH = 8;

export class UringIo implements Io {
  readonly name = "io_uring";
  readonly socketFlags = SOCK_CLOEXEC;
  readonly arena: Arena;
  readonly #queue: UringQueue;
  readonly #small: UringBuffers;
  readonly #large: UringBuffers;
  readonly #descriptors: Descriptors;
  readonly #endpoints: (Endpoint | null)[];
  readonly #generation: Int32Array;
  readonly #state: Uint8Array;
  readonly #sendStart: Int32Array;
  readonly #sendLeft: Int32Array;
  readonly #sendRegion: Int32Array;
  /** Regions of sends whose socket was closed: user_data as text → region. */
  readonly #orphans = new Map<string, number>();
  readonly #acceptors = new Map<number, Acceptor>();
  readonly #wakers = new Map<number, () => void>();
  /** Descriptors that found no buffer, in the order they came. */
  readonly #starved: number[] = [];
  readonly #scratch: number;
  /** Descriptor that was reported on last. */
  #current = 0;

  constructor(options: IoOptions, ring: RingParameters, readonly reason: string) {
    this.arena = new Arena(options.arena ?? 192 << 20);
    this.#descriptors = new Descriptors(options);
    this.#queue = new UringQueue(ring);
    this.#descriptors.own(ring.fd);
    this.#small = new UringBuffers(ring.fd, this.arena, SMALL, SMALL_DEPTH);
    this.#large = new UringBuffers(ring.fd, this.arena, LARGE, LARGE_DEPTH);
    const count = this.#descriptors.count;
    this.#endpoints = new Array(1024).fill(null);
    this.#generation = new Int32Array(count);
    this.#state = new Uint8Array(count);
    this.#sendStart = new Int32Array(count);
    this.#sendLeft = new Int32Array(count);
    this.#sendRegion = new Int32Array(count);
    this.#scratch = this.arena.address + this.arena.start(this.arena.take(SLAB));
  }

  accept(fd: number, acceptor: Acceptor): void {
    // A non-blocking socket would make io_uring answer EAGAIN instead of waiting.
    setBlocking(fd, true);
    this.#acceptors.set(fd, acceptor);
    if ((this.#state[fd] & ARMED) === 0) this.#armAccept(fd);
    else this.#state[fd] |= WANTED;
  }

  pause(fd: number): void {
    const state = this.#state[fd] & ~WANTED;
    this.#state[fd] = state;
    if ((state & (ARMED | CANCELLING)) !== ARMED) return;
    this.#state[fd] = state | CANCELLING;
    const at = this.#prepare(OP_ASYNC_CANCEL, -1, ACCEPT | fd, 0, CANCEL | fd);
    this.#queue.sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
    this.#queue.sqes[at + 5] = this.#generation[fd]; // addr, high word
    this.#queue.sqes[at + 9] = this.#generation[fd];
  }

  forget(fd: number): void {
    this.pause(fd);
    this.#acceptors.delete(fd);
    this.#generation[fd]++;
    this.#state[fd] = 0;
  }

  watch(fd: number, woken: () => void): void {
    this.#wakers.set(fd, woken);
    this.#armWake(fd);
  }

  open(fd: number, endpoint: Endpoint): void {
    this.#descriptors.own(fd);
    const endpoints = this.#endpoints;
    while (endpoints.length <= fd) endpoints.push(null);
    endpoints[fd] = endpoint;
    this.#state[fd] = 0;
  }

  connect(fd: number, start: number, length: number): void {
    this.#state[fd] |= CONNECTING;
    const sqes = this.#queue.sqes;
    const at = this.#prepare(OP_CONNECT, fd, this.arena.address + start, 0, CONNECT);
    sqes[at + 2] = length; // addr2
  }

  receive(fd: number): void {
    const state = this.#state[fd] | WANTED;
    this.#state[fd] = state;
    if ((state & (ARMED | STARVED)) === 0) this.#armReceive(fd);
  }

  hold(fd: number): void {
    this.#state[fd] &= ~WANTED;
  }

  send(fd: number, start: number, length: number, region: number): void {
    this.#state[fd] |= SENDING;
    this.#sendStart[fd] = start;
    this.#sendLeft[fd] = length;
    this.#sendRegion[fd] = region;
    this.#armSend(fd, start, length);
  }

  finish(fd: number): void {
    // IORING_OP_SHUTDOWN would go to a worker thread of the kernel; the call itself never waits.
    libc().shutdown(fd, SHUT_WR);
  }

  close(fd: number): void {
    const state = this.#state[fd];
    if ((state & SENDING) !== 0) {
      this.#orphans.set(`${SEND | fd}:${this.#generation[fd]}`, this.#sendRegion[fd]);
    }
    if ((state & (ARMED | SENDING | CONNECTING)) !== 0) {
      // Requests under way hold the socket open: without this the peer would see no FIN.
      const at = this.#prepare(OP_ASYNC_CANCEL, fd, 0, 0, QUIET);
      this.#queue.sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
      this.#queue.sqes[at + 7] = CANCEL_FD | CANCEL_ALL;
    }
    const at = this.#prepare(OP_CLOSE, fd, 0, 0, QUIET);
    this.#queue.sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
    this.#endpoints[fd] = null;
    this.#generation[fd]++;
    this.#state[fd] = 0;
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
    const queue = this.#queue;
    this.#small.refill();
    this.#large.refill();
    if (this.#starved.length > 0) this.#feed();
    queue.enter(ms);
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
        case RECEIVE:
          this.#received(fd, generation, result, flags, this.#small);
          break;
        case RECEIVE_LARGE:
          this.#received(fd, generation, result, flags, this.#large);
          break;
        case SEND:
          this.#sent(fd, generation, result);
          break;
        case ACCEPT:
          this.#accepted(fd, generation, result, flags);
          break;
        case CONNECT:
          this.#connected(fd, generation, result);
          break;
        case WAKE:
          this.#woken(fd, result);
          break;
        case CANCEL:
          // The request was no longer to be found: its last completion is on its way, or `hold` will ask again.
          if (generation === this.#generation[fd]) this.#state[fd] &= ~CANCELLING;
          break;
      }
    }
  }

  culprit(): Endpoint | null {
    return this.#endpoints[this.#current] ?? null;
  }

  [Symbol.dispose](): void {
    for (let fd = 0; fd < this.#endpoints.length; fd++) {
      if (this.#endpoints[fd] === null) continue;
      libc().close(fd);
      this.#descriptors.disown(fd);
    }
    this.#endpoints.length = 0;
    this.#descriptors.disown(this.#queue.fd);
    this.#queue[Symbol.dispose]();
    this.#small[Symbol.dispose]();
    this.#large[Symbol.dispose]();
    this.arena[Symbol.dispose]();
  }

  /** Fills a submission; words that an operation does not use are zero. */
  #prepare(operation: number, fd: number, address: number, length: number, kind: number): number {
    const at = this.#queue.next();
    const sqes = this.#queue.sqes;
    sqes[at] = operation;
    sqes[at + 1] = fd;
    sqes[at + 2] = 0;
    sqes[at + 3] = 0;
    sqes[at + 4] = address;
    sqes[at + 5] = 0;
    sqes[at + 6] = length;
    sqes[at + 7] = 0;
    sqes[at + 8] = fd < 0 ? kind : kind | fd;
    sqes[at + 9] = fd < 0 ? 0 : this.#generation[fd];
    sqes[at + 10] = 0;
    sqes[at + 11] = 0;
    sqes[at + 12] = 0;
    sqes[at + 13] = 0;
    sqes[at + 14] = 0;
    sqes[at + 15] = 0;
    return at;
  }

  #armReceive(fd: number): void {
    const state = this.#state[fd];
    const filled = (state & FILLED) !== 0;
    const large = filled && this.#large.available;
    this.#state[fd] = (state & ~FILLED) | ARMED;
    const at = this.#prepare(OP_RECV, fd, 0, 0, large ? RECEIVE_LARGE : RECEIVE);
    const pollFirst = filled ? 0 : RECVSEND_POLL_FIRST << 16;
    this.#queue.sqes[at] |= (SQE_BUFFER_SELECT << 8) | pollFirst;
    this.#queue.sqes[at + 10] = large ? LARGE : SMALL; // buf_group
  }

  #armSend(fd: number, start: number, length: number): void {
    const at = this.#prepare(OP_SEND, fd, this.arena.address + start, length, SEND);
    this.#queue.sqes[at + 7] = MSG_NOSIGNAL;
  }

  #armAccept(fd: number): void {
    this.#state[fd] = ARMED | WANTED;
    const at = this.#prepare(OP_ACCEPT, fd, 0, 0, ACCEPT);
    this.#queue.sqes[at] |= ACCEPT_MULTISHOT << 16;
    this.#queue.sqes[at + 7] = SOCK_CLOEXEC;
  }

  #armWake(fd: number): void {
    const at = this.#prepare(OP_READ, fd, this.#scratch, 8, WAKE);
    this.#queue.sqes[at + 2] = -1; // offset: none
    this.#queue.sqes[at + 3] = -1;
  }

  #received(fd: number, generation: number, result: number, flags: number, buffers: UringBuffers): void {
    const region = (flags & CQE_BUFFER) !== 0 ? buffers.taken(flags >>> CQE_BUFFER_SHIFT) : NO_REGION;
    const endpoint = this.#endpoints[fd];
    if (generation !== this.#generation[fd] || endpoint === null) {
      if (region !== NO_REGION) this.arena.give(region);
      return;
    }
    const state = this.#state[fd] & ~ARMED;
    this.#state[fd] = state;
    if (result > 0) {
      if (result === buffers.size) this.#state[fd] = state | FILLED;
      endpoint.received(region, this.arena.start(region), result);
      if (generation === this.#generation[fd]) this.#rearm(fd);
      return;
    }
    if (region !== NO_REGION) this.arena.give(region);
    switch (result) {
      case -Errno.ENOBUFS:
        buffers.ranDry();
        this.#starve(fd);
        break;
      case -Errno.ECANCELED:
      case -Errno.EINTR:
      case -Errno.EAGAIN:
        this.#rearm(fd);
        break;
      default:
        endpoint.ended(-result);
    }
  }

  #rearm(fd: number): void {
    const state = this.#state[fd];
    if ((state & (WANTED | ARMED | STARVED)) === WANTED) this.#armReceive(fd);
  }

  #starve(fd: number): void {
    this.#state[fd] |= STARVED;
    this.#starved.push(fd);
  }

  /** Arms those that found no buffer, oldest first, as far as buffers go. */
  #feed(): void {
    const hungry = this.#starved;
    let fed = 0;
    for (let room = this.#small.offered; fed < hungry.length && room > 0; fed++, room--) {
      const fd = hungry[fed];
      // Closed since, and perhaps opened anew: then this entry is not about it.
      if ((this.#state[fd] & STARVED) === 0) continue;
      this.#state[fd] &= ~STARVED;
      this.#rearm(fd);
    }
    hungry.splice(0, fed);
  }

  #sent(fd: number, generation: number, result: number): void {
    if (generation !== this.#generation[fd]) {
      this.#orphaned(`${SEND | fd}:${generation}`);
      return;
    }
    const endpoint = this.#endpoints[fd];
    if (endpoint === null) return;
    const left = this.#sendLeft[fd];
    if (result === left) {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(0);
    } else if (result > 0) {
      const start = this.#sendStart[fd] + result;
      this.#sendStart[fd] = start;
      this.#sendLeft[fd] = left - result;
      this.#armSend(fd, start, left - result);
      endpoint.progressed();
    } else if (result === -Errno.EINTR || result === -Errno.EAGAIN) {
      this.#armSend(fd, this.#sendStart[fd], left);
    } else {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(result === 0 ? Errno.EPIPE : -result);
    }
  }

  #orphaned(key: string): void {
    const region = this.#orphans.get(key);
    if (region === undefined) return;
    this.#orphans.delete(key);
    if (region !== NO_REGION) this.arena.give(region);
  }

  #accepted(fd: number, generation: number, result: number, flags: number): void {
    const acceptor = this.#acceptors.get(fd);
    if (generation !== this.#generation[fd] || acceptor === undefined) {
      if (result >= 0) libc().close(result);
      return;
    }
    const last = (flags & CQE_MORE) === 0;
    if (last) this.#state[fd] &= ~(ARMED | CANCELLING);
    if (result >= 0) acceptor.accepted(result);
    if (!last || (this.#state[fd] & (ARMED | WANTED)) !== WANTED) return;
    // An aborted connection or a full completion queue ends the request; want of descriptors must not spin.
    if (result < 0 && result !== -Errno.ECONNABORTED && result !== -Errno.ECANCELED) {
      this.#state[fd] &= ~WANTED;
      acceptor.refused(-result);
    } else this.#armAccept(fd);
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
    this.#armWake(fd);
    this.#wakers.get(fd)?.();
  }
}
