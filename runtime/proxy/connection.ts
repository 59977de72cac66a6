/**
 * One socket of the data plane: a queue of what is to be sent, and back-pressure towards whoever fills it. What is
 * received and what it means is up to the two kinds, clients and origins.
 */
import { NO_REGION } from "../os/arena.ts";
import type { Endpoint } from "../os/io.ts";
import { ackedBytes, hasUnacked } from "../os/socket_options.ts";
import type { Engine } from "./engine.ts";
import { giveSegment, type Segment, takeSegment } from "./segment.ts";
import { Timed } from "./timer_wheel.ts";

/** Most octets of a piece of what is ours. */
const PIECE = 16 * 1024;

export abstract class Connection extends Timed implements Endpoint {
  fd = -1;
  /** Pieces to send, the one under way included. */
  pending = 0;
  /** Octets given to `push` so far. */
  pushed = 0;
  /** A region that `sent` leaves alone, because it may have to be sent again. */
  retained = NO_REGION;
  /** What the peer had acknowledged when that was last looked at; −1 = not yet. */
  #acked = -1;
  /** Whether receiving was stopped because the other side does not take. */
  paused = false;
  /** What is under way. */
  #region = NO_REGION;
  #length = 0;
  /** What waits behind it. */
  #first: Segment | null = null;
  #last: Segment | null = null;

  constructor(protected readonly engine: Engine) {
    super();
  }

  abstract received(region: number, start: number, length: number): void;
  abstract ended(errno: number): void;
  abstract connected(errno: number): void;
  /** A send failed: nothing more can be sent. */
  protected abstract broke(errno: number): void;
  /** A piece was taken, or a part of one. */
  protected abstract moved(): void;

  /** Whether `region` is being sent at this moment. */
  isSending(region: number): boolean {
    return this.pending > 0 && this.#region === region;
  }

  /** Whether the other side should stop sending us more to pass on. */
  get full(): boolean {
    return this.pending >= this.engine.depth;
  }

  /** Sends a piece after those before it; `region` is given back when it was sent. */
  push(start: number, length: number, region: number): void {
    this.pushed += length;
    if (this.pending++ > 0) {
      const segment = takeSegment(start, length, region);
      if (this.#last === null) this.#first = segment;
      else this.#last.next = segment;
      this.#last = segment;
      return;
    }
    this.#region = region;
    this.#length = length;
    this.engine.io.send(this.fd, start, length, region);
  }

  /** Sends a copy of `bytes[0, end)`; false where there is no memory for it. */
  pushCopy(bytes: Uint8Array, end = bytes.length): boolean {
    const { arena } = this.engine.io;
    for (let at = 0; at < end; at += PIECE) {
      const length = Math.min(PIECE, end - at);
      const region = this.engine.takeRegion(length);
      if (region === NO_REGION) return false;
      arena.bytes.set(bytes.subarray(at, at + length), arena.start(region));
      this.push(arena.start(region), length, region);
    }
    return true;
  }

  sent(errno: number): void {
    const region = this.#region;
    this.#region = NO_REGION;
    this.pending--;
    if (region !== NO_REGION && region !== this.retained) this.engine.io.give(region);
    if (errno !== 0) {
      this.#drop();
      this.broke(errno);
      return;
    }
    this.#acked = -1;
    this.tookBytes(this.#length);
    const next = this.#first;
    if (next !== null) {
      this.#first = next.next;
      if (this.#first === null) this.#last = null;
      this.#region = next.region;
      this.#length = next.length;
      this.engine.io.send(this.fd, next.start, next.length, next.region);
      giveSegment(next);
    }
    this.moved();
  }

  progressed(): void {
    this.moved();
  }

  /**
   * Whether the peer goes on taking what we send, asked when a time-out is over. A slow reader takes from the kernel's
   * buffer for minutes before there is room for the next piece: only acknowledgements tell it from a dead one. The
   * first time says yes, to have something to compare with.
   */
  stillTakes(): boolean {
    return this.pending > 0 && this.#advances();
  }

  /** As `stillTakes`, also of what was left to the kernel. */
  stillTakesAll(): boolean {
    return (this.pending > 0 || hasUnacked(this.fd)) && this.#advances();
  }

  #advances(): boolean {
    const before = this.#acked;
    this.#acked = ackedBytes(this.fd);
    return before < 0 || this.#acked > before;
  }

  /** Receives again. */
  resume(): void {
    this.paused = false;
    this.engine.io.receive(this.fd);
  }

  /** Stops receiving until `resume`. */
  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.engine.io.hold(this.fd);
  }

  /** After a piece was passed on to `sink`: waits for it if it has enough. */
  pace(sink: Connection): void {
    if (sink.full) this.pause();
    else if (this.paused) this.resume();
  }

  protected tookBytes(_length: number): void {}

  /** Closes the socket, with a reset if the peer must not take what it has for the whole. */
  protected shut(reset: boolean): void {
    this.engine.wheel.disarm(this);
    this.#drop();
    const fd = this.fd;
    this.fd = -1;
    if (reset) this.engine.io.abort(fd);
    else this.engine.io.close(fd);
    // The Io gives back what is under way.
    this.#region = NO_REGION;
    this.pending = 0;
    this.retained = NO_REGION;
    this.paused = false;
  }

  #drop(): void {
    for (let segment = this.#first; segment !== null;) {
      const next: Segment | null = segment.next;
      if (segment.region !== NO_REGION && segment.region !== this.retained) this.engine.io.give(segment.region);
      giveSegment(segment);
      this.pending--;
      segment = next;
    }
    this.#first = this.#last = null;
  }
}
