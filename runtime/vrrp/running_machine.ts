/** The pure machine at work: one event after the other, every effect of one carried out before the next is looked at. */
import type { Address } from "../bytes/address.ts";
import { deadline, initial, transition } from "./machine.ts";
import type { Effect, Event, Parameters, State } from "./state.ts";

export class RunningMachine {
  #state: State = initial;
  readonly #pending: Event[] = [];
  #stepping = false;
  #planned = false;

  constructor(
    private readonly parameters: () => Parameters,
    private readonly carryOut: (effect: Effect, now: number) => void,
  ) {}

  get state(): State {
    return this.#state;
  }

  /** The event that is carried out came during a planned move away from here. */
  get planned(): boolean {
    return this.#planned;
  }

  get leaving(): boolean {
    return this.#state.state === "active" && this.#state.leaving !== null;
  }

  /** The router that a backup follows; one that gave up is none. */
  get followed(): Address | null {
    if (this.#state.state !== "backup") return null;
    const { active } = this.#state;
    return active === null || active.priority === 0 ? null : active.address;
  }

  deadline(): number {
    return deadline(this.#state);
  }

  /** An effect may lead to the next event; it waits until this one is carried out in full. */
  step(event: Event): void {
    this.#pending.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        const [state, effects] = transition(this.#state, next, this.parameters());
        this.#planned = this.leaving;
        this.#state = state;
        for (const effect of effects) this.carryOut(effect, next.now);
      }
    } finally {
      this.#stepping = false;
    }
  }
}
