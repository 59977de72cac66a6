/**
 * Who held an address and from when to when, by the kernel's own word on every host of a network: unlike looking again
 * and again it misses nothing, however short. A copy on `lo` is no holder.
 */
import { ahead } from "./ahead.ts";
import { Running, until } from "./command.ts";
import type { Lan } from "./namespaces.ts";

/** Milliseconds since the epoch; `to` is Infinity while it lasts. */
export interface Span {
  readonly host: string;
  readonly from: number;
  readonly to: number;
}

export class AddressWatch implements AsyncDisposable {
  private constructor(
    private readonly address: string,
    private readonly monitors: ReadonlyMap<string, Running>,
    private readonly first: readonly Span[],
  ) {}

  static async start(lan: Lan, address: string): Promise<AddressWatch> {
    const monitors = new Map(lan.hosts.map((host) => {
      const argv = ["ip", "-ts", "-o", "-4", "monitor", "address"];
      return [host.name, new Running(`${host.name}: ip monitor`, host.inside(ahead(argv)))];
    }));
    for (const { pid } of monitors.values()) await until("ip monitor listens", () => listens(pid), { interval: 5 });
    const holders = await lan.holders(address);
    return new AddressWatch(address, monitors, holders.map((host) => ({ host, from: -Infinity, to: Infinity })));
  }

  /** Every time that a host held the address, oldest first. */
  spans(): Span[] {
    return [...this.monitors].flatMap(([host, { output }]) => this.#spansOf(host, output))
      .sort((one, other) => one.from - other.from);
  }

  /** When `host` lost the address last; null = it has it, or never had. */
  lost(host: string): number | null {
    const to = this.spans().findLast((span) => span.host === host)?.to;
    return to === undefined || to === Infinity ? null : to;
  }

  /** Times within the window in which two hosts held it: "dlp1 and dlp2 for 3.1 ms". */
  doubles({ from, to }: { readonly from: number; readonly to: number }): string[] {
    const spans = this.spans();
    return spans.flatMap((one, index) =>
      spans.slice(index + 1).flatMap((other) => {
        const both = Math.min(one.to, other.to, to) - Math.max(one.from, other.from, from);
        return one.host !== other.host && both > 0 ? [`${one.host} and ${other.host} for ${both.toFixed(1)} ms`] : [];
      })
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const monitor of this.monitors.values()) await monitor.stop("SIGKILL");
  }

  #spansOf(host: string, output: string): Span[] {
    const spans = this.first.filter((span) => span.host === host);
    for (const line of output.split("\n")) {
      // "[2026-11-22T12:38:07.479686] Deleted 3: ens32    inet 192.0.2.100/24 scope …"; a renewed lease is said again.
      const [, time, deleted, device, address] = /^\[(\S+)\] (Deleted )?\d+: (\S+)\s+inet ([\d.]+)\//.exec(line) ?? [];
      if (address !== this.address || device === "lo") continue;
      const at = Date.parse(time.slice(0, 23)) + Number(`0.${time.slice(23)}`);
      const last = spans.at(-1);
      if (deleted === undefined) {
        if (last === undefined || last.to < Infinity) spans.push({ host, from: at, to: Infinity });
      } else if (last !== undefined) spans[spans.length - 1] = { ...last, to: Math.min(last.to, at) };
    }
    return spans;
  }
}

/** Whether the process has subscribed to changes of IPv4 addresses, group 5 of rtnetlink. */
function listens(pid: number): boolean {
  const rows = Deno.readTextFileSync(`/proc/${pid}/net/netlink`).split("\n").slice(1);
  return rows.some((row) => {
    const [, protocol, owner, groups] = row.trim().split(/\s+/);
    return protocol === "0" && Number(owner) === pid && (parseInt(groups, 16) & 0x10) !== 0;
  });
}
