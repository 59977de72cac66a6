/**
 * Receives of an io_uring, into buffers that the kernel takes from rings: brief ones, small ones, and large ones for
 * whoever filled a small one.
 *
 *     one request for all that comes ──a full buffer, or `hold`──▶ cancelled ──▶ piece by piece, for good
 *
 * One multishot request is the cheapest for those who ask and answer in few bytes. But it takes up to 33 buffers in one
 * go, wanted or not, and only a cancellation stops it. So it has brief buffers of its own, a small part of the memory:
 * where many take much of them the others do without. And where much comes, or somebody does not take it, the reader
 * decides from then on: single receives that begin by waiting (POLL_FIRST), each armed when the one before has completed.
 */
import { type Arena, BRIEF, LARGE, NO_REGION, SMALL } from "./arena.ts";
import { Errno } from "./errno.ts";
import type { Endpoint } from "./io.ts";
import { CQE_BUFFER, CQE_BUFFER_SHIFT, CQE_MORE } from "./uring_abi.ts";
import { UringBuffers } from "./uring_buffers.ts";
import { RECEIVE, RECEIVE_ALL, RECEIVE_LARGE, type UringRequests } from "./uring_requests.ts";
import { ARMED, FILLED, PIECEWISE, STARVED, type UringTable, WANTED } from "./uring_table.ts";

const BRIEF_DEPTH = 64;
const SMALL_DEPTH = 64;
const LARGE_DEPTH = 8;

export class UringReceives implements Disposable {
  readonly #requests: UringRequests;
  readonly #arena: Arena;
  readonly #endpoints: (Endpoint | null)[];
  readonly #state: Uint8Array;
  readonly #generation: Int32Array;
  readonly #brief: UringBuffers;
  readonly #small: UringBuffers;
  readonly #large: UringBuffers;
  /** Descriptors that found no buffer, in the order they came. */
  readonly #starved: number[] = [];

  constructor(ringFd: number, requests: UringRequests, arena: Arena, table: UringTable) {
    this.#requests = requests;
    this.#arena = arena;
    this.#endpoints = table.endpoints;
    this.#state = table.state;
    this.#generation = table.generation;
    this.#brief = new UringBuffers(ringFd, arena, BRIEF, BRIEF_DEPTH);
    this.#small = new UringBuffers(ringFd, arena, SMALL, SMALL_DEPTH);
    this.#large = new UringBuffers(ringFd, arena, LARGE, LARGE_DEPTH);
  }

  /** Buffers that the kernel has. */
  get offered(): number {
    return this.#brief.offered + this.#small.offered + this.#large.offered;
  }

  receive(fd: number): void {
    const state = this.#state[fd] | WANTED;
    this.#state[fd] = state;
    if ((state & (ARMED | STARVED)) === 0) this.#arm(fd);
  }

  hold(fd: number): void {
    this.#state[fd] &= ~WANTED;
    this.#goPiecewise(fd);
  }

  /** Offers free buffers to the kernel, and arms those that found none before. */
  refill(): void {
    this.#brief.refill();
    this.#small.refill();
    this.#large.refill();
    if (this.#starved.length > 0) this.#feed();
  }

  /** @param kind which ring the request was to take its buffer from */
  received(fd: number, generation: number, result: number, flags: number, kind: number): void {
    const buffers = kind === RECEIVE_ALL ? this.#brief : kind === RECEIVE ? this.#small : this.#large;
    const region = (flags & CQE_BUFFER) !== 0 ? buffers.taken(flags >>> CQE_BUFFER_SHIFT) : NO_REGION;
    const endpoint = this.#endpoints[fd];
    if (generation !== this.#generation[fd] || endpoint === null) {
      if (region !== NO_REGION) this.#arena.give(region);
      return;
    }
    if ((flags & CQE_MORE) === 0) this.#state[fd] &= ~ARMED;
    if (result > 0) {
      if (result === buffers.size) {
        this.#state[fd] |= FILLED;
        this.#goPiecewise(fd);
      }
      endpoint.received(region, this.#arena.start(region), result);
      if (generation === this.#generation[fd]) this.#rearm(fd);
      return;
    }
    if (region !== NO_REGION) this.#arena.give(region);
    switch (result) {
      case -Errno.ENOBUFS:
        buffers.ranDry();
        // Memory is short: who waits for some waits for what everybody is served from.
        if (buffers === this.#brief && !buffers.available) this.#state[fd] |= PIECEWISE;
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

  [Symbol.dispose](): void {
    this.#brief[Symbol.dispose]();
    this.#small[Symbol.dispose]();
    this.#large[Symbol.dispose]();
  }

  #arm(fd: number): void {
    const state = this.#state[fd];
    if ((state & PIECEWISE) === 0) {
      this.#state[fd] = state | ARMED;
      return this.#requests.receiveAll(fd);
    }
    const filled = (state & FILLED) !== 0;
    const large = filled && this.#large.available;
    this.#state[fd] = (state & ~FILLED) | ARMED;
    this.#requests.receive(fd, large ? RECEIVE_LARGE : RECEIVE, large ? LARGE : SMALL, filled);
  }

  #goPiecewise(fd: number): void {
    const state = this.#state[fd];
    if ((state & PIECEWISE) !== 0) return;
    this.#state[fd] = state | PIECEWISE;
    if ((state & ARMED) !== 0) this.#requests.cancelReceive(fd);
  }

  #rearm(fd: number): void {
    const state = this.#state[fd];
    if ((state & (WANTED | ARMED | STARVED)) === WANTED) this.#arm(fd);
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
}
