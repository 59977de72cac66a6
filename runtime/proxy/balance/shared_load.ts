/** The load of a backend's servers as all engine threads share it. */
import type { SharedState } from "../shared_state.ts";
import type { Load } from "./load.ts";

/** A server as its load is counted. */
export interface LoadedServer {
  readonly slot: number;
  /** Most requests under way; 0 = as many as come. */
  readonly limit: number;
}

export class SharedLoad implements Load {
  readonly #active: Int32Array;
  readonly #cursors: Int32Array;
  readonly #slots: Int32Array;
  readonly #limits: Int32Array;
  /** State of xorshift32: one a thread, never 0. */
  #chance = crypto.getRandomValues(new Uint32Array(1))[0] | 1;

  /** @param backend slot of the backend */
  constructor(shared: SharedState, readonly backend: number, servers: readonly LoadedServer[]) {
    this.#active = shared.active;
    this.#cursors = shared.cursors;
    this.#slots = Int32Array.from(servers, ({ slot }) => slot);
    this.#limits = Int32Array.from(servers, ({ limit }) => limit);
  }

  busy(server: number): number {
    return this.#active[this.#slots[server]];
  }

  free(server: number): boolean {
    const limit = this.#limits[server];
    return limit === 0 || Atomics.load(this.#active, this.#slots[server]) < limit;
  }

  turn(): number {
    return Atomics.add(this.#cursors, this.backend, 1);
  }

  random(): number {
    let state = this.#chance;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return this.#chance = state >>> 0;
  }
}
