/** Where frontends, backends and servers are in the memory that threads share, and what stands there. */
import { queuedFor, sumFrontend, sumServer } from "./counters.ts";
import type { ProxyOptions, ProxyReport } from "./protocol.ts";
import { MAX_BACKENDS, MAX_FRONTENDS, MAX_SERVERS, type SharedBuffers } from "./shared_state.ts";
import { SlotTable } from "./slots.ts";
import { serverKey, type Slots } from "./thread_protocol.ts";

/** Called with the slots of what is new there. */
export interface FreshSlots {
  readonly frontend: (slot: number) => void;
  readonly server: (slot: number) => void;
}

export class ProxySlots {
  readonly #frontends = new SlotTable(MAX_FRONTENDS, "frontends");
  readonly #servers = new SlotTable(MAX_SERVERS, "servers");
  readonly #backends = new SlotTable(MAX_BACKENDS, "backends");

  /** @throws {RangeError} when there are more than slots. */
  assign({ frontends, backends }: ProxyOptions, fresh: FreshSlots): void {
    this.#frontends.assign(frontends.map(({ name }) => name), fresh.frontend);
    const servers = backends.flatMap(({ name, servers }) => servers.map((server) => serverKey(name, server.name)));
    this.#servers.assign(servers, fresh.server);
    this.#backends.assign(backends.map(({ name }) => name), () => {});
  }

  /** As threads are told of them. */
  get all(): Slots {
    return { frontends: this.#frontends.slots, servers: this.#servers.slots, backends: this.#backends.slots };
  }

  /** @param key of `serverKey` */
  server(key: string): number | undefined {
    return this.#servers.slots.get(key);
  }

  /** What all threads together have counted. */
  counters(
    shared: SharedBuffers,
    { frontends, backends }: ProxyOptions,
  ): Pick<Extract<ProxyReport, { readonly type: "status" }>, "frontends" | "backends" | "servers"> {
    return {
      frontends: frontends.map(({ name }) => sumFrontend(shared, name, this.#frontends.slots.get(name) ?? 0)),
      backends: backends.map(({ name }) => queuedFor(shared, name, this.#backends.slots.get(name) ?? 0)),
      servers: backends.flatMap(({ name, servers }) =>
        servers.map((server) => sumServer(shared, name, server.name, this.server(serverKey(name, server.name)) ?? 0))
      ),
    };
  }
}
