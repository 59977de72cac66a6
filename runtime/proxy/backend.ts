/** A group of servers and the order in which they are picked. */
import type { BackendOptions } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { SharedState } from "./shared_state.ts";
import { isGone, usableWeight, weightOf } from "./server_verdict.ts";
import { smoothOrder } from "./smooth_weights.ts";

export class Backend {
  #servers: readonly Server[] = [];
  #order: Uint16Array = new Uint16Array(0);
  /** Generation of verdicts that `#order` was made of. */
  #generation = -1;

  constructor(readonly shared: SharedState, public options: BackendOptions) {}

  get servers(): readonly Server[] {
    return this.#servers;
  }

  set servers(servers: readonly Server[]) {
    this.#servers = servers;
    this.#generation = -1;
  }

  /**
   * The next server in turn that is not among `tried`, or null. The position is shared by all threads, so that the
   * order holds whichever of them serves.
   */
  pick(tried: readonly Server[]): Server | null {
    if (this.#generation !== this.shared.generation) this.#decide();
    const order = this.#order;
    if (order.length === 0) return null;
    const turn = (Atomics.add(this.shared.cursors, this.#servers[0].slot, 1) >>> 0) % order.length;
    const first = this.#servers[order[turn]];
    if (tried.length === 0 || !tried.includes(first)) return first;
    for (let ahead = 1; ahead < order.length; ahead++) {
      const server = this.#servers[order[(turn + ahead) % order.length]];
      if (!tried.includes(server)) return server;
    }
    return null;
  }

  /** Servers that take requests; backup servers only where no other does. */
  #decide(): void {
    this.#generation = this.shared.generation;
    const weights = (backup: boolean) =>
      this.#servers.map((server) => (server.options.backup === backup ? usableWeight(server.verdict) : 0));
    this.#order = smoothOrder(weights(false));
    if (this.#order.length === 0) this.#order = smoothOrder(weights(true));
  }

  /** Acts on verdicts that changed: nothing idle stays open to a server that is gone. */
  observe(): void {
    for (const server of this.#servers) {
      if (!isGone(server.verdict)) continue;
      if (this.options.onDown === "close") server.closeAll();
      else server.closeIdle();
    }
  }

  /** Whether any server could take a request now. */
  get available(): boolean {
    return this.#servers.some((server) => usableWeight(server.verdict) > 0 && weightOf(server.verdict) > 0);
  }
}
