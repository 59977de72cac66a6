/**
 * Requests of an io_uring as its submissions say them, and what their completions are known by.
 *
 * `user_data` of a request is its operation and descriptor in the low word and the descriptor's generation in the high
 * one. A descriptor number is reused as soon as it is closed, while completions of its former life still arrive: their
 * generation tells.
 */
import { type Arena, BRIEF } from "./arena.ts";
import {
  ACCEPT_MULTISHOT,
  CANCEL_ALL,
  CANCEL_FD,
  OP_ACCEPT,
  OP_ASYNC_CANCEL,
  OP_CLOSE,
  OP_CONNECT,
  OP_READ,
  OP_RECV,
  OP_SEND,
  RECV_MULTISHOT,
  RECVSEND_POLL_FIRST,
  SQE_BUFFER_SELECT,
  SQE_CQE_SKIP_SUCCESS,
} from "./uring_abi.ts";
import type { UringQueue } from "./uring_queue.ts";

const SOCK_CLOEXEC = 0x80000;
const MSG_NOSIGNAL = 0x4000;

/** Operations in user_data, above the descriptor. */
const FD_BITS = 24;
export const FD_MASK = (1 << FD_BITS) - 1;
export const RECEIVE = 1 << FD_BITS;
export const RECEIVE_LARGE = 2 << FD_BITS;
export const SEND = 3 << FD_BITS;
export const ACCEPT = 4 << FD_BITS;
export const CONNECT = 5 << FD_BITS;
export const WAKE = 6 << FD_BITS;
export const CANCEL = 7 << FD_BITS;
export const RECEIVE_ALL = 8 << FD_BITS;
/** Nobody looks at the result. */
const QUIET = 9 << FD_BITS;

export class UringRequests {
  readonly #queue: UringQueue;
  readonly #sqes: Int32Array;
  readonly #arena: Arena;
  readonly #generation: Int32Array;

  constructor(queue: UringQueue, arena: Arena, generation: Int32Array) {
    this.#queue = queue;
    this.#sqes = queue.sqes;
    this.#arena = arena;
    this.#generation = generation;
  }

  /** Answers once for each connection, until it is cancelled or fails. */
  accept(fd: number): void {
    const at = this.#prepare(OP_ACCEPT, fd, 0, 0, ACCEPT);
    this.#sqes[at] |= ACCEPT_MULTISHOT << 16;
    this.#sqes[at + 7] = SOCK_CLOEXEC;
  }

  /** Ends `accept`. An answer to this comes only where there was nothing to end. */
  cancelAccept(fd: number): void {
    const at = this.#prepare(OP_ASYNC_CANCEL, -1, ACCEPT | fd, 0, CANCEL | fd);
    this.#sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
    this.#sqes[at + 5] = this.#generation[fd]; // addr, high word
    this.#sqes[at + 9] = this.#generation[fd];
  }

  /** @param start where in the arena the sockaddr is, of `length` bytes */
  connect(fd: number, start: number, length: number): void {
    const at = this.#prepare(OP_CONNECT, fd, this.#arena.address + start, 0, CONNECT);
    this.#sqes[at + 2] = length; // addr2
  }

  /** Answers each time that something comes, until it is cancelled, fails or finds no buffer. */
  receiveAll(fd: number): void {
    const at = this.#prepare(OP_RECV, fd, 0, 0, RECEIVE_ALL);
    this.#sqes[at] |= (SQE_BUFFER_SELECT << 8) | ((RECV_MULTISHOT | RECVSEND_POLL_FIRST) << 16);
    this.#sqes[at + 10] = BRIEF; // buf_group
  }

  /** Ends `receiveAll`, which completes a last time then. */
  cancelReceive(fd: number): void {
    const at = this.#prepare(OP_ASYNC_CANCEL, -1, RECEIVE_ALL | fd, 0, QUIET);
    this.#sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
    this.#sqes[at + 5] = this.#generation[fd]; // addr, high word
  }

  /** Into a buffer of group `group`. `ready`: there is something to receive, so that waiting first would be for nothing. */
  receive(fd: number, kind: typeof RECEIVE | typeof RECEIVE_LARGE, group: number, ready: boolean): void {
    const at = this.#prepare(OP_RECV, fd, 0, 0, kind);
    const pollFirst = ready ? 0 : RECVSEND_POLL_FIRST << 16;
    this.#sqes[at] |= (SQE_BUFFER_SELECT << 8) | pollFirst;
    this.#sqes[at + 10] = group; // buf_group
  }

  send(fd: number, start: number, length: number): void {
    const at = this.#prepare(OP_SEND, fd, this.#arena.address + start, length, SEND);
    this.#sqes[at + 7] = MSG_NOSIGNAL;
  }

  /** Reads an eventfd's eight bytes to `address`. */
  wake(fd: number, address: number): void {
    const at = this.#prepare(OP_READ, fd, address, 8, WAKE);
    this.#sqes[at + 2] = -1; // offset: none
    this.#sqes[at + 3] = -1;
  }

  /** Closes; `busy`: requests under way hold the socket open, without their end the peer would see no FIN. */
  close(fd: number, busy: boolean): void {
    if (busy) {
      const at = this.#prepare(OP_ASYNC_CANCEL, fd, 0, 0, QUIET);
      this.#sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
      this.#sqes[at + 7] = CANCEL_FD | CANCEL_ALL;
    }
    const at = this.#prepare(OP_CLOSE, fd, 0, 0, QUIET);
    this.#sqes[at] |= SQE_CQE_SKIP_SUCCESS << 8;
  }

  /** Fills a submission; words that an operation does not use are zero. */
  #prepare(operation: number, fd: number, address: number, length: number, kind: number): number {
    const at = this.#queue.next();
    const sqes = this.#sqes;
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
}
