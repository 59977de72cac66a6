/**
 * SHA-crypt, the `$5$` and `$6$` hashes of crypt(3), `mkpasswd -m sha-512`, `htpasswd -5` and HAProxy's user lists
 * (U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6).
 *
 *     $6$rounds=5000$saltstring$AIsRs/Ee56G/…     6 = SHA-512, 5 = SHA-256; without rounds there are 5000
 */
import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";

const FORM = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([^$]{0,16})\$([./0-9A-Za-z]+)$/;
const DEFAULT_ROUNDS = 5000;
const FEWEST_ROUNDS = 1000;
const LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface Kind {
  readonly name: "sha256" | "sha512";
  /** Octets of the digest in the order in which they become letters; the first of three is the most significant. */
  readonly order: readonly number[];
  readonly letters: number;
}

const SHA256: Kind = { name: "sha256", order: [...turning(10, 2), -1, 31, 30], letters: 43 };
const SHA512: Kind = { name: "sha512", order: [...turning(21, 1), -1, -1, 63], letters: 86 };

/** Rounds of a hash of this kind; null where it is none. */
export function shaCryptRounds(hash: string): number | null {
  const [, kind, rounds, , sum] = FORM.exec(hash) ?? [];
  if (sum?.length !== kindOf(kind).letters) return null;
  return rounds === undefined ? DEFAULT_ROUNDS : Math.max(FEWEST_ROUNDS, Number(rounds));
}

/** Whether `password` has the hash; null where that is none of this kind. */
export function matchesShaCrypt(password: string, hash: string): boolean | null {
  const rounds = shaCryptRounds(hash);
  if (rounds === null) return null;
  const [, kind, , salt, sum] = FORM.exec(hash) ?? [];
  const found = encode(digest(kindOf(kind), Buffer.from(password), Buffer.from(salt), rounds), kindOf(kind));
  return timingSafeEqual(Buffer.from(sum), Buffer.from(found));
}

function kindOf(digit: string | undefined): Kind {
  return digit === "5" ? SHA256 : SHA512;
}

/** Steps 1 to 21 of the specification. */
function digest({ name }: Kind, key: Buffer, salt: Buffer, rounds: number): Buffer {
  const hash = (...parts: readonly Uint8Array[]) => {
    const sum = createHash(name);
    for (const part of parts) sum.update(part);
    return sum.digest();
  };
  const b = hash(key, salt, key);
  const bits: Buffer[] = [];
  for (let left = key.length; left > 0; left >>= 1) bits.push(left & 1 ? b : key);
  let a = hash(key, salt, stretched(b, key.length), ...bits);
  const p = stretched(hash(...repeated(key, key.length)), key.length);
  const s = stretched(hash(...repeated(salt, 16 + a[0])), salt.length);
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    const parts = [odd ? p : a];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push(odd ? a : p);
    a = hash(...parts);
  }
  return a;
}

/** Step 22: four letters for three octets, least significant first. */
function encode(digest: Uint8Array, { order, letters }: Kind): string {
  let text = "";
  for (let i = 0; i < order.length; i += 3) {
    const [high, middle, low] = order.slice(i, i + 3).map((index) => index < 0 ? 0 : digest[index]);
    let word = high << 16 | middle << 8 | low;
    for (let letter = 0; letter < 4; letter++, word >>= 6) text += LETTERS[word & 63];
  }
  return text.slice(0, letters);
}

/** Octets i, i + step, i + 2 × step for each i below `step`, turned by `by` more places each time. */
function turning(step: number, by: number): number[] {
  return Array.from({ length: step }, (_, i) => {
    const three = [i, i + step, i + 2 * step];
    const first = (i * by) % 3;
    return [...three.slice(first), ...three.slice(0, first)];
  }).flat();
}

function repeated(bytes: Buffer, times: number): Buffer[] {
  return Array.from({ length: times }, () => bytes);
}

/** `length` octets of `bytes` over and over. */
function stretched(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}
