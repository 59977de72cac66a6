/** The taker's side of keeping connections: loads the forwarding rules and takes them away in time. */
import { parseAddress } from "../bytes/address.ts";
import { Errno, OsError } from "../os/errno.ts";
import { Batch, listTables, openNetfilter } from "../os/nfnetlink.ts";
import type { NetlinkSocket } from "../os/netlink_socket.ts";
import { ConnectionListing } from "../os/sock_diag.ts";
import type { Forwarding, KeeperEvent } from "./keeping.ts";
import { describe, type Diversion, loadRules, tableOf, tablePrefix } from "./recipe.ts";

interface Loaded {
  /** Named after the instance as it was called when the rules were loaded. */
  readonly table: string;
  readonly limit: number;
  deadline: number;
}

/** Connections that begin here are known for this long at least, in ms. */
const shortestMemory = 3600_000;

export class Forwarder {
  readonly #report: (event: KeeperEvent) => void;
  #loaded = new Map<string, Loaded>();
  readonly #socket: NetlinkSocket | string;
  /** Owned tables go with this process, however it ends; kernels before 5.12 have none. */
  #owner: "owner" | "shared" = "owner";
  #missing: string | null | undefined;

  constructor(report: (event: KeeperEvent) => void) {
    this.#report = report;
    this.#socket = attempt(openNetfilter);
    if (typeof this.#socket === "string") this.#missing = this.#socket;
  }

  deadline(): number {
    let deadline = Infinity;
    for (const loaded of this.#loaded.values()) deadline = Math.min(deadline, loaded.deadline);
    return deadline;
  }

  run(now: number): void {
    for (const [instance, loaded] of this.#loaded) {
      if (now < loaded.deadline) continue;
      this.stop(instance);
      const text = `Forwarding of "${instance}" reached its time limit: rules removed`;
      this.#report({ type: "expired", instance, connections: 0, text });
    }
  }

  /** Loads the whole recipe where no packet comes by, and takes it away again. */
  missing(): string | null {
    // Null is an answer too.
    if (this.#missing === undefined) this.#missing = this.#probe();
    return this.#missing;
  }

  forward(instance: string, forwarding: Forwarding, now: number): string | null {
    const socket = this.#socket;
    if (typeof socket === "string") return socket;
    const table = tableOf(instance);
    const before = this.#loaded.get(instance);
    if (before !== undefined && before.table !== table) this.stop(instance);
    const diversion = diversionOf(forwarding);
    if (diversion.addresses.length === 0) return "Connections are kept over IPv4 only";
    if (diversion.ports.length === 0) return "No TCP port is served at these addresses";
    try {
      using listing = new ConnectionListing();
      const served = new Set(forwarding.ports);
      const connections = listing.list(diversion.addresses).filter((one) => served.has(one.localPort));
      // Asked, not remembered: where tables have no owner somebody may have flushed them.
      const replaces = listTables(socket).includes(table);
      this.#withOwner((owner) => loadRules(socket, table, diversion, { owner, connections, replaces }));
    } catch (cause) {
      // A batch that failed changed nothing: what was loaded before is of the last move and must not stay.
      this.stop(instance);
      return reasonOf(cause);
    }
    this.#loaded.set(instance, { table, limit: forwarding.limit, deadline: now + (forwarding.unconfirmed ?? 5000) });
    return null;
  }

  confirm(instance: string, now: number): void {
    const loaded = this.#loaded.get(instance);
    if (loaded !== undefined) loaded.deadline = now + loaded.limit;
  }

  stop(instance: string): void {
    const loaded = this.#loaded.get(instance);
    if (loaded === undefined) return;
    this.#loaded.delete(instance);
    this.#remove(loaded.table);
  }

  rename(names: ReadonlyMap<string, string>): void {
    this.#loaded = new Map([...this.#loaded].map(([name, loaded]) => [names.get(name) ?? name, loaded]));
  }

  forwarding(instance: string): boolean {
    return this.#loaded.has(instance);
  }

  clean(): string[] {
    const socket = this.#socket;
    if (typeof socket === "string") return [];
    const tables = attempt(() => listTables(socket));
    if (typeof tables === "string") return [];
    // What has an owner went with it, or belongs to a process that lives.
    return tables.filter((name) => name.startsWith(tablePrefix) && this.#remove(name) === null)
      .map((name) => `Forwarding rules "${name}" of an earlier run removed`);
  }

  close(): void {
    for (const instance of [...this.#loaded.keys()]) this.stop(instance);
    if (typeof this.#socket !== "string") this.#socket.close();
  }

  #remove(table: string): string | null {
    const socket = this.#socket;
    if (typeof socket === "string") return socket;
    const reason = attempt(() =>
      new Batch(socket).deleteTable(table).commit(`Cannot remove forwarding rules "${table}"`)
    );
    return typeof reason === "string" ? reason : null;
  }

  #probe(): string | null {
    const socket = this.#socket;
    if (typeof socket === "string") return socket;
    const table = `${tablePrefix}probe`;
    const diversion = diversionOf({
      device: 1,
      peer: { address: "192.0.2.1", mac: new Uint8Array(6) },
      // Documentation addresses: the rules are there for less than a millisecond, and nothing matches them.
      addresses: ["192.0.2.2"],
      ports: [9],
      limit: 0,
    });
    const action = "Cannot load forwarding rules";
    const reason = attempt(() => {
      this.#withOwner((owner) =>
        describe(new Batch(socket), table, diversion, owner).deleteTable(table).commit(action)
      );
    });
    return typeof reason === "string" ? reason : null;
  }

  #withOwner(load: (owner: "owner" | "shared") => void): void {
    try {
      load(this.#owner);
    } catch (cause) {
      const unknownFlag = cause instanceof OsError &&
        (cause.errno === Errno.EINVAL || cause.errno === Errno.EOPNOTSUPP);
      if (!unknownFlag || this.#owner === "shared") throw cause;
      load("shared");
      this.#owner = "shared";
    }
  }
}

function diversionOf(forwarding: Forwarding): Diversion {
  return {
    addresses: forwarding.addresses.map(parseAddress).filter((address) => address.length === 4),
    ports: forwarding.ports,
    peer: parseAddress(forwarding.peer.address),
    peerMac: forwarding.peer.mac,
    device: forwarding.device,
    remember: Math.max(shortestMemory, 2 * forwarding.limit),
  };
}

/** The result, or why there is none. */
function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (cause) {
    return reasonOf(cause);
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof OsError && cause.errno === Errno.EPERM) return `${cause.message}, needs CAP_NET_ADMIN`;
  return cause.message;
}
