/** What an io_uring has under way on each descriptor. */
import type { Endpoint } from "./io.ts";

/** Bits of `state`. */
export const ARMED = 1;
/** Of a listener: ARMED is about to end. */
export const CANCELLING = 2;
/** Somebody wants to receive or accept: armed again when the request under way ends. */
export const WANTED = 4;
/** The last receive filled its buffer: there is more, and larger buffers are worth it. */
export const FILLED = 8;
export const SENDING = 16;
export const CONNECTING = 32;
/** In the queue for buffers. */
export const STARVED = 64;
/** What comes is received piece by piece, each asked for. */
export const PIECEWISE = 128;

export class UringTable {
  readonly endpoints: (Endpoint | null)[] = new Array(1024).fill(null);
  /** Counts the lives of a descriptor number. */
  readonly generation: Int32Array;
  readonly state: Uint8Array;

  constructor(count: number) {
    this.generation = new Int32Array(count);
    this.state = new Uint8Array(count);
  }

  open(fd: number, endpoint: Endpoint): void {
    const endpoints = this.endpoints;
    while (endpoints.length <= fd) endpoints.push(null);
    endpoints[fd] = endpoint;
    this.state[fd] = 0;
  }

  /** What completes from here on was of a former life. */
  close(fd: number): void {
    this.endpoints[fd] = null;
    this.generation[fd]++;
    this.state[fd] = 0;
  }
}
