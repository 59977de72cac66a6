/** What a virtual router says: log lines, events for the journal, and never more than one of a kind a minute. */
import { type Address, formatAddress } from "../bytes/address.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Drop, Incompatible } from "./inspection.ts";
import { Limiter } from "./limiter.ts";
import { explainDifference } from "./peers.ts";
import type { VrrpEvent, VrrpReport } from "./protocol.ts";
import type { Effect } from "./state.ts";

/** Address lists of others that are remembered, so that each is told once. */
const mostMismatches = 100;

export interface ReporterOptions {
  /** Of the virtual router; a reload may give it another. */
  readonly name: () => string;
  readonly log: Logger;
  readonly report: (report: VrrpReport) => void;
  readonly wallClock: () => number;
}

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #limiter = new Limiter();
  readonly #mismatches = new Set<string>();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /**
   * @param priority effective as it moved: what keepalived gives its hooks
   * @param connections what becomes of established ones in a planned move, null = they are kept; undefined = no such move
   */
  transition(
    { from, to, reason }: Extract<Effect, { type: "transition" }>,
    priority: number,
    connections: string | null | undefined,
  ): void {
    const note = typeof connections === "string" ? `; connections are not kept: ${connections}` : "";
    const text = `${from} → ${to}: ${reason}${note}`;
    const severity = to === "fault" ? "error" : "notice";
    this.#options.log[severity](`${this.#options.name()}: ${text}`, { from, to });
    const kept = connections === undefined ? {} : { connections: connections ?? "kept" };
    const fields = { from, to, reason, priority, ...kept };
    this.#event("vrrp.transition", severity, text, fields);
  }

  moved({ cause, outcome, text }: Extract<Effect, { type: "settle" }>): void {
    if (outcome === "left") return;
    this.#options.log[outcome === "moved" ? "notice" : "warning"](
      `${this.#options.name()}: Planned move (${cause}): ${text}`,
    );
  }

  dropped({ reason, text }: Drop, source: Address, now: number): void {
    const left = this.#limiter.pass(reason, now);
    if (left === null) return;
    const from = formatAddress(source);
    const said = `Advertisement from ${from} dropped: ${text}${more(left)}`;
    this.#options.log.warning(`${this.#options.name()}: ${said}`, { reason });
    this.#event("dropped", "warning", said, { reason, source: from });
  }

  incompatible(difference: Incompatible, source: Address, now: number): void {
    const peer = formatAddress(source);
    if (this.#limiter.pass(`incompatible ${peer}`, now) === null) return;
    const text = explainDifference(difference, peer, this.#options.name());
    this.#options.log.error(`${this.#options.name()}: Incompatible peer: ${text}`);
    this.#event("peer.state", "error", text, { peer, state: "incompatible", setting: difference.setting });
  }

  mismatch(theirs: readonly Address[], ours: readonly Address[], source: Address): void {
    const peer = formatAddress(source);
    const list = theirs.map(formatAddress).join(", ");
    const key = `${peer} ${list}`;
    if (this.#mismatches.has(key) || this.#mismatches.size >= mostMismatches) return;
    this.#mismatches.add(key);
    const own = ours.map(formatAddress).join(", ");
    const text = `${peer} advertises other addresses: ${list}; ours are ${own}`;
    this.#options.log.warning(`${this.#options.name()}: ${text}`);
    this.#event("peer.state", "warning", text, { peer, theirs: list, ours: own });
  }

  /** Our own addresses are other ones: what differs from them is news again. */
  forget(): void {
    this.#mismatches.clear();
  }

  notice(text: string): void {
    this.#options.log.notice(`${this.#options.name()}: ${text}`);
  }

  /** A warning that may come with every packet. */
  warn(cause: string, text: string, now: number): void {
    const left = this.#limiter.pass(cause, now);
    if (left !== null) this.#options.log.warning(`${this.#options.name()}: ${text}${more(left)}`);
  }

  #event(type: VrrpEvent["type"], severity: VrrpEvent["severity"], text: string, fields: VrrpEvent["fields"]): void {
    const { name, wallClock, report } = this.#options;
    report({ type: "event", event: { type, severity, about: name(), at: wallClock(), text, fields } });
  }
}

function more(left: number): string {
  return left > 0 ? `; ${left} more like it since the last one` : "";
}
