/**
 * Runs holder and keeper in the namespace it is started in, as the vrrp role does: one synchronous poll loop. Reads
 * `{ id, do, with }` lines, answers `{ id, value }` or `{ id, error }`, and reports `{ event }` with the time.
 */
import { libc } from "../../runtime/os/libc.ts";
import { openPacketSocket } from "../../runtime/os/packet_socket.ts";
import { openNetwork } from "../../runtime/os/rtnetlink_network.ts";
import { Holder } from "../../runtime/vip/holder.ts";
import { Keeper } from "../../runtime/vip/keeper.ts";

const [ledger] = Deno.args;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function say(value: unknown): void {
  const line = encoder.encode(JSON.stringify(value) + "\n");
  libc().write(1, line, BigInt(line.length));
}

const at = () => performance.timeOrigin + performance.now();
const network = openNetwork();
const frames = openPacketSocket();
const holder = new Holder({ network, frames, report: (event) => say({ event, at: at() }) });
const keeper = new Keeper({
  network,
  ledger: ledger ?? null,
  report: (event) => say({ event, at: at() }),
  said: () => {},
});

// deno-lint-ignore no-explicit-any
const commands: Record<string, (argument: any, now: number) => unknown> = {
  link: ({ name }) => {
    const link = network.link(name);
    return link === undefined ? null : { ...link, mac: [...link.mac] };
  },
  acquire: ({ instance, holding }, now) => holder.acquire(instance, holding, now),
  release: ({ instance }) => holder.release(instance),
  announce: ({ instance }, now) => holder.announce(instance, now),
  reconcile: ({ addresses }) => holder.reconcile(addresses),
  held: ({ instance }) => ({ held: holder.held(instance), ...holder.counters(instance) }),
  missing: () => keeper.missing(),
  forward: ({ instance, forwarding }, now) =>
    keeper.forward(instance, {
      ...forwarding,
      device: network.link(forwarding.interface)?.index,
      peer: { ...forwarding.peer, mac: Uint8Array.from(forwarding.peer.mac) },
    }, now),
  confirm: ({ instance }, now) => keeper.confirm(instance, now),
  stopForwarding: ({ instance }) => keeper.stopForwarding(instance),
  retain: ({ instance, retention }, now) => keeper.retain(instance, retention, now),
  drain: ({ instance }, now) => keeper.drain(instance, now),
  connections: ({ instance }) => keeper.connections(instance),
  letGo: ({ instance }) => keeper.letGo(instance),
  clean: ({ addresses }) => keeper.clean(addresses),
};

function obey(line: string): void {
  const { id, do: name, with: argument } = JSON.parse(line);
  try {
    say({ id, value: commands[name](argument, performance.now()) ?? null });
  } catch (error) {
    say({ id, error: String(error) });
  }
}

say({ ready: true });
const POLLIN = 1;
const polled = new Int32Array(6);
const input = new Uint8Array(65536);
let text = "";
for (;;) {
  polled.set([0, POLLIN, network.fd, POLLIN, keeper.fd, POLLIN]);
  const wait = Math.min(holder.deadline(), keeper.deadline()) - performance.now();
  libc().poll(new Uint8Array(polled.buffer), 3n, Number.isFinite(wait) ? Math.max(0, Math.ceil(wait)) : -1);
  if (polled[1] >> 16 !== 0) {
    const length = libc().read(0, input, BigInt(input.length));
    if (length <= 0) break;
    const lines = (text + decoder.decode(input.subarray(0, length))).split("\n");
    text = lines.pop() ?? "";
    lines.forEach(obey);
  }
  const events = network.read();
  const now = performance.now();
  for (const event of events) {
    if (event.type !== "address") say({ event, at: at() });
    holder.observe(event, now);
  }
  keeper.read(now);
  holder.run(now);
  keeper.run(now);
}
keeper.close();
network.close();
