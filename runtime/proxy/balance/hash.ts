/** The hash of keys and server names. Both nodes of a pair and every thread must get the same numbers from it. */

/**
 * MurmurHash3, x86, 32 bit (Appleby), of `bytes[start, end)`: few operations, all of them `Math.imul`-sized, and an
 * avalanche at the end.
 */
export function murmur3(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  const length = end - start;
  const blocks = start + (length & ~3);
  let hash = seed | 0;
  for (let i = start; i < blocks; i += 4) {
    const block = bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
    hash ^= scramble(block);
    hash = (Math.imul(hash << 13 | hash >>> 19, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = end - 1; i >= blocks; i--) tail = tail << 8 | bytes[i];
  if (end > blocks) hash ^= scramble(tail);
  return mix(hash ^ length);
}

const encoder = new TextEncoder();

export function hashText(text: string, seed = 0): number {
  return murmur3(encoder.encode(text), seed);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul(k << 15 | k >>> 17, 0x1b873593);
}

/** The finalizer: every input bit changes each output bit with a chance of one half. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
