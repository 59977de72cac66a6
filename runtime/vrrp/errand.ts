/** A move that the operator ordered: answered at once, when the addresses have moved, and when all is over. */
import type { Hold, VrrpReport } from "./protocol.ts";

type Answer = Extract<VrrpReport, { type: "answer" }>;

interface Order {
  readonly id: number;
  /** What holds once the addresses are gone from here. */
  readonly hold: Hold | null;
  /** Given up then, in monotonic ms. */
  readonly until: number;
  readonly moved?: boolean;
}

export class Errand {
  #order: Order | null = null;

  constructor(private readonly report: (report: VrrpReport) => void) {}

  /** When `expire` is due; Infinity = never. */
  get deadline(): number {
    return this.#order?.until ?? Infinity;
  }

  answer(id: number, outcome: Answer["outcome"], text: string): void {
    this.report({ type: "answer", id, outcome, text });
  }

  /** Takes the order on; a newer one replaces an older one, which has failed. */
  accept(order: Order, text: string): void {
    this.settle("failed", "A newer order replaced it");
    this.#order = order;
    this.answer(order.id, "accepted", text);
  }

  /** The addresses are where they were ordered to; the hold that begins now. */
  moved(text: string): Hold | null {
    const order = this.#order;
    if (order === null) return null;
    this.#order = { ...order, hold: null, until: Infinity, moved: true };
    this.answer(order.id, "moved", text);
    return order.hold;
  }

  /** A move is over down to its last connection: this one, if it has moved at all. */
  finish(text: string): void {
    if (this.#order?.moved) this.settle("drained", text);
  }

  settle(outcome: "drained" | "failed", text: string): void {
    const order = this.#order;
    this.#order = null;
    if (order !== null) this.answer(order.id, outcome, text);
  }

  expire(now: number): void {
    if (now >= this.deadline) this.settle("failed", "The active router did not let go");
  }
}
