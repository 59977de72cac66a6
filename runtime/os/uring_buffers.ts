/**
 * A ring of buffers from which the kernel takes one whenever something arrives: no connection holds a buffer while it is
 * idle. The ring is kept shallow, so that the same few buffers stay in the cache; it grows when it ran dry, and shrinks
 * when it has not for long.
 *
 *     struct io_uring_buf { u64 addr; u32 len; u16 bid; u16 resv }     the first one's resv is the ring's tail
 */
import { type Arena, NO_REGION, numberOf, regionOf } from "./arena.ts";
import { check } from "./errno.ts";
import { libc } from "./libc.ts";
import { mapLow, type Mapping } from "./memory.ts";
import { REGISTER_PBUF_RING } from "./uring_abi.ts";

const IO_URING_REGISTER = 427;
const MAX_ENTRIES = 32768;
/** Refills after which a ring that did not run dry offers half as much. */
const CALM = 4096;

export class UringBuffers implements Disposable {
  readonly #arena: Arena;
  readonly #kind: number;
  readonly #memory: Mapping;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  readonly #mask: number;
  readonly #size: number;
  /** Buffers the kernel should find. */
  #depth: number;
  readonly #least: number;
  #dry = false;
  /** Refills since it ran dry, or shrank. */
  #calm = 0;
  #offered = 0;
  #tail = 0;

  /** Registers the ring as buffer group `kind`, offering regions of class `kind`. */
  constructor(ringFd: number, arena: Arena, kind: number, depth: number) {
    this.#arena = arena;
    this.#kind = kind;
    this.#size = arena.sizeOf(kind);
    this.#depth = this.#least = depth;
    const entries = Math.min(MAX_ENTRIES, 1 << (32 - Math.clz32(arena.count(kind) - 1)));
    this.#mask = entries - 1;
    this.#memory = mapLow(entries * 16);
    this.#words = new Int32Array(this.#memory.buffer);
    this.#halves = new Uint16Array(this.#memory.buffer);
    // struct io_uring_buf_reg { u64 ring_addr; u32 ring_entries; u16 bgid; u16 flags; u64 resv[3] }
    const registration = new Uint8Array(40);
    const view = new DataView(registration.buffer);
    view.setUint32(0, this.#memory.address, true);
    view.setUint32(8, entries, true);
    view.setUint16(12, kind, true);
    const result = libc().io_uring_register(IO_URING_REGISTER, ringFd, REGISTER_PBUF_RING, registration, 1);
    check(result, "io_uring_register", "Cannot register a ring of receive buffers");
    this.refill();
  }

  /** Bytes of a buffer. */
  get size(): number {
    return this.#size;
  }

  /** Buffers the kernel has now. */
  get offered(): number {
    return this.#offered;
  }

  /** Whether a request would find a buffer, now or after the next `refill`. */
  get available(): boolean {
    return this.#offered > 0 || this.#arena.left(this.#kind) > 0;
  }

  /** The kernel took buffer `number`. */
  taken(number: number): number {
    this.#offered--;
    return regionOf(this.#kind, number);
  }

  /** The kernel found none: there will be more, while the arena has them. */
  ranDry(): void {
    this.#dry = true;
  }

  /** Offers free regions up to the depth. */
  refill(): void {
    if (this.#dry || ++this.#calm === CALM) this.#adapt();
    const depth = Math.min(this.#depth, this.#mask + 1);
    if (this.#offered >= depth) return;
    const arena = this.#arena;
    while (this.#offered < depth) {
      const region = arena.take(this.#kind);
      if (region === NO_REGION) break;
      const at = (this.#tail & this.#mask) * 4;
      this.#words[at] = arena.address + arena.start(region);
      this.#words[at + 1] = 0;
      this.#words[at + 2] = this.#size;
      this.#halves[(at + 3) * 2] = numberOf(region);
      this.#tail = (this.#tail + 1) & 0xffff;
      this.#offered++;
    }
    // Entries before the tail: the halfword store is atomic, and the kernel reads it within our own io_uring_enter.
    this.#halves[7] = this.#tail;
  }

  #adapt(): void {
    if (!this.#dry) this.#depth = Math.max(this.#least, this.#depth >> 1);
    else if (this.#depth < this.#arena.count(this.#kind)) this.#depth *= 2;
    this.#dry = false;
    this.#calm = 0;
  }

  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}
