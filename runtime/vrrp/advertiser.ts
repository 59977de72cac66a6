/** Sends the advertisements of one virtual router. They differ by priority and destination only: each is encoded once. */
import { type Address, formatAddress } from "../bytes/address.ts";
import { encodeIPv4 } from "../bytes/ipv4.ts";
import { errnoName } from "../os/errno.ts";
import { encode } from "./advertisement.ts";
import type { Counters } from "./counters.ts";
import { protocolNumber } from "./message.ts";
import { advertisedAddresses, type Outlook } from "./outlook.ts";
import type { WirePort } from "./ports.ts";
import type { InstanceOptions } from "./protocol.ts";

/** Precedence "internetwork control" (RFC 791), which keepalived and FRR use too. */
const tos = 0xc0;
/** RFC 9568 §5.1.1.3: whoever receives less knows that the packet crossed a router. */
const hopLimit = 255;

interface Packet {
  readonly destination: Address;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export class Advertiser {
  readonly #packets = new Map<number, readonly Packet[]>();

  constructor(
    private readonly wire: WirePort,
    private readonly counters: Counters,
    /** Told when an advertisement could not leave. */
    private readonly failed: (text: string) => void,
  ) {}

  /** Options or addresses are other ones. */
  forget(): void {
    this.#packets.clear();
  }

  advertise(priority: number, options: InstanceOptions, outlook: Outlook): void {
    if (!outlook.usable) return;
    let packets = this.#packets.get(priority);
    if (packets === undefined) this.#packets.set(priority, packets = packetsOf(priority, options, outlook));
    for (const { bytes, destination } of packets) {
      const errno = this.wire.transmit(bytes, destination);
      if (errno !== 0) {
        this.failed(`Cannot send advertisement to ${formatAddress(destination)}: ${errnoName(errno)}`);
      } else {
        this.counters.adverts_sent++;
        if (priority === 0) this.counters.priority_zero_sent++;
      }
    }
  }
}

function packetsOf(priority: number, options: InstanceOptions, outlook: Extract<Outlook, { usable: true }>): Packet[] {
  const { version, virtualRouterId, advertInterval: interval, authentication } = options;
  const { primary: source } = outlook;
  const advertisement = { version, virtualRouterId, priority, interval, addresses: advertisedAddresses(options) };
  const password = authentication?.password ?? null;
  // "auto" sends what keepalived 2.2 and FRR 8 understand, which know no other form.
  const checksum = options.checksum === "plain" ? "plain" : "pseudo";
  return outlook.destinations.map((destination) => {
    const message = encode(advertisement, { source, destination, password, checksum });
    return {
      destination,
      bytes: encodeIPv4({ source, destination, protocol: protocolNumber, hopLimit, tos }, message),
    };
  });
}
