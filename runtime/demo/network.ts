/**
 * The demo's network: a switch and a namespace for each machine, made by our own rtnetlink. The namespaces have no name;
 * they exist as long as this process and its children do, so nothing of them can be left behind.
 */
import { createNetworkNamespace, type NetworkNamespace } from "../os/namespace.ts";
import { openNetwork } from "../os/rtnetlink_network.ts";
import { Topology } from "../os/rtnetlink_topology.ts";
import { device, type Machine, prefixLength } from "./picture.ts";

const bridge = "br0";

export class DemoNetwork implements Disposable {
  readonly #resources = new DisposableStack();
  readonly #switch: Topology;
  readonly #machines = new Map<string, NetworkNamespace>();

  /** @throws {OsError} EPERM where this process may not make namespaces. */
  constructor(machines: readonly Machine[]) {
    try {
      const namespace = this.#resources.use(createNetworkNamespace());
      this.#switch = this.#resources.use(namespace.within(() => new Topology()));
      this.#switch.createBridge(bridge);
      for (const machine of machines) this.#plugIn(machine);
    } catch (error) {
      this.#resources.dispose();
      throw error;
    }
  }

  /** Calls `work` in the machine's namespace; `work` must be synchronous. Children started by it live there. */
  on<T>(machine: string, work: () => T): T {
    return this.#namespaceOf(machine).within(work);
  }

  /** Pulls the machine's cable at the switch, or plugs it in again. */
  cable(machine: string, state: "in" | "out"): void {
    if (state === "in") this.#switch.setUp(machine);
    else this.#switch.setDown(machine);
  }

  /** Link-layer address of the machine. */
  mac(machine: string): string {
    return this.on(machine, () => {
      using network = openNetwork();
      const mac = network.link(device)?.mac ?? new Uint8Array();
      return [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
    });
  }

  /** Those of `machines` whose interface holds `address` now, by the kernel's own table. */
  holders(machines: readonly Machine[], address: string): string[] {
    return machines.map(({ name }) => name).filter((name) =>
      this.on(name, () => {
        using network = openNetwork();
        const link = network.link(device);
        return link !== undefined && network.addresses(link.index).some((held) => held.address === address);
      })
    );
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #plugIn({ name, address }: Machine): void {
    const namespace = this.#resources.use(createNetworkNamespace());
    this.#machines.set(name, namespace);
    this.#switch.createVeth(name, { name: device, namespace });
    this.#switch.setMaster(name, bridge);
    this.#switch.setUp(name);
    namespace.within(() => {
      using inside = new Topology();
      inside.setUp("lo");
      inside.setUp(device);
      inside.addAddress(device, address, prefixLength);
    });
  }

  #namespaceOf(machine: string): NetworkNamespace {
    const namespace = this.#machines.get(machine);
    if (namespace === undefined) throw new RangeError(`No machine "${machine}" in the demo's network`);
    return namespace;
  }
}
