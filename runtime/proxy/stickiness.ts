/**
 * Clients that come back to their server: by a cookie that the balancer gives and takes. Its values were made by control,
 * so that both nodes and every thread know them by heart; what no server's value is, is nobody's and goes no further.
 */
import { bytesOf, fieldName, type RequestHead, textOf } from "../http/mod.ts";
import { cookieValue } from "./balance/cookie_value.ts";
import type { CookieStickinessOptions } from "./protocol.ts";
import type { Server } from "./server.ts";

/** What a request said of its server. */
export interface Returning {
  /** null: it names none of ours. */
  readonly server: Server | null;
  /** What is left of the Cookie fields that held our cookie, as whole field lines; null = nothing. */
  readonly cookies: Uint8Array | null;
}

export class Stickiness {
  readonly #name: Uint8Array;
  readonly #servers = new Map<string, Server>();
  /** The field that sends a client to a server again. */
  readonly #fields = new Map<Server, Uint8Array>();

  constructor({ cookie, attributes, values }: CookieStickinessOptions, servers: readonly Server[]) {
    this.#name = bytesOf(cookie);
    for (const server of servers) {
      const value = values[server.options.name];
      if (value === undefined) continue;
      this.#servers.set(value, server);
      this.#fields.set(server, bytesOf(`Set-Cookie: ${cookie}=${value}${attributes}\r\n`));
    }
  }

  /** Reads our cookie and takes it out of the head; null where the request has none. */
  take(head: RequestHead): Returning | null {
    const { COOKIE } = fieldName;
    let returning: { server: Server | null; cookies: Uint8Array | null } | null = null;
    for (let field = head.findId(COOKIE); field >= 0; field = head.findId(COOKIE, field + 1)) {
      const start = head.valueStart(field);
      const end = head.valueEnd(field);
      if (cookieValue(head.bytes, start, end, this.#name) === null) continue;
      returning ??= { server: null, cookies: null };
      const rest = this.#cut(textOf(head.bytes, start, end), returning);
      head.withhold(field);
      if (rest !== "") returning.cookies = joined(returning.cookies, bytesOf(`Cookie: ${rest}\r\n`));
    }
    return returning;
  }

  /** The field that makes a client return to `server`. */
  fieldFor(server: Server): Uint8Array | null {
    return this.#fields.get(server) ?? null;
  }

  /** The value without our cookie, however often it is there; the first that names a server counts. */
  #cut(value: string, returning: { server: Server | null }): string {
    let rest = value;
    for (;;) {
      const bytes = bytesOf(rest);
      const place = cookieValue(bytes, 0, bytes.length, this.#name);
      if (place === null) return rest;
      returning.server ??= this.#servers.get(rest.slice(place.start, place.end)) ?? null;
      rest = rest.slice(0, place.from) + rest.slice(place.to);
      // The last one leaves the separator of the one before it.
      if (place.to === bytes.length) rest = rest.replace(/;[ \t]*$/, "");
    }
  }
}

/** Field lines one behind the other. */
export function joined(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null || b === null) return a ?? b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
