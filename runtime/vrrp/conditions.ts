/** What holds a virtual router back: its interface, the interfaces and trackers it depends on, the operator. */
import type { Address } from "../bytes/address.ts";
import { combineTracking, type Outlook } from "./outlook.ts";
import type { Hold, InstanceOptions, Tracking } from "./protocol.ts";
import type { Parameters } from "./state.ts";

const untracked: Tracking = { effect: "none", causes: [] };
const nowhere: Address = new Uint8Array(4);
/** "I cannot serve, take it if you can" (contract 2.1). */
const yieldingPriority = 1;

/** What the machine around a virtual router does to it. */
export interface Surroundings {
  readonly outlook: Outlook;
  /** What interfaces that the options track do to this router. */
  readonly interfaces: Tracking;
}

const unknown: Surroundings = { outlook: { usable: false, reason: "not started", view: null }, interfaces: untracked };

export class Conditions {
  hold: Hold | null = null;
  #surroundings = unknown;
  #tracking = untracked;
  /** Worked out at each change, because every packet asks. */
  #combined = untracked;

  see(surroundings: Surroundings): void {
    this.#surroundings = surroundings;
    this.#combine();
  }

  /** What control's trackers say. */
  track(tracking: Tracking): void {
    this.#tracking = tracking;
    this.#combine();
  }

  get outlook(): Outlook {
    return this.#surroundings.outlook;
  }

  /** Own address on the wire; null while there is none. */
  get primary(): Address | null {
    return this.outlook.usable ? this.outlook.primary : null;
  }

  /** Everything as one: the worst effect, every cause. */
  get combined(): Tracking {
    return this.#combined;
  }

  get yields(): boolean {
    return this.combined.effect === "yield";
  }

  /** Why this router could not take the addresses although it is backup; null = it could. */
  get inability(): string | null {
    const { effect, causes } = this.combined;
    return effect === "none" ? null : causes.join("; ") || `its effect is ${effect}`;
  }

  priority(options: InstanceOptions): number {
    return this.yields ? yieldingPriority : options.priority;
  }

  parameters(options: InstanceOptions): Parameters {
    const { version, advertInterval, preempt, preemptDelay } = options;
    return {
      version,
      priority: this.priority(options),
      advertInterval,
      preempt,
      preemptDelay,
      primary: this.primary ?? nowhere,
      held: this.hold !== null,
    };
  }

  #combine(): void {
    const own: Tracking = this.outlook.usable ? untracked : { effect: "fault", causes: [this.outlook.reason] };
    this.#combined = combineTracking([own, this.#surroundings.interfaces, this.#tracking]);
  }
}
