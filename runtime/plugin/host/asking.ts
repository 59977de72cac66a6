/** Questions of a plugin to control: connections, endpoints, the store. All else a plugin could ask is not there. */
import { type Ask, ASK_CREDITS, CHUNK_LIMIT } from "../protocol.ts";
import type { Connection, ConnectOptions } from "../../../plugins/contract.ts";
import { fromWireError } from "./authored.ts";
import type { Pipe } from "./pipe.ts";
import type { ToPlugin } from "../protocol.ts";

type Reply = Extract<ToPlugin, { type: "reply" }>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Open questions of all calls of this process, never more than the credits. */
export class Asking {
  #next = 1;
  readonly #open = new Map<number, Waiting>();
  readonly #queue: (() => void)[] = [];
  constructor(private readonly pipe: Pipe) {}

  /** Rejects with what control answered, or with the reason of `signal` once that is aborted. */
  ask(call: number, ask: Ask, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      const settle = () => signal.removeEventListener("abort", abort);
      const send = () => {
        const id = this.#next++;
        try {
          this.pipe.send({ type: "ask", id, call, ask });
        } catch (error) {
          // Nothing was asked, so no reply will bring the credit back.
          settle();
          reject(error);
          return this.#release();
        }
        this.#open.set(id, {
          resolve: (value) => (settle(), resolve(value)),
          reject: (error) => (settle(), reject(error)),
        });
      };
      // The credit comes back with the reply, also when nobody waits for that any more.
      if (this.#open.size < ASK_CREDITS) send();
      else this.#queue.push(() => signal.aborted ? this.#release() : send());
    });
  }

  reply(message: Reply): void {
    const waiting = this.#open.get(message.id);
    this.#open.delete(message.id);
    if ("error" in message) waiting?.reject(fromWireError(message.error));
    else waiting?.resolve(message.value);
    this.#release();
  }

  #release(): void {
    this.#queue.shift()?.();
  }

  /** Connects to the target of `call` through control. */
  async connect(
    call: number,
    options: ConnectOptions,
    signal: AbortSignal,
  ): Promise<Connection> {
    const connection = await this.ask(call, connectOf(options), signal) as number;
    let open = true;
    const close = () => {
      if (!open) return;
      open = false;
      // After the end of the call control has closed it already.
      if (!signal.aborted) this.ask(call, { what: "close", connection }, signal).catch(() => {});
    };
    return {
      read: async () => {
        const data = await this.ask(call, { what: "read", connection }, signal) as string | null;
        return data === null ? null : Uint8Array.fromBase64(data);
      },
      write: async (bytes) => {
        if (!(bytes instanceof Uint8Array)) throw new TypeError(`Only bytes can be written, got ${typeof bytes}`);
        for (let at = 0; at < bytes.length; at += CHUNK_LIMIT) {
          const data = bytes.subarray(at, at + CHUNK_LIMIT).toBase64();
          await this.ask(call, { what: "write", connection, data }, signal);
        }
      },
      close,
      [Symbol.asyncDispose]: () => Promise.resolve(close()),
    };
  }
}

/** @throws {TypeError} when control would take it for a message that the SDK never sends. */
function connectOf({ port, tls, transport }: ConnectOptions): Extract<Ask, { what: "connect" }> {
  if (port !== undefined && typeof port !== "number") throw new TypeError(`Port must be a number, got ${typeof port}`);
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65535)) {
    throw new RangeError(`Port must be 1 to 65535, got ${port}`);
  }
  if (transport !== undefined && transport !== "tcp" && transport !== "udp") {
    throw new TypeError(`Transport must be "tcp" or "udp", got "${transport}"`);
  }
  return { what: "connect", port, tls, transport };
}
