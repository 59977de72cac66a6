/**
 * What control does on behalf of one call of a plugin. The process itself has no sockets and no files: it asks, and what is
 * asked is done here, with the rights of exactly this call, and is over when the call is.
 */
import type { Connection, ConnectOptions } from "../../plugins/contract.ts";
import { ProtocolViolation } from "./frame.ts";
import { type Ask, CHUNK_LIMIT, CONNECTIONS_PER_CALL } from "./protocol.ts";

/** What a call may use; what is absent is refused. */
export interface Capabilities {
  readonly connect?: (options: ConnectOptions) => Promise<Connection>;
  readonly fetch?: (request: EndpointRequest) => Promise<EndpointResponse>;
  readonly send?: (endpoint: string, message: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly run?: (
    command: string,
    args: readonly string[],
    options: { readonly input: string; readonly env: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ) => Promise<CommandResult>;
  readonly store?: {
    get(key: string): string | null | Promise<string | null>;
    set(key: string, value: string | null): void | Promise<void>;
  };
}

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export interface EndpointRequest {
  readonly endpoint: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array<ArrayBuffer> | null;
}

export interface EndpointResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

interface Held {
  readonly connection: Connection;
  /** Received, but longer than a chunk may be. */
  rest: Uint8Array;
}

/** Answers the questions of one call. */
export class Broker implements Disposable {
  readonly #held = new Map<number, Held>();
  #opened = 0;
  /** Connections that are being made. */
  #opening = 0;
  readonly #end = new AbortController();
  constructor(private readonly capabilities: Capabilities) {}

  /**
   * Rejects with the reason, which the plugin reads.
   *
   * @throws {ProtocolViolation} when the SDK would never have asked so.
   */
  async answer(ask: Ask): Promise<unknown> {
    switch (ask.what) {
      case "connect":
        return await this.#connect(ask);
      case "read":
        return await this.#read(this.#find(ask.connection));
      case "write":
        await this.#find(ask.connection).connection.write(fromBase64(ask.data));
        return null;
      case "close":
        this.#close(ask.connection);
        return null;
      case "fetch": {
        if (!this.capabilities.fetch) throw new Error(`Endpoint "${ask.endpoint}" is not granted`);
        const body = ask.body === null ? null : fromBase64(ask.body);
        const response = await this.capabilities.fetch({ ...ask, body });
        return { ...response, body: response.body.toBase64() };
      }
      case "send":
        if (!this.capabilities.send) throw new Error(`Endpoint "${ask.endpoint}" is not granted`);
        await this.capabilities.send(ask.endpoint, fromBase64(ask.data));
        return null;
      case "run":
        if (!this.capabilities.run) throw new Error(`Command "${ask.command}" is not granted`);
        return await this.capabilities.run(ask.command, ask.args, ask, this.#end.signal);
      case "get":
        if (!this.capabilities.store) throw new Error("No store is granted");
        return await this.capabilities.store.get(ask.key);
      case "set":
        if (!this.capabilities.store) throw new Error("No store is granted");
        await this.capabilities.store.set(ask.key, ask.value);
        return null;
    }
  }

  async #connect({ port, tls, transport }: Extract<Ask, { what: "connect" }>): Promise<number> {
    if (!this.capabilities.connect) throw new Error("Connections are not granted");
    if (this.#held.size + this.#opening >= CONNECTIONS_PER_CALL) {
      throw new Error(`A call may hold ${CONNECTIONS_PER_CALL} connections at a time`);
    }
    const handle = ++this.#opened;
    this.#opening++;
    const connection = await this.capabilities.connect({ port, tls, transport }).finally(() => this.#opening--);
    if (this.#end.signal.aborted) {
      connection.close();
      throw new Error("The call is over");
    }
    this.#held.set(handle, { connection, rest: new Uint8Array(0) });
    return handle;
  }

  async #read(held: Held): Promise<string | null> {
    const bytes = held.rest.length > 0 ? held.rest : await held.connection.read();
    if (bytes === null) return null;
    held.rest = bytes.subarray(CHUNK_LIMIT);
    return bytes.subarray(0, CHUNK_LIMIT).toBase64();
  }

  #find(handle: number): Held {
    const held = this.#held.get(handle);
    if (!held) throw new Error("The connection is closed");
    return held;
  }

  #close(handle: number): void {
    this.#held.get(handle)?.connection.close();
    this.#held.delete(handle);
  }

  [Symbol.dispose](): void {
    this.#end.abort(new Error("The call is over"));
    for (const handle of [...this.#held.keys()]) this.#close(handle);
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new ProtocolViolation("Sent bytes that are not base64", { cause });
  }
}
