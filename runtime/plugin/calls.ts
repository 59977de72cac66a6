/** Calls of one process that wait for their answer, and the questions the plugin asks in the meantime. */
import type { Clock } from "../os/clock.ts";
import { Broker, type Capabilities } from "./broker.ts";
import { PluginThrew, PluginUnavailable } from "./failure.ts";
import { ProtocolViolation } from "./frame.ts";
import { ASK_CREDITS, type FromPlugin, type Method, type ToPlugin } from "./protocol.ts";

export interface CallOptions {
  /** Its reason is what the plugin reads; the host beside the plugin answers in its place. */
  readonly signal: AbortSignal;
  /** @default none */
  readonly capabilities?: Capabilities;
  /** Sent with `init`; later calls of the same use have it. */
  readonly config?: unknown;
}

interface Outstanding {
  readonly broker: Broker;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const MOST_CALLS = 1024;
/** How long after its deadline the host may take to answer for the plugin, ms. */
const PATIENCE = 1000;

export class Calls {
  readonly #open = new Map<number, Outstanding>();
  #next = 1;
  #asks = 0;
  constructor(private readonly clock: Clock, private readonly send: (message: ToPlugin) => void) {}

  /**
   * @throws {PluginThrew} what the plugin's code threw
   * @throws {PluginUnavailable} when no answer comes
   */
  call(method: Method, use: string, argument: unknown, options: CallOptions): Promise<unknown> {
    if (this.#open.size >= MOST_CALLS) {
      return Promise.reject(new PluginUnavailable(`${MOST_CALLS} calls wait for it already`));
    }
    const { signal, capabilities = {}, config } = options;
    const id = this.#next++;
    try {
      this.send({ type: "call", id, use, method, argument, ...(config === undefined ? {} : { config }) });
    } catch (cause) {
      // What was never asked is never answered, and waits for nothing.
      return Promise.reject(new PluginUnavailable(cause instanceof Error ? cause.message : String(cause), { cause }));
    }
    return new Promise((resolve, reject) => {
      let patience: Disposable | undefined;
      const abort = () => {
        const { name, message } = signal.reason instanceof Error ? signal.reason : new Error("aborted");
        this.send({ type: "cancel", id, reason: { name, message } });
        // The entry stays: an answer that comes later still is an answer, and no violation.
        patience = this.clock.after(PATIENCE, () => reject(new PluginUnavailable("it does not answer")));
      };
      const settle = () => {
        signal.removeEventListener("abort", abort);
        patience?.[Symbol.dispose]();
      };
      this.#open.set(id, {
        broker: new Broker(capabilities),
        resolve: (value) => (settle(), resolve(value)),
        reject: (error) => (settle(), reject(error)),
      });
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** @throws {ProtocolViolation} when nobody asked, or the answer was given before. */
  answered(message: Extract<FromPlugin, { type: "answer" }>): void {
    const call = this.#open.get(message.id);
    if (!call) throw new ProtocolViolation(`Answered call ${message.id}, which nobody waits for`);
    this.#open.delete(message.id);
    call.broker[Symbol.dispose]();
    if ("abandoned" in message) call.reject(new PluginUnavailable("it gave no answer by its deadline"));
    else if ("error" in message) call.reject(new PluginThrew(message.error));
    else call.resolve(message.value);
  }

  /** Rejects with a {@linkcode ProtocolViolation} when the question breaks the rules; else it is answered, if only with no. */
  async asked({ id, call, ask }: Extract<FromPlugin, { type: "ask" }>): Promise<void> {
    if (this.#asks >= ASK_CREDITS) throw new ProtocolViolation(`Asked more than ${ASK_CREDITS} questions at once`);
    this.#asks++;
    try {
      const broker = this.#open.get(call)?.broker;
      if (!broker) throw new Error("The call is over");
      this.send({ type: "reply", id, value: await broker.answer(ask) });
    } catch (error) {
      if (error instanceof ProtocolViolation) throw error;
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      this.send({ type: "reply", id, error: { name, message } });
    } finally {
      this.#asks--;
    }
  }

  /** The process is gone: nobody answers any more. */
  end(reason: string): void {
    for (const call of this.#open.values()) {
      call.broker[Symbol.dispose]();
      call.reject(new PluginUnavailable(reason));
    }
    this.#open.clear();
  }
}
