/** What `ctx` refuses at the author's own line, on a node and in the author's tests alike. Pure. */

/** Bytes of a key and its value in a store, as JSON: they fit a frame, with what is said about them. */
const ENTRY_LIMIT = 240 * 1024;

/**
 * @throws {TypeError} when `value` is no number
 * @throws {RangeError} when no such number can be exported
 */
export function assertMetric(kind: "count" | "gauge", name: string, value: number): void {
  if (typeof value !== "number") throw new TypeError(`Metric "${name}" must be a number, got ${typeof value}`);
  if (!Number.isFinite(value)) throw new RangeError(`Metric "${name}" must be a finite number, got ${value}`);
  if (kind === "count" && value < 0) throw new RangeError(`Metric "${name}" can only grow, got ${value}`);
}

/** @throws {RangeError} when the two are too long for an entry of a store */
export function assertEntry(key: string, value: string | null): void {
  // As it travels and is kept: most characters are one byte, and those that JSON escapes are six.
  const size = new TextEncoder().encode(JSON.stringify([String(key), String(value)])).length;
  if (size <= ENTRY_LIMIT) return;
  throw new RangeError(`"${String(key).slice(0, 60)}" and its value have ${size} bytes, at most ${ENTRY_LIMIT}`);
}
