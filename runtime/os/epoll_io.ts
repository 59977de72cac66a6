/**
 * Io by epoll, edge-triggered: a descriptor is registered once, readiness is remembered, and the calls themselves are
 * made within `wait`, so that results are reported as by io_uring. For kernels and containers without io_uring.
 */
import { Arena, LARGE, NO_REGION, SMALL } from "./arena.ts";
import { Descriptors } from "./descriptors.ts";
import { check, Errno, errno } from "./errno.ts";
import type { Acceptor, Endpoint, Io, IoOptions } from "./io.ts";
import { type Libc, libc } from "./libc.ts";
import { mapLow, type Mapping } from "./memory.ts";
import { setBlocking, setReset } from "./socket_options.ts";

const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_ERROR = 4;

const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x8000_0000 | 0;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;

/** Words of struct epoll_event: packed on x86-64 only. */
const EVENT_WORDS = Deno.build.arch === "x86_64" ? 3 : 4;
const EVENT_DATA = Deno.build.arch === "x86_64" ? 1 : 2;
const EVENTS = 512;
/** Connections accepted from one listener in one turn, so that a flood does not starve those that are served. */
const ACCEPTS = 64;

/** What is known of and wanted from a descriptor, as bits of `#state`. */
const READABLE = 1;
const WRITABLE = 2;
const WANTED = 4;
/** The last receive filled its region: there is more, and larger ones are worth it. */
const FILLED = 8;
const SENDING = 16;
const CONNECTING = 32;
/** In the list of descriptors with work to do. */
const LISTED = 64;
/** The peer ended its stream or the socket failed: a short read does not mean there is no more to learn. */
const HANGUP = 128;

export class EpollIo implements Io {
  readonly name = "epoll";
  readonly socketFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  readonly arena: Arena;
  readonly offered = 0;
  readonly #libc: Libc = libc();
  readonly #epoll: number;
  readonly #memory: Mapping;
  readonly #events: Int32Array;
  readonly #descriptors: Descriptors;
  readonly #endpoints: (Endpoint | null)[] = new Array(1024).fill(null);
  readonly #state: Uint8Array;
  readonly #sendStart: Int32Array;
  readonly #sendLeft: Int32Array;
  readonly #sendRegion: Int32Array;
  readonly #acceptors = new Map<number, Acceptor>();
  readonly #wakers = new Map<number, () => void>();
  readonly #event = new Int32Array(EVENT_WORDS);
  readonly #error = new Int32Array(1);
  readonly #errorLength = new Int32Array(1);
  readonly #counter = new Uint8Array(8);
  /** Descriptors that found no region to receive into, oldest first. */
  readonly #starved: number[] = [];
  /** Descriptors with something to do now; `#later` gathers those of the next turn. */
  #work: number[] = [];
  #later: number[] = [];
  /** How much of `#work` has been done, and the descriptor of the last. */
  #done = 0;
  #current = 0;

  constructor(options: IoOptions, readonly reason: string) {
    this.arena = new Arena(options.arena ?? 192 << 20);
    this.#descriptors = new Descriptors(options);
    this.#epoll = check(libc().epoll_create1(0x80000), "epoll_create1", "Cannot open epoll");
    this.#descriptors.own(this.#epoll);
    this.#memory = mapLow(EVENTS * EVENT_WORDS * 4);
    this.#events = new Int32Array(this.#memory.buffer);
    const count = this.#descriptors.count;
    this.#state = new Uint8Array(count);
    this.#sendStart = new Int32Array(count);
    this.#sendLeft = new Int32Array(count);
    this.#sendRegion = new Int32Array(count);
  }

