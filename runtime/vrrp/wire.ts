/** The sockets of one interface, shared by the virtual routers on it. */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import { Errno, OsError } from "../os/errno.ts";
import type { Poller } from "../os/scheduling.ts";
import {
  type Device,
  openPacketReceiver,
  openPacketSender,
  openUdpSocket,
  type PacketReceiver,
  type PacketSender,
  type Received,
  type UdpSocket,
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
  /** A datagram of the hand-over channel that came from this network segment, to `address`. */
  readonly datagram: (received: Received, address: Address) => void;
  /** Something does not work; the wire goes on without it. */
  readonly problem: (text: string) => void;
}

interface Channel {
  readonly address: Address;
  readonly socket: UdpSocket;
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
        const channel = { address, socket: openUdpSocket(device, address, handoverPort) };
        this.#channels.push(channel);
        this.#told.clear();
        poller.add(channel.socket.fd, () => this.#listen(channel));
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
    return channel?.socket.send(bytes, destination, handoverPort) ?? Errno.EADDRNOTAVAIL;
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

  #listen({ address, socket }: Channel): void {
    for (let i = 0; i < atOnce; i++) {
      const received = socket.receive();
      if (received === null) return;
      // Whoever is farther away than this segment cannot have TTL 255.
      if (received.hopLimit === 255 && received.port === handoverPort) this.#options.datagram(received, address);
    }
  }

  #close({ socket }: Channel): void {
    this.#options.poller.remove(socket.fd);
    socket[Symbol.dispose]();
  }
}
