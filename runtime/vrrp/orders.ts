/** The operator's word to a virtual router: it moves away and holds, comes back, and how the order that was given ends. */
import { formatAddress } from "../bytes/address.ts";
import type { Conditions } from "./conditions.ts";
import { Errand } from "./errand.ts";
import type { Hold, InstanceOptions, VrrpReport } from "./protocol.ts";
import type { Reporter } from "./reporter.ts";
import type { Event, State } from "./state.ts";
import { downInterval } from "./timing.ts";

/** A failback that nobody grants is given up after this, in ms beyond Active_Down_Interval. */
const failbackPatience = 5000;

/** The virtual router that obeys. */
export interface OrdersHost {
  readonly options: () => InstanceOptions;
  readonly state: () => State;
  readonly conditions: Conditions;
  readonly reporter: Reporter;
  readonly step: (event: Event) => void;
  /** The status differs from the last one told. */
  readonly changed: () => void;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly report: (report: VrrpReport) => void;
}

export class Orders {
  readonly #errand: Errand;

  constructor(private readonly host: OrdersHost) {
    this.#errand = new Errand(host.report);
  }

  /** When `expire` is due, monotonic ms; Infinity = never. */
  get deadline(): number {
    return this.#errand.deadline;
  }

  failover(id: number, hold: Hold | null, now: number): void {
    const state = this.host.state();
    if (state.state !== "active") return this.#errand.answer(id, "refused", `It is ${state.state} here, not active`);
    if (state.leaving !== null) return this.#errand.answer(id, "refused", "A move is under way already");
    this.#errand.accept({ id, hold, until: Infinity }, "The peer is asked to take over");
    this.host.step({ type: "leave", cause: "failover", reason: hold?.reason || "failover", now });
  }

  failback(id: number, now: number): void {
    const { conditions } = this.host;
    const held = conditions.hold !== null;
    this.#setHold(null);
    const state = this.host.state();
    if (state.state === "active") return this.#errand.answer(id, "refused", "It is active here already");
    if (state.state !== "backup") return this.#errand.answer(id, "refused", `It is ${state.state} here`);
    const options = this.host.options();
    const priority = conditions.priority(options);
    const { active, activeInterval } = state;
    const until = now + downInterval(options.version, priority, activeInterval) + failbackPatience;
    this.#errand.accept({ id, hold: null, until }, held ? "The hold is over" : "There was no hold");
    if (active !== null && active.priority >= priority) {
      const text = `${formatAddress(active.address)} keeps it: its priority ${active.priority} is not lower than ours`;
      return this.#errand.settle("drained", text);
    }
    this.host.step({ type: "failback", now });
  }

  /** The addresses came here. */
  arrived(): void {
    this.#errand.moved("It is active here");
  }

  /** The addresses went away: what was ordered to hold then, holds. */
  left(text: string): void {
    const hold = this.#errand.moved(text);
    if (hold !== null) this.#setHold(hold);
  }

  failed(text: string): void {
    this.#errand.settle("failed", text);
  }

  /** The move is over down to its last connection; `keep`: why connections were not kept, null = they were. */
  finished(keep: string | null): void {
    const text = keep === null ? "the last connection has ended" : `connections are not kept: ${keep}`;
    this.#errand.finish(`Moved; ${text}`);
    this.host.changed();
  }

  endHold(text: string): void {
    this.host.reporter.notice(text);
    this.#setHold(null);
  }

  expire(now: number): void {
    this.#errand.expire(now);
  }

  /** What only the clock on the wall knows. */
  tick(): void {
    const until = this.host.conditions.hold?.until ?? null;
    if (until !== null && this.host.wallClock() >= until) this.endHold("The hold is over: its time has come");
  }

  #setHold(hold: Hold | null): void {
    this.host.conditions.hold = hold;
    this.host.changed();
  }
}
