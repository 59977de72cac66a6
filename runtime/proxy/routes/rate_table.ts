/**
 * Rate limits by key, for all engine threads together: a client's connections are spread over the threads by chance, so
 * a share of the rate for each would be too little for one connection and too much for many.
 *
 * Each bucket is one time, the *theoretical arrival time* of the generic cell rate algorithm (ITU-T I.371): the moment
 * at which the bucket is full again. A bucket whose time has passed is as good as none, so slots free themselves. The
 * table never grows: where all slots of a set are busy, the bucket that is fullest makes room, which errs in favour of
 * a client. Keys are hashed with a secret seed, so nobody can aim at another's slot.
 *
 *     | seed | key | time | key | time | …     64 bits each, sets of 8 slots
 */
import { randomBytes } from "node:crypto";

const WAYS = 8;
const SLOT_WORDS = 2;
const HEADER_WORDS = 1;
const MICROS = 1000n;

/** Memory for `slots` buckets, a power of two; pages cost nothing before they are used. */
export function allocateRates(slots = 1 << 17): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(8 * (HEADER_WORDS + SLOT_WORDS * slots));
  new Uint8Array(buffer, 0, 8).set(randomBytes(8));
  return buffer;
}

export class RateTable {
  readonly #words: BigInt64Array;
  readonly #sets: number;
  readonly #seed: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new BigInt64Array(buffer);
    this.#sets = (this.#words.length - HEADER_WORDS) / (SLOT_WORDS * WAYS);
    this.#seed = new Int32Array(buffer, 0, 2);
  }

  /**
   * Takes one token from the bucket of `key`. Answers 0, or the ms until there is one again.
   *
   * @param rate tokens per second
   * @param burst tokens of a full bucket
   * @param now ms of a clock that all threads share; it may step back, then buckets begin anew
   */
  take(key: string, rate: number, burst: number, now: number): number {
    const words = this.#words;
    const [high, low] = this.#hash(key);
    const name = (BigInt(high) << 32n) | BigInt(low >>> 0) | 1n;
    const at = this.#slot(name, (low >>> 8) % this.#sets, BigInt(Math.floor(now)) * MICROS);
    const interval = BigInt(Math.max(1, Math.round(1e6 / rate)));
    const depth = interval * BigInt(burst);
    const time = BigInt(Math.floor(now)) * MICROS;
    for (;;) {
      const before = Atomics.load(words, at + 1);
      const begin = before < time || before > time + depth + 1_000_000n ? time : before;
      const after = begin + interval;
      if (after - time > depth) return Math.max(1, Math.ceil(Number(after - depth - time) / 1000));
      if (Atomics.compareExchange(words, at + 1, before, after) === before) return 0;
    }
  }

  /** Word of the key's slot, made its own if it was not. */
  #slot(name: bigint, set: number, time: bigint): number {
    const words = this.#words;
    const first = HEADER_WORDS + set * WAYS * SLOT_WORDS;
    let fullest = first;
    for (let at = first; at < first + WAYS * SLOT_WORDS; at += SLOT_WORDS) {
      if (Atomics.load(words, at) === name) return at;
      if (Atomics.load(words, at + 1) < Atomics.load(words, fullest + 1)) fullest = at;
    }
    // Two threads that take one slot for two keys at once share a bucket for a moment; nothing worse.
    if (Atomics.load(words, fullest + 1) > time) Atomics.store(words, fullest + 1, time);
    Atomics.store(words, fullest, name);
    return fullest;
  }

  /** Two words of a seeded hash (the finaliser of MurmurHash3 over each code unit). */
  #hash(key: string): [number, number] {
    let high = this.#seed[0];
    let low = this.#seed[1];
    for (let i = 0; i < key.length; i++) {
      high = mix(high ^ key.charCodeAt(i));
      low = mix((low + high) ^ Math.imul(key.charCodeAt(i) + i, 0x9e3779b1));
    }
    return [high, low];
  }
}

function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
