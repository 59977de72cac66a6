/** How a server is picked for a request without a key. */
import { smoothOrder } from "../smooth_weights.ts";
import { aliasTable, pickAlias } from "./alias.ts";
import { leastBusy, type Load } from "./load.ts";

/** Index of the server, or -1 where none may be used. `tried`: servers that already failed this request. */
export type Pick = (load: Load, tried: readonly number[]) => number;

/** Turns looked ahead for a server that is free, before all of them are compared. */
const lookahead = 32;

/** Weights of plans may be fractions; turns are whole. */
const finest = 1000;

/** Smooth weighted round robin: 5, 1, 1 gives a a b a c a a. */
export function smooth(weights: Float64Array): Pick {
  const order = smoothOrder(whole(weights));
  return (load, tried) => {
    if (order.length === 0) return -1;
    // A second try takes no turn: with every other server dead it would take the turn of the next request's good one.
    const first = tried.length === 0;
    const turn = first ? load.turn() >>> 0 : load.random();
    for (let ahead = 0; ahead < lookahead && ahead < order.length; ahead++) {
      const server = order[(turn + ahead) % order.length];
      if ((first || !tried.includes(server)) && load.free(server)) return server;
    }
    return leastBusy(weights, turn % weights.length, load, tried);
  };
}

function whole(weights: Float64Array): number[] {
  if (weights.every(Number.isInteger)) return [...weights];
  const greatest = Math.max(...weights);
  return Array.from(weights, (weight) => weight > 0 ? Math.max(1, Math.round(weight * finest / greatest)) : 0);
}

/** Fewest requests for its weight. */
export function leastconn(weights: Float64Array): Pick {
  return (load, tried) =>
    weights.length === 0 ? -1 : leastBusy(weights, (load.turn() >>> 0) % weights.length, load, tried);
}

/**
 * The less busy of two picked by chance and weight (Mitzenmacher 2001): nearly as even as the least busy of all, without
 * everybody rushing to the same server on the same old news.
 */
export function random2(weights: Float64Array): Pick {
  const table = aliasTable([...weights]);
  return (load, tried) => {
    if (table === null) return -1;
    const first = pickAlias(table, load.random(), load.random());
    const second = pickAlias(table, load.random(), load.random());
    const chosen = load.busy(second) * weights[first] < load.busy(first) * weights[second] ? second : first;
    if (!tried.includes(chosen) && load.free(chosen)) return chosen;
    return leastBusy(weights, load.random() % weights.length, load, tried);
  };
}

/** The first of `order` that is free; so that the others can be switched off. */
export function first(weights: Float64Array, order: readonly number[]): Pick {
  const usable = order.filter((server) => weights[server] > 0);
  return (load, tried) => {
    let waiting = -1;
    for (const server of usable) {
      if (tried.includes(server)) continue;
      if (load.free(server)) return server;
      if (waiting < 0) waiting = server;
    }
    return waiting;
  };
}
