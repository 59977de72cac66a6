/** How a server is found by a key: the same key goes to the same server as long as that one may be used. */
import { leastBusy, type Load } from "./load.ts";
import { maglevTable, type Weighted } from "./maglev.ts";
import { capacity, firstPoint, ring } from "./ring.ts";

/** Index of the server for the hash of a key, or -1 where none may be used. */
export type Lookup = (key: number, load: Load, tried: readonly number[]) => number;

/** Entries looked at after the key's own; where all of them are taken, the least busy server takes the request. */
const lookahead = 256;

/**
 * @param bound at most so many times its share of the requests at one server; the rest go to the next by the table. null =
 * as many as come
 */
export function maglev(servers: readonly Weighted[], bound: number | null): Lookup {
  const table = maglevTable(servers);
  return lookup(servers, table, (key) => key % table.length, bound);
}

/** @param bound as of `maglev` */
export function ketama(servers: readonly Weighted[], bound: number | null): Lookup {
  const points = ring(servers);
  return lookup(servers, points.owners, (key) => firstPoint(points, key), bound);
}

function lookup(
  servers: readonly Weighted[],
  owners: Uint16Array,
  locate: (key: number) => number,
  bound: number | null,
): Lookup {
  const weights = Float64Array.from(servers, ({ weight }) => weight);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return (key, load, tried) => {
    if (owners.length === 0) return -1;
    const start = locate(key);
    const underWay = bound === null ? 0 : sumOfBusy(weights, load);
    let refused = -1;
    for (let ahead = 0; ahead < lookahead && ahead < owners.length; ahead++) {
      const server = owners[(start + ahead) % owners.length];
      // Neighbouring entries often have one owner: it is not asked twice in a row.
      if (server === refused) continue;
      refused = server;
      if (tried.includes(server) || !load.free(server)) continue;
      if (bound === null || load.busy(server) < capacity(bound, underWay, weights[server], total)) return server;
    }
    // Everybody is full: the key waits where it is known.
    const owner = owners[start];
    if (!tried.includes(owner)) return owner;
    return leastBusy(weights, owner, load, tried);
  };
}

function sumOfBusy(weights: Float64Array, load: Load): number {
  let sum = 0;
  for (let server = 0; server < weights.length; server++) if (weights[server] > 0) sum += load.busy(server);
  return sum;
}
