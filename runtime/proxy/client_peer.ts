/** Who is at the other end of a client's connection: what the kernel says, a PROXY header, or a trusted proxy's fields. */
import type { Address, Cidr } from "../bytes/address.ts";
import type { RequestHead } from "../http/mod.ts";
import { peerAddressOf } from "../os/tcp_socket.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import type { Frontend } from "./frontend.ts";
import type { Opening } from "./opening.ts";
import type { ProxyPeers } from "./proxy_protocol.ts";
import type { Peer } from "./routes/request_facts.ts";

export abstract class ClientPeer extends Connection implements Peer {
  /** The client's address as text, made when first needed. */
  address: string | null = null;
  /** The same, parsed when a rule first asked for it; null where it is no IP address. */
  parsedAddress: Address | null | undefined = undefined;
  /** The address it connected to; null on a wildcard listener, until asked. */
  localAddress: string | null;
  /** The client's port, when the access log has asked. */
  port: number | null = null;
  /** What came before all else; null where nothing had to. */
  protected opening: Opening | null = null;

  constructor(engine: Engine, readonly frontend: Frontend, fd: number, localAddress: string | null) {
    super(engine);
    this.fd = fd;
    this.localAddress = localAddress;
  }

  /** Address of whoever sent the request, as text, valid until the next one is asked for. A trusted proxy says whose it is. */
  ipOf(head: RequestHead | null): Uint8Array {
    const { engine, frontend } = this;
    const direct = head === null || frontend.trustedProxies.length === 0;
    return engine.addressBytes.of(direct ? this.addressText : engine.routing.facts.begin(head, this).clientText);
  }

  /** As routes know it. */
  get addressText(): string {
    return this.address ??= peerAddressOf(this.fd);
  }

  get scheme(): "http" | "https" {
    return "http";
  }

  /** Both ends as a PROXY header told them; null where there was none. */
  get relayed(): ProxyPeers | null {
    return this.opening?.peers ?? null;
  }

  get trusted(): readonly Cidr[] {
    return this.frontend.trustedProxies;
  }
}
