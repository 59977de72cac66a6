/**
 * One reach of memory for everything that is received and sent: a single typed array, so that a place in it is one
 * small integer, code that reads it is monomorphic, and heads and bodies are copied within it without view objects.
 *
 *     | small receive buffers 16 KiB × n | large receive buffers × m | slabs 4 KiB × s | wide slabs × w | brief × b |
 *
 * A *region* names one piece (its class in the upper bits, its number below) and is what is given back. Most of the
 * arena is address space only: a page costs memory when it is first used, and the pieces used last are used first.
 */
import { mapLow, type Mapping } from "./memory.ts";

/** No region: bytes that nobody gives back. */
export const NO_REGION = -1;

/** Received bytes of whatever comes. */
export const SMALL = 0;
/** Received bytes of a long body. */
export const LARGE = 1;
/** Heads and small bodies on their way out. */
export const SLAB = 2;
/** Heads that came in pieces, or are larger than a slab. */
export const WIDE = 3;
/** Received bytes of those who say little at a time. */
export const BRIEF = 4;

export const SMALL_SIZE = 16 * 1024;
export const LARGE_SIZE = 128 * 1024;
export const SLAB_SIZE = 4 * 1024;
/** What is missing of the longest head, and a large receive buffer behind it. */
export const WIDE_SIZE = LARGE_SIZE + 32 * 1024;
export const BRIEF_SIZE = 4 * 1024;

const CLASS_SHIFT = 20;
const NUMBER_MASK = (1 << CLASS_SHIFT) - 1;
const SIZES = [SMALL_SIZE, LARGE_SIZE, SLAB_SIZE, WIDE_SIZE, BRIEF_SIZE] as const;

export class Arena implements Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of byte 0, below 2 GiB. */
  readonly address: number;
  readonly #memory: Mapping;
  readonly #bases: Int32Array;
  readonly #counts: Int32Array;
  readonly #free: readonly Int32Array[];
  readonly #taken: readonly Uint8Array[];
  readonly #freeCount = new Int32Array(SIZES.length);

  /** An arena of about `size` bytes: 6/16 small, 4/16 large, 3/16 slabs, 2/16 wide, 1/16 brief. */
  constructor(size: number) {
    const shares = [0.375, 0.25, 0.1875, 0.125, 0.0625];
    this.#counts = Int32Array.from(SIZES, (each, kind) => Math.max(8, Math.floor(size * shares[kind] / each)));
    this.#bases = new Int32Array(SIZES.length);
    let length = 0;
    for (let kind = 0; kind < SIZES.length; kind++) {
      this.#bases[kind] = length;
      length += this.#counts[kind] * SIZES[kind];
    }
    this.#memory = mapLow(length);
    this.address = this.#memory.address;
    this.bytes = new Uint8Array(this.#memory.buffer);
    // Stacks with the lowest number on top: memory stays compact and warm.
    this.#free = SIZES.map((_, kind) =>
      Int32Array.from({ length: this.#counts[kind] }, (_, i) => this.#counts[kind] - 1 - i)
    );
    this.#freeCount.set(this.#counts);
    this.#taken = SIZES.map((_, kind) => new Uint8Array(this.#counts[kind]));
  }

  /** A region of this class, or NO_REGION when all are in use. */
  take(kind: number): number {
    const left = this.#freeCount[kind];
    if (left === 0) return NO_REGION;
    this.#freeCount[kind] = left - 1;
    const number = this.#free[kind][left - 1];
    this.#taken[kind][number] = 1;
    return (kind << CLASS_SHIFT) | number;
  }

  /** @throws {RangeError} when the region is not in use: two owners of one would mix up two clients' bytes. */
  give(region: number): void {
    const kind = region >> CLASS_SHIFT;
    const taken = this.#taken[kind];
    if (taken[region & NUMBER_MASK] !== 1) throw new RangeError(`Cannot give region ${region} back: it is not in use`);
    taken[region & NUMBER_MASK] = 0;
    this.#free[kind][this.#freeCount[kind]++] = region & NUMBER_MASK;
  }

  /** Where the region begins in `bytes`. */
  start(region: number): number {
    const kind = region >> CLASS_SHIFT;
    return this.#bases[kind] + (region & NUMBER_MASK) * SIZES[kind];
  }

  size(region: number): number {
    return SIZES[region >> CLASS_SHIFT];
  }

  /** Bytes of a region of this class. */
  sizeOf(kind: number): number {
    return SIZES[kind];
  }

  /** Regions of a class that are free. */
  left(kind: number): number {
    return this.#freeCount[kind];
  }

  /** Regions in use, of all classes; those that an Io has offered to the kernel are among them. */
  get used(): number {
    let used = 0;
    for (let kind = 0; kind < SIZES.length; kind++) used += this.#counts[kind] - this.#freeCount[kind];
    return used;
  }

  /** Regions of a class in all. */
  count(kind: number): number {
    return this.#counts[kind];
  }

  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}

/** Of which class a region is. */
export function classOf(region: number): number {
  return region >> CLASS_SHIFT;
}

/** Its number within the class. */
export function numberOf(region: number): number {
  return region & NUMBER_MASK;
}

/** The region of a class by number. */
export function regionOf(kind: number, number: number): number {
  return (kind << CLASS_SHIFT) | number;
}
