/**
 * Sends malformed advertisements as fast as it is told: `vrrp_flood.ts INTERFACE SOURCE VERSION SECONDS RATE TARGET KIND…`, RATE a
 * second of each kind. Every message is a sound advertisement with priority 254 but for one thing.
 */
import { parseAddress } from "../../runtime/bytes/address.ts";
import { encodeIPv4 } from "../../runtime/bytes/ipv4.ts";
import { cString, libc } from "../../runtime/os/libc.ts";
import { openPacketSender } from "../../runtime/os/socket.ts";
import { encode } from "../../runtime/vrrp/advertisement.ts";
import { checksumOf } from "../../runtime/vrrp/message.ts";

const destination = parseAddress("224.0.0.18");

/** What is wrong, and the counter it belongs to. */
export const kinds = {
  "ttl": "ttl",
  "version-4": "version",
  "other-version": "version",
  "type": "type",
  "short": "length",
  "long": "length",
  "no-header": "length",
  "checksum": "checksum",
  "count-0": "count",
  "interval-0": "interval",
  "other-interval": "interval",
  "password": "auth",
  "no-password": "auth",
  "vrid": "vrid",
  "unicast": "source",
} as const;

export type Kind = keyof typeof kinds;

function packetOf(kind: Kind, source: string, version: 2 | 3, to = destination): Uint8Array<ArrayBuffer> {
  const from = parseAddress(source);
  const sent = kind === "other-version" ? (version === 2 ? 3 : 2) : version;
  const advertisement = {
    version: sent,
    virtualRouterId: kind === "vrid" ? 52 : 51,
    priority: 254,
    interval: kind === "other-interval" ? 7000 : 1000,
    addresses: kind === "count-0" ? [] : [parseAddress("192.0.2.100")],
  } as const;
  const password = sent === 2 && kind !== "no-password" ? (kind === "password" ? "4711" : "1111") : null;
  const options = { source: from, destination: to, password, checksum: "pseudo" } as const;
  const message = encode(advertisement, options);
  if (kind === "version-4") message[0] = 0x41;
  if (kind === "type") message[0] = version << 4 | 2;
  if (kind === "interval-0") message[5] = 0;
  if (["version-4", "type", "interval-0"].includes(kind)) {
    message.set([0, 0], 6);
    const sum = checksumOf(message, options, version === 2 ? "plain" : "pseudo");
    message.set([sum >> 8, sum & 0xff], 6);
  }
  if (kind === "checksum") message[6] ^= 0xff;
  const length = { "short": message.length - 1, "long": message.length + 4, "no-header": 7 }[kind as string];
  const payload = new Uint8Array(length ?? message.length);
  payload.set(message.subarray(0, payload.length));
  const header = { source: from, destination: to, protocol: 112, hopLimit: kind === "ttl" ? 254 : 255, tos: 0xc0 };
  return encodeIPv4(header, payload);
}

if (import.meta.main) {
  const [device, source, version, seconds, rate, target, ...wanted] = Deno.args;
  using sender = openPacketSender({ name: device, index: libc().if_nametoindex(cString(device)) });
  const packets = (wanted as Kind[]).map((kind) => {
    const to = kind === "unicast" ? parseAddress(target) : destination;
    return { to, packet: packetOf(kind, source, Number(version) as 2 | 3, to) };
  });
  const begin = performance.now();
  let sent = 0;
  for (let elapsed = 0; elapsed < Number(seconds) * 1000; elapsed = performance.now() - begin) {
    for (const due = Math.floor(elapsed / 1000 * Number(rate)); sent < due; sent++) {
      for (const { packet, to } of packets) sender.send(packet, to);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  // deno-lint-ignore no-console -- the number of messages of each kind is this program's answer
  console.log(sent);
}
