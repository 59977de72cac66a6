/**
 * The configured objects of one thread, kept up to date by difference: what did not change keeps its object, and with it
 * connections, counters and position in the order of picks.
 */
import type { Plan } from "../../plugins/contract.ts";
import { bytesOf } from "../http/mod.ts";
import { NO_REGION, SLAB } from "../os/arena.ts";
import { socketAddress } from "../os/tcp_socket.ts";
import { Backend } from "./backend.ts";
import type { Engine } from "./engine.ts";
import { Frontend } from "./frontend.ts";
import { Listening } from "./listening.ts";
import type { ListenerOptions } from "./listening.ts";
import type { BackendOptions, ServerOptions } from "./protocol.ts";
import { Server } from "./server.ts";
import { serverKey, type Slots, type ThreadOptions } from "./thread_protocol.ts";

export class RoutingTable {
  readonly #frontends = new Map<string, Frontend>();
  readonly #backends = new Map<string, Backend>();
  readonly #listening = new Map<number, Listening>();

  constructor(readonly engine: Engine) {}

  /** Makes `options` the wanted set. */
  apply(options: ThreadOptions, slots: Slots, listeners: readonly ListenerOptions[]): void {
    this.engine.limit(options);
    this.#applyBackends(options, slots);
    this.#applyFrontends(options, slots);
    this.#applyListeners(listeners);
  }

  /** Takes a plugin's plan for a backend. */
  plan(backend: string, plan: Plan | null): void {
    this.#backends.get(backend)?.follow(plan);
  }

  /** Acts on verdicts that changed. */
  observe(): void {
    for (const backend of this.#backends.values()) backend.observe();
  }

  /** A connection ended: there may be room for another one. */
  relieved(): void {
    for (const listening of this.#listening.values()) listening.open();
  }

  /** Ends idle connections, when `patient` behind a last request, and the others with their next response. */
  drain(patient: boolean): void {
    for (const frontend of this.#frontends.values()) frontend.closeIdle(patient);
  }

  /** Breaks off what has not ended. */
  cut(): void {
    for (const frontend of this.#frontends.values()) {
      for (const connection of [...frontend.connections]) connection.crash("balancer_stopped");
    }
  }

  #applyBackends(options: ThreadOptions, slots: Slots): void {
    const wanted = new Set(options.backends.map(({ name }) => name));
    for (const [name, backend] of this.#backends) {
      if (wanted.has(name)) continue;
      for (const server of backend.servers) retire(server);
      this.#backends.delete(name);
    }
    for (const each of options.backends) {
      const slot = slots.backends.get(each.name);
      if (slot === undefined) continue;
      const backend = this.#backends.get(each.name) ?? new Backend(this.engine, each, slot);
      this.#backends.set(each.name, backend);
      this.#applyServers(backend, each, slots);
    }
  }

  #applyServers(backend: Backend, options: BackendOptions, slots: Slots): void {
    const known = new Map(backend.servers.map((server) => [server.options.name, server]));
    const servers: Server[] = [];
    for (const each of options.servers) {
      const slot = slots.servers.get(serverKey(options.name, each.name));
      if (slot === undefined) continue;
      const before = known.get(each.name);
      if (before !== undefined && isSame(before, each, slot)) {
        before.options = each;
        known.delete(each.name);
        servers.push(before);
      } else servers.push(this.#makeServer(options.name, each, slot));
    }
    for (const server of known.values()) retire(server);
    const failures = statusTable(options.passive?.statuses ?? []);
    for (const server of servers) {
      server.errorLimit = options.passive?.errors ?? 0;
      server.errorStatuses = failures;
    }
    backend.configure(options, servers);
  }

  #makeServer(backend: string, options: ServerOptions, slot: number): Server {
    const { arena } = this.engine.io;
    const { domain, bytes } = socketAddress(options.address, options.port);
    const region = arena.take(SLAB);
    if (region === NO_REGION) throw new Error(`Cannot keep the address of server "${options.name}": no memory left`);
    const start = arena.start(region);
    arena.bytes.set(bytes, start);
    const host = options.address.includes(":") ? `[${options.address}]` : options.address;
    const address = { start, length: bytes.length, domain };
    return new Server(this.engine, options, slot, address, bytesOf(`${host}:${options.port}`), backend);
  }

  #applyFrontends(options: ThreadOptions, slots: Slots): void {
    const wanted = new Set(options.frontends.map(({ name }) => name));
    for (const [name, frontend] of this.#frontends) {
      if (wanted.has(name)) continue;
      frontend.retired = true;
      frontend.closeIdle(true);
      this.#frontends.delete(name);
    }
    for (const each of options.frontends) {
      const slot = slots.frontends.get(each.name);
      if (slot === undefined) continue;
      const frontend = this.#frontends.get(each.name) ?? new Frontend(this.engine, each, slot);
      this.#frontends.set(each.name, frontend);
      frontend.options = each;
      frontend.backend = this.#backends.get(each.defaultBackend ?? "") ?? null;
    }
    this.engine.routing.backends = this.#backends;
  }

  #applyListeners(listeners: readonly ListenerOptions[]): void {
    const wanted = new Map(listeners.map((each) => [each.fd, each]));
    for (const [fd, listening] of this.#listening) {
      const now = wanted.get(fd);
      if (now !== undefined && this.#frontends.has(now.frontend)) continue;
      listening.close();
      this.#listening.delete(fd);
    }
    for (const each of listeners) {
      const frontend = this.#frontends.get(each.frontend);
      if (frontend === undefined) continue;
      const listening = this.#listening.get(each.fd) ?? new Listening(this.engine, frontend, each);
      this.#listening.set(each.fd, listening);
      listening.frontend = frontend;
      listening.options = each;
      listening.open();
    }
  }
}

/** 1 at each status in a range; null where there are no ranges. */
function statusTable(ranges: readonly (readonly [number, number])[]): Uint8Array | null {
  if (ranges.length === 0) return null;
  const table = new Uint8Array(1000);
  for (const [from, to] of ranges) table.fill(1, from, to + 1);
  return table;
}

function isSame(server: Server, options: ServerOptions, slot: number): boolean {
  return server.slot === slot && server.options.address === options.address && server.options.port === options.port;
}

/** No new requests; what runs goes on. */
function retire(server: Server): void {
  server.retired = true;
  server.closeIdle();
}
