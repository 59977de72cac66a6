/** Bytes that came before they could be used: of a body until the origin takes them, or of the next request. */
import type { Io } from "../os/io.ts";
import { giveSegment, type Segment, takeSegment } from "./segment.ts";

export class Stash {
  /** Pieces. */
  count = 0;
  #first: Segment | null = null;
  #last: Segment | null = null;

  /** Behind all the others. */
  add(region: number, start: number, length: number): void {
    const segment = takeSegment(start, length, region);
    if (this.#last === null) this.#first = segment;
    else this.#last.next = segment;
    this.#last = segment;
    this.count++;
  }

  /** In front of all the others. */
  putBack(region: number, start: number, length: number): void {
    const segment = takeSegment(start, length, region);
    segment.next = this.#first;
    this.#first = segment;
    if (this.#last === null) this.#last = segment;
    this.count++;
  }

  /** The oldest, or null. The caller gives the segment back. */
  take(): Segment | null {
    const segment = this.#first;
    if (segment === null) return null;
    this.#first = segment.next;
    if (this.#first === null) this.#last = null;
    this.count--;
    return segment;
  }

  /** Gives everything back; whether there was something. */
  clear(io: Io): boolean {
    const any = this.count > 0;
    for (let segment = this.take(); segment !== null; segment = this.take()) {
      io.give(segment.region);
      giveSegment(segment);
    }
    return any;
  }
}
