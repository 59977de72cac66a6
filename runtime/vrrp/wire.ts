/** The sockets of one interface, shared by the virtual routers on it. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import { Errno, OsError } from "../os/errno.ts";
import type { Poller } from "../os/scheduling.ts";
import {
  type Device,
  openPacketReceiver,
  openPacketSender,
  openUdpSockets,
  type PacketReceiver,
  type PacketSender,
  type Received,
  type UdpSocket,
  type UdpSockets,
} from "../os/socket.ts";
import { handoverPort } from "./handover_message.ts";
import { groups, protocolNumber } from "./message.ts";

/** Messages taken in one wake-up: a flood must not keep the timers waiting. */
const atOnce = 64;

export interface WireOptions {
  readonly device: Device;
  readonly poller: Poller;
  /** A packet of protocol 112 with its header; a view until it returns. */
  readonly packet: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** A datagram of the hand-over channel that no router passed on, and whether it came in by this interface. */
  readonly datagram: (received: Received, arrived: Arrival) => void;
  /** Something does not work; the wire goes on without it. */
  readonly problem: (text: string) => void;
}

/**
 * By which interface a datagram to an address of this one came in. Where another one is on the same segment, the kernel
 * answers ARP for the address on both, and a peer may send to either.
 */
export type Arrival = "here" | "elsewhere";

interface Channel {
  readonly address: Address;
  readonly sockets: UdpSockets;
}

export class Wire implements Disposable {
  readonly device: Device;
  readonly #options: WireOptions;
  readonly #receiver: PacketReceiver;
  readonly #sender: PacketSender;
  #channels: Channel[] = [];
  /** What kept a channel from being opened: told once, tried again each time. */
  readonly #told = new Set<string>();

  /** @throws {OsError} EPERM without CAP_NET_RAW, ENODEV when the interface has just gone. */
  constructor(options: WireOptions) {
    this.#options = options;
    this.device = options.device;
    this.#receiver = openPacketReceiver(options.device, protocolNumber, groups.ipv4);
    try {
      this.#sender = openPacketSender(options.device);
    } catch (error) {
      this.#receiver[Symbol.dispose]();
      throw error;
    }
    options.poller.add(this.#receiver.fd, () => this.#drain());
  }

  /** Listens for hand-over messages to exactly these addresses. Again for the same: tries those that could not be had. */
  converseOn(addresses: readonly Address[]): void {
    const { poller, device, problem } = this.#options;
    for (const channel of this.#channels) {
      if (!addresses.some((address) => equalAddresses(address, channel.address))) this.#close(channel);
    }
    this.#channels = this.#channels.filter(({ address }) => addresses.some((one) => equalAddresses(one, address)));
    for (const address of addresses) {
      if (this.#channels.some((channel) => equalAddresses(channel.address, address))) continue;
      try {
        const sockets = openUdpSockets(device, address, handoverPort);
        this.#channels.push({ address, sockets });
        this.#told.clear();
        poller.add(sockets.here.fd, () => this.#listen(sockets.here, "here"));
        poller.add(sockets.elsewhere.fd, () => this.#listen(sockets.elsewhere, "elsewhere"));
      } catch (error) {
        if (!(error instanceof OsError)) throw error;
        if (this.#told.has(error.message)) continue;
        this.#told.add(error.message);
        problem(`${error.message}; moves to and from ${formatAddress(address)} do not keep connections`);
      }
    }
  }

  /** The errno that kept the packet from leaving; 0 = it left. */
  transmit(packet: Uint8Array<ArrayBuffer>, destination: Address): number {
    return this.#sender.send(packet, destination);
  }

  say(bytes: Uint8Array<ArrayBuffer>, source: Address, destination: Address): number {
    const channel = this.#channels.find(({ address }) => equalAddresses(address, source));
    return channel?.sockets.here.send(bytes, destination, handoverPort) ?? Errno.EADDRNOTAVAIL;
  }

  [Symbol.dispose](): void {
    for (const channel of this.#channels.splice(0)) this.#close(channel);
    this.#options.poller.remove(this.#receiver.fd);
    this.#receiver[Symbol.dispose]();
    this.#sender[Symbol.dispose]();
  }

  #drain(): void {
    for (let i = 0; i < atOnce; i++) {
      const bytes = this.#receiver.receive();
      if (bytes === null) return;
      this.#options.packet(bytes);
    }
  }

  #listen(socket: UdpSocket, arrived: Arrival): void {
    for (let i = 0; i < atOnce; i++) {
      const received = socket.receive();
      if (received === null) return;
      // Whoever is farther away than this segment cannot have TTL 255.
      if (received.hopLimit === 255 && received.port === handoverPort) this.#options.datagram(received, arrived);
    }
  }

  #close({ sockets }: Channel): void {
    this.#options.poller.remove(sockets.here.fd);
    this.#options.poller.remove(sockets.elsewhere.fd);
    sockets[Symbol.dispose]();
  }
}
