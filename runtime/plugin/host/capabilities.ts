/** `ctx.fetch` and `ctx.store`: control does the work and adds what a plugin never sees, the address and the secrets. */
import type { RunOptions } from "../../../plugins/contract.ts";
import { assertEntry } from "../../../plugins/capability_rules.ts";
import { type Ask, BODY_LIMIT, CHUNK_LIMIT } from "../protocol.ts";

/** Whoever passes questions on to control. */
export interface Asking {
  ask(call: number, ask: Ask, signal: AbortSignal): Promise<unknown>;
}

/** Control's answer to `fetch`. */
interface WireResponse {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface FetchOptions {
  readonly method?: string;
  /** Added to the URL of the endpoint: "/v2/enqueue", "?a=b". */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A value other than text and bytes is sent as JSON. */
  readonly body?: unknown;
}

export function createFetch(asking: Asking, call: number, signal: AbortSignal) {
  return async (endpoint: string, options: FetchOptions = {}): Promise<Response> => {
    const headers = new Headers(options.headers);
    const body = encodeBody(options.body, headers);
    if (body !== null && body.length > BODY_LIMIT) {
      throw new RangeError(`The body has ${body.length} bytes, a request may have ${BODY_LIMIT}`);
    }
    const answer = await asking.ask(call, {
      what: "fetch",
      endpoint: String(endpoint),
      method: String(options.method ?? (body === null ? "GET" : "POST")).toUpperCase(),
      path: String(options.path ?? ""),
      headers: [...headers],
      body: body?.toBase64() ?? null,
    }, signal) as WireResponse;
    const bodiless = answer.status === 204 || answer.status === 205 || answer.status === 304;
    return new Response(bodiless ? null : Uint8Array.fromBase64(answer.body), {
      status: answer.status,
      headers: answer.headers.map(([name, value]): [string, string] => [name, value]),
    });
  };
}

function encodeBody(body: unknown, headers: Headers): Uint8Array | null {
  if (body === undefined || body === null) return null;
  if (body instanceof Uint8Array) return body;
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return new TextEncoder().encode(JSON.stringify(body));
}

export function createSend(asking: Asking, call: number, signal: AbortSignal) {
  return async (endpoint: string, message: string | Uint8Array): Promise<void> => {
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`Only text and bytes can be sent, got ${typeof message}`);
    if (bytes.length > CHUNK_LIMIT) {
      throw new RangeError(`The message has ${bytes.length} bytes, a datagram may have ${CHUNK_LIMIT}`);
    }
    await asking.ask(call, { what: "send", endpoint: String(endpoint), data: bytes.toBase64() }, signal);
  };
}

export function createRun(asking: Asking, call: number, signal: AbortSignal) {
  return async (command: string, options: RunOptions = {}) => {
    const args = (options.args ?? []).map(String);
    const input = String(options.input ?? "");
    const env = Object.fromEntries(Object.entries(options.env ?? {}).map(([name, value]) => [name, String(value)]));
    return await asking.ask(call, { what: "run", command: String(command), args, input, env }, signal) as {
      code: number;
      output: string;
    };
  };
}

export function createStore(asking: Asking, call: number, signal: AbortSignal) {
  return Object.freeze({
    get: async (key: string) => await asking.ask(call, { what: "get", key: String(key) }, signal) as string | null,
    set: async (key: string, value: string | null) => {
      assertEntry(key, value);
      await asking.ask(call, { what: "set", key: String(key), value: value === null ? null : String(value) }, signal);
    },
  });
}
