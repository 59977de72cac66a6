/**
 * The first bytes of a connection, where they say who the client is (PROXY protocol) or whom it wants (ClientHello):
 *
 *     PROXY header, if the listener has `proxy_protocol` ──▶ ClientHello, if routes ask for a name ──▶ served
 *
 * A listener with `proxy_protocol` takes nothing else: who could leave the header out could also forge one.
 */
import { formatAddress, isAddress, parseAddress } from "../bytes/address.ts";
import type { Backend } from "./backend.ts";
import type { ClientConnection } from "./client_connection.ts";
import { HelloReader } from "./client_hello.ts";
import type { Engine } from "./engine.ts";
import type { Frontend } from "./frontend.ts";
import { gather, type Gathered } from "./gather.ts";
import { type ProxyPeers, readProxyHeader } from "./proxy_protocol.ts";

/** How long all of it may take, ms. */
export const OPENING_LIMIT = 5000;

export class Opening {
  /** Who the header says is at both ends; null where there is none, or it says nothing. */
  peers: ProxyPeers | null = null;
  #gathered: Gathered | null = null;
  readonly #hello: HelloReader | null;
  readonly #began: number;

  constructor(
    readonly engine: Engine,
    readonly client: ClientConnection,
    /** A PROXY header must come. */
    private headerDue: boolean,
  ) {
    this.#began = engine.now;
    this.#hello = client.frontend.tcpRoutes?.byName === true ? new HelloReader() : null;
  }

  /** Reads on; when it is over the client is told. */
  received(region: number, start: number, length: number): void {
    const gathered = gather(this.engine, this.#gathered, region, start, length);
    this.#gathered = gathered;
    if (gathered === null) return this.client.close(true);
    if (!this.headerDue) return this.#readHello(gathered, gathered.start + gathered.length - length);
    const { bytes } = this.engine.io.arena;
    const reading = readProxyHeader(bytes, gathered.start, gathered.start + gathered.length);
    if (reading.type === "more") return;
    if (reading.type === "refused") return this.#refuse(reading.reason);
    this.headerDue = false;
    this.#introduce(reading.peers);
    gathered.start += reading.length;
    gathered.length -= reading.length;
    this.engine.compact(gathered);
    this.#readHello(gathered, gathered.start);
  }

  /** The time is over. */
  expired(): void {
    // Who sends nothing may be waiting for the server to speak first.
    const silent = this.#gathered === null || this.#gathered.length === 0;
    if (this.headerDue) this.#refuse(`${silent ? "nothing" : "no whole header"} came within ${OPENING_LIMIT / 1000} s`);
    else if (silent) this.#conclude(null);
    else this.client.close(true);
  }

  /** Forgets what was read. */
  end(): void {
    if (this.#gathered !== null) this.engine.io.give(this.#gathered.region);
    this.#gathered = null;
  }

  /** Closes the connection of somebody who does not say who it is; the operator is told, and the access log. */
  #refuse(reason: string): void {
    const { client, engine: { accessLog } } = this;
    client.frontend.complain(
      `closed a connection from ${client.addressText}: it did not begin with a PROXY header (${reason})`,
    );
    const trace = accessLog === null ? null : accessLog.begin(client, null, this.#began);
    client.close(true);
    if (accessLog === null || trace === null) return;
    trace.detail = reason;
    accessLog.end(trace, "client_bad_proxy_header", client, null);
  }

  #introduce(peers: ProxyPeers | null): void {
    this.peers = peers;
    if (peers !== null) this.client.address = formatAddress(peers.source.address);
  }

  #readHello(gathered: Gathered, from: number): void {
    if (this.#hello === null) return this.#conclude(null);
    const reading = this.#hello.read(this.engine.io.arena.bytes, from, gathered.start + gathered.length);
    // What is no hello goes where a hello without a name goes: the server knows what to say to it.
    if (reading.type !== "more") this.#conclude(reading.type === "hello" ? reading.serverName : null);
  }

  #conclude(serverName: string | null): void {
    const { client, engine } = this;
    const backend = backendFor(engine, client.frontend, serverName, client);
    const gathered = this.#gathered;
    this.#gathered = null;
    if (gathered !== null && gathered.length === 0) engine.io.give(gathered.region);
    client.serve(backend, gathered === null || gathered.length === 0 ? null : gathered);
  }
}

/** Where a connection of `mode: tcp` goes. */
export function backendFor(
  engine: Engine,
  frontend: Frontend,
  serverName: string | null,
  client: ClientConnection,
): Backend | null {
  const { tcpRoutes } = frontend;
  if (tcpRoutes === null) return frontend.backend;
  const address = engine.addressOf(client);
  const name = tcpRoutes.find(serverName, isAddress(address) ? parseAddress(address) : null);
  return name === null ? frontend.backend : engine.routing.backends.get(name) ?? null;
}
