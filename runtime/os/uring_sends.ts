/** Sends of an io_uring: what is left of each, and whose region it is when the socket was closed meanwhile. */
import { type Arena, NO_REGION } from "./arena.ts";
import { Errno } from "./errno.ts";
import type { Endpoint } from "./io.ts";
import { SEND, type UringRequests } from "./uring_requests.ts";
import { SENDING, type UringTable } from "./uring_table.ts";

export class UringSends {
  readonly #requests: UringRequests;
  readonly #arena: Arena;
  readonly #endpoints: (Endpoint | null)[];
  readonly #state: Uint8Array;
  readonly #generation: Int32Array;
  readonly #start: Int32Array;
  readonly #left: Int32Array;
  readonly #region: Int32Array;
  /** Regions of sends whose socket was closed: user_data as text → region. */
  readonly #orphans = new Map<string, number>();

  constructor(requests: UringRequests, arena: Arena, table: UringTable) {
    this.#requests = requests;
    this.#arena = arena;
    this.#endpoints = table.endpoints;
    this.#state = table.state;
    this.#generation = table.generation;
    const count = table.state.length;
    this.#start = new Int32Array(count);
    this.#left = new Int32Array(count);
    this.#region = new Int32Array(count);
  }

  send(fd: number, start: number, length: number, region: number): void {
    this.#state[fd] |= SENDING;
    this.#start[fd] = start;
    this.#left[fd] = length;
    this.#region[fd] = region;
    this.#requests.send(fd, start, length);
  }

  /** The socket is about to be closed: the kernel may still read what is being sent. */
  orphan(fd: number): void {
    if ((this.#state[fd] & SENDING) === 0) return;
    this.#orphans.set(`${SEND | fd}:${this.#generation[fd]}`, this.#region[fd]);
  }

  sent(fd: number, generation: number, result: number): void {
    if (generation !== this.#generation[fd]) {
      this.#released(`${SEND | fd}:${generation}`);
      return;
    }
    const endpoint = this.#endpoints[fd];
    if (endpoint === null) return;
    const left = this.#left[fd];
    if (result === left) {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(0);
    } else if (result > 0) {
      const start = this.#start[fd] + result;
      this.#start[fd] = start;
      this.#left[fd] = left - result;
      this.#requests.send(fd, start, left - result);
      endpoint.progressed();
    } else if (result === -Errno.EINTR || result === -Errno.EAGAIN) {
      this.#requests.send(fd, this.#start[fd], left);
    } else {
      this.#state[fd] &= ~SENDING;
      endpoint.sent(result === 0 ? Errno.EPIPE : -result);
    }
  }

  #released(orphan: string): void {
    const region = this.#orphans.get(orphan);
    if (region === undefined) return;
    this.#orphans.delete(orphan);
    if (region !== NO_REGION) this.#arena.give(region);
  }
}
