/** The head of a request about which somebody else has to be asked first; its body waits in the client's connection. */
import { parseRequest, type RequestHead, type RequestLimits } from "../http/mod.ts";
import { NO_REGION } from "../os/arena.ts";
import type { Engine } from "./engine.ts";

/** What is asked about a request; disposed of, nobody wants to know any more. */
export interface Errand extends Disposable {
  /** The time for an answer is over. */
  late(): void;
}

export class HeldRequest implements Disposable {
  /** What is done for it; disposed of with it. */
  errand: Errand | null = null;
  #region: number;
  readonly #length: number;

  /** Copies the head out of the buffer that it was received in. */
  constructor(readonly engine: Engine, head: RequestHead) {
    this.#length = head.length;
    this.#region = engine.takeRegion(head.length);
    if (this.#region === NO_REGION) return;
    const { arena } = engine.io;
    arena.bytes.copyWithin(arena.start(this.#region), head.start, head.start + head.length);
  }

  /** Whether there was memory for it. */
  get kept(): boolean {
    return this.#region !== NO_REGION;
  }

  /** The head, parsed again; good until the next head is parsed. */
  head(limits: RequestLimits): RequestHead {
    const { requestHead, io: { arena } } = this.engine;
    const start = arena.start(this.#region);
    requestHead.reset();
    parseRequest(requestHead, arena.bytes, start, start + this.#length, limits);
    return requestHead;
  }

  [Symbol.dispose](): void {
    this.errand?.[Symbol.dispose]();
    this.errand = null;
    if (this.#region !== NO_REGION) this.engine.io.give(this.#region);
    this.#region = NO_REGION;
  }
}
