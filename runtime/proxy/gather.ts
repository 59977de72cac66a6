/**
 * Heads that come in pieces are gathered in the smallest region that holds them, so that a client that sends a head
 * byte by byte costs us 4 KiB and not a receive buffer.
 */
import { NO_REGION } from "../os/arena.ts";
import type { Engine } from "./engine.ts";

export interface Gathered {
  region: number;
  start: number;
  length: number;
}

/**
 * Appends received bytes to what was gathered and gives their region back. null when there is no memory for more; then
 * everything has been given back.
 */
export function gather(
  engine: Engine,
  gathered: Gathered | null,
  region: number,
  start: number,
  length: number,
): Gathered | null {
  const { io } = engine;
  const { arena } = io;
  const before = gathered?.length ?? 0;
  let into = gathered?.region ?? NO_REGION;
  if (into === NO_REGION || before + length > arena.size(into)) {
    const larger = engine.takeRegion(before + length);
    if (larger !== NO_REGION && gathered !== null) {
      arena.bytes.copyWithin(arena.start(larger), gathered.start, gathered.start + before);
    }
    if (into !== NO_REGION) io.give(into);
    into = larger;
  }
  if (into !== NO_REGION) arena.bytes.copyWithin(arena.start(into) + before, start, start + length);
  io.give(region);
  if (into === NO_REGION) return null;
  const all = gathered ?? { region: into, start: 0, length: 0 };
  all.region = into;
  all.start = arena.start(into);
  all.length = before + length;
  return all;
}