  accept(fd: number, acceptor: Acceptor): void {
    setBlocking(fd, false);
    if (!this.#acceptors.has(fd)) this.#register(fd, EPOLLIN | EPOLLET);
    this.#acceptors.set(fd, acceptor);
    // Connections may have come before this: the first call tells.
    this.#state[fd] |= WANTED | READABLE;
    this.#list(fd);
  }

  pause(fd: number): void {
    this.#state[fd] &= ~WANTED;
  }

  forget(fd: number): void {
    this.#libc.epoll_ctl(this.#epoll, EPOLL_CTL_DEL, fd, this.#event);
    this.#acceptors.delete(fd);
    this.#state[fd] = 0;
  }

  /** What waits in the kernel is not accepted any more. */
  get accepting(): boolean {
    return false;
  }

  watch(fd: number, woken: () => void): void {
    setBlocking(fd, false);
    this.#wakers.set(fd, woken);
    this.#register(fd, EPOLLIN | EPOLLET);
  }

  open(fd: number, endpoint: Endpoint): void {
    this.#descriptors.own(fd);
    const endpoints = this.#endpoints;
    while (endpoints.length <= fd) endpoints.push(null);
    endpoints[fd] = endpoint;
    // An accepted socket can be written at once; whether it can be read is told by the first event.
    this.#state[fd] = WRITABLE;
    this.#register(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }

  connect(fd: number, start: number, length: number): void {
    this.#state[fd] = CONNECTING;
    const result = this.#libc.connect(fd, this.arena.bytes.subarray(start, start + length), length);
    const cause = result < 0 ? errno() : 0;
    this.#sendLeft[fd] = cause === Errno.EINPROGRESS ? 0 : cause;
    if (cause === Errno.EINPROGRESS) return;
    // Reported in `report`, as everything is.
    this.#state[fd] |= WRITABLE;
    this.#list(fd);
  }

  receive(fd: number): void {
    this.#state[fd] |= WANTED;
    if ((this.#state[fd] & (READABLE | HANGUP)) !== 0) this.#list(fd);
  }

  hold(fd: number): void {
    this.#state[fd] &= ~WANTED;
  }

  send(fd: number, start: number, length: number, region: number): void {
    this.#sendStart[fd] = start;
    this.#sendLeft[fd] = length;
    this.#sendRegion[fd] = region;
    this.#state[fd] |= SENDING;
    this.#list(fd);
  }

  finish(fd: number): void {
    this.#libc.shutdown(fd, SHUT_WR);
  }

  close(fd: number): void {
    if ((this.#state[fd] & SENDING) !== 0 && this.#sendRegion[fd] !== NO_REGION) this.give(this.#sendRegion[fd]);
    this.#endpoints[fd] = null;
    this.#state[fd] &= LISTED;
    this.#libc.close(fd);
    this.#descriptors.disown(fd);
  }

  abort(fd: number): void {
    setReset(fd);
    this.close(fd);
  }

  give(region: number): void {
    this.arena.give(region);
    const fd = this.#starved.length > 0 ? this.#starved.shift() : undefined;
    if (fd === undefined) return;
    this.#state[fd] |= READABLE;
    this.#list(fd);
  }

  wait(ms: number): void {
    const timeout = this.#later.length > 0 || this.#work.length > 0 ? 0 : Math.ceil(ms);
    const count = this.#libc.epoll_wait_at(this.#epoll, this.#memory.address, EVENTS, timeout);
    const events = this.#events;
    for (let i = 0, at = 0; i < count; i++, at += EVENT_WORDS) this.#note(events[at + EVENT_DATA], events[at]);
  }

  report(): void {
    if (this.#done === this.#work.length) {
      // A descriptor listed while this list is worked off is seen in the next turn, without waiting.
      this.#work.length = this.#done = 0;
      [this.#work, this.#later] = [this.#later, this.#work];
    }
    const work = this.#work;
    while (this.#done < work.length) {
      const fd = work[this.#done++];
      this.#current = fd;
      this.#state[fd] &= ~LISTED;
      this.#serve(fd);
    }
    this.#work.length = this.#done = 0;
  }

  culprit(): Endpoint | null {
    return this.#endpoints[this.#current] ?? null;
  }

  [Symbol.dispose](): void {
    for (let fd = 0; fd < this.#endpoints.length; fd++) {
      if (this.#endpoints[fd] === null) continue;
      this.#libc.close(fd);
      this.#descriptors.disown(fd);
    }
    this.#endpoints.length = 0;
    this.#descriptors.disown(this.#epoll);
    this.#libc.close(this.#epoll);
    this.#memory[Symbol.dispose]();
    this.arena[Symbol.dispose]();
  }

  #register(fd: number, events: number): void {
    this.#event[0] = events;
    this.#event[EVENT_DATA] = fd;
    const result = this.#libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, this.#event);
    check(result, "epoll_ctl", `Cannot watch descriptor ${fd}`);
  }

  #list(fd: number): void {
    if ((this.#state[fd] & LISTED) !== 0) return;
    this.#state[fd] |= LISTED;
    this.#later.push(fd);
  }

  #note(fd: number, events: number): void {
    let bits = 0;
    if ((events & EPOLLIN) !== 0) bits |= READABLE;
    if ((events & EPOLLOUT) !== 0) bits |= WRITABLE;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) bits |= HANGUP;
    this.#state[fd] |= bits;
    this.#list(fd);
  }

  #serve(fd: number): void {
    const endpoint = this.#endpoints[fd] ?? null;
    if (endpoint === null) {
      if (this.#acceptors.has(fd)) this.#acceptAll(fd);
      else if (this.#wakers.has(fd)) this.#wake(fd);
      return;
    }
    if ((this.#state[fd] & CONNECTING) !== 0) {
      if ((this.#state[fd] & (WRITABLE | HANGUP)) !== 0) this.#concludeConnect(fd, endpoint);
      return;
    }
    // Each step may close the socket, and the number may even belong to another endpoint by then.
    if ((this.#state[fd] & (SENDING | WRITABLE)) === (SENDING | WRITABLE)) this.#sendNow(fd, endpoint);
    if (this.#endpoints[fd] !== endpoint) return;
    const state = this.#state[fd];
    if ((state & WANTED) !== 0 && (state & (READABLE | HANGUP)) !== 0) this.#receiveNow(fd, endpoint);
    if (this.#endpoints[fd] !== endpoint) return;
    const after = this.#state[fd];
    const more = (after & WANTED) !== 0 && (after & READABLE) !== 0;
    if (more || (after & (SENDING | WRITABLE)) === (SENDING | WRITABLE)) this.#list(fd);
  }

  #concludeConnect(fd: number, endpoint: Endpoint): void {
    let cause = this.#sendLeft[fd];
    if (cause === 0) {
      this.#errorLength[0] = 4;
      this.#libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#error, this.#errorLength);
      cause = this.#error[0];
    }
    this.#sendLeft[fd] = 0;
    this.#state[fd] = cause === 0 ? (this.#state[fd] & ~CONNECTING) | WRITABLE : 0;
    endpoint.connected(cause);
  }

  #sendNow(fd: number, endpoint: Endpoint): void {
    const left = this.#sendLeft[fd];
    const start = this.#sendStart[fd];
    const result = this.#libc.send_at(fd, this.arena.address + start, left, MSG_NOSIGNAL);
    if (result === left) {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(0);
      return;
    }
    if (result >= 0) {
      // A short send means a full socket: the next edge says when there is room.
      this.#state[fd] &= ~WRITABLE;
      this.#sendStart[fd] = start + result;
      this.#sendLeft[fd] = left - result;
      endpoint.progressed();
      return;
    }
    const cause = errno();
    if (cause === Errno.EAGAIN) this.#state[fd] &= ~WRITABLE;
    else if (cause !== Errno.EINTR) {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(cause);
    }
  }

  #receiveNow(fd: number, endpoint: Endpoint): void {
    const arena = this.arena;
    const filled = (this.#state[fd] & FILLED) !== 0;
    let region = arena.take(filled ? LARGE : SMALL);
    if (region === NO_REGION) region = arena.take(filled ? SMALL : LARGE);
    if (region === NO_REGION) {
      // Nothing to receive into until somebody gives a region back.
      this.#state[fd] &= ~READABLE;
      this.#starved.push(fd);
      return;
    }
    const start = arena.start(region);
    const size = arena.size(region);
    const result = this.#libc.recv_at(fd, arena.address + start, size, 0);
    if (result > 0) {
      if (result === size) this.#state[fd] |= FILLED;
      else this.#state[fd] &= (this.#state[fd] & HANGUP) === 0 ? ~(READABLE | FILLED) : ~FILLED;
      endpoint.received(region, start, result);
      return;
    }
    const cause = result === 0 ? 0 : errno();
    this.give(region);
    if (cause === Errno.EINTR) return;
    if (cause === Errno.EAGAIN) {
      this.#state[fd] &= ~(READABLE | HANGUP);
      return;
    }
    this.#state[fd] &= ~(READABLE | WANTED);
    endpoint.ended(cause);
  }

  #acceptAll(fd: number): void {
    for (let i = 0; i < ACCEPTS; i++) {
      const acceptor = this.#acceptors.get(fd);
      if (acceptor === undefined || (this.#state[fd] & WANTED) === 0) return;
      const accepted = this.#libc.accept4(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (accepted >= 0) {
        acceptor.accepted(accepted);
        continue;
      }
      const cause = errno();
      if (cause === Errno.EAGAIN) {
        this.#state[fd] &= ~READABLE;
        return;
      }
      if (cause === Errno.ECONNABORTED || cause === Errno.EINTR) continue;
      this.#state[fd] &= ~WANTED;
      acceptor.refused(cause);
      return;
    }
    this.#list(fd);
  }

  #wake(fd: number): void {
    this.#libc.read(fd, this.#counter, 8n);
    this.#wakers.get(fd)?.();
  }
}
