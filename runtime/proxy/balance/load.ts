/** What is known of the servers while a request is placed. All threads see the same. */
export interface Load {
  /** Requests under way at a server, and those that wait for it. */
  busy(server: number): number;
  /** Whether the server may take one more now (its maxconn). */
  free(server: number): boolean;
  /** Counts up by one with each call, for all threads together. */
  turn(): number;
  /** A random number of 32 bits. */
  random(): number;
}

/**
 * The server with the fewest requests for its weight, from `start` on; those that are free before those that are full, where
 * the request waits. -1 where every one of them was tried or has no weight.
 */
export function leastBusy(weights: Float64Array, start: number, load: Load, tried: readonly number[]): number {
  let best = -1;
  let least = Infinity;
  let bestIsFree = false;
  for (let i = 0; i < weights.length; i++) {
    const server = (start + i) % weights.length;
    if (weights[server] <= 0 || tried.includes(server)) continue;
    const free = load.free(server);
    if (bestIsFree && !free) continue;
    // One more is counted, so that of two idle servers the heavier one comes first.
    const share = (load.busy(server) + 1) / weights[server];
    if (share >= least && free === bestIsFree) continue;
    best = server;
    least = share;
    bestIsFree = free;
  }
  return best;
}
