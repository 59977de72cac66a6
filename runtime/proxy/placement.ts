/** Where one request goes: what it is balanced by, the servers that failed it, the one that counts it, its wait for a place. */
import type { RequestHead } from "../http/mod.ts";
import type { Backend } from "./backend.ts";
import type { KeyedClient } from "./balance/key.ts";
import type { Waiter } from "./queue.ts";
import type { Server } from "./server.ts";
import { takesReturning } from "./server_verdict.ts";

/** The request itself. */
export interface Placed {
  /** A place at `server` came free for it. */
  admitted(server: Server): void;
  /** It waited, and no server is left that may be used. */
  abandoned(): void;
}

/** "queued": all servers are full, and the request will be admitted or abandoned. null: none may be used. */
export type Place = Server | "queued" | null;

export class Placement implements Waiter {
  readonly tried: Server[] = [];
  key: number | null = null;
  /** Field lines that take the place of Cookie fields in which ours was. */
  cookies: Uint8Array | null = null;
  /** The server that the client's cookie named. */
  #returning: Server | null = null;
  #backend: Backend | null = null;
  /** Where the request is counted. */
  #counted: Server | null = null;
  #waits = false;

  constructor(readonly request: Placed) {}

  /** The first server for a request; `head` is null in `mode: tcp`. */
  begin(backend: Backend, head: RequestHead | null, client: KeyedClient): Place {
    this.#backend = backend;
    this.key = backend.keyOf(head, client);
    if (backend.stickiness !== null && head !== null) {
      const returning = backend.stickiness.take(head);
      if (returning !== null) {
        this.cookies = returning.cookies;
        const { server } = returning;
        this.#returning = server;
        if (server !== null && takesReturning(server.verdict)) return this.#return(backend, server);
      }
    }
    return this.#next(backend);
  }

  /** A field for the response that makes the client return to `server`; null where it does already, or need not. */
  cookieFor(server: Server | null): Uint8Array | null {
    const stickiness = this.#backend?.stickiness ?? null;
    if (stickiness === null || server === null || server === this.#returning) return null;
    return stickiness.fieldFor(server);
  }

  /** The next server after one that failed. */
  after(failed: Server): Place {
    this.tried.push(failed);
    this.#leave();
    return this.#backend === null ? null : this.#next(this.#backend);
  }

  /** Another server in place of one that counts the request; null where there is none, and that one counts it further. */
  instead(refused: Server): Place {
    const backend = this.#backend;
    this.tried.push(refused);
    if (backend !== null && backend.pick(this.key, this.tried) !== null) {
      this.#leave();
      return this.#next(backend);
    }
    this.tried.pop();
    return null;
  }

  /** A server once more when all have failed. */
  again(): Place {
    this.tried.length = 0;
    return this.#backend === null ? null : this.#next(this.#backend);
  }

  /** The request is over, or left its place in the queue. */
  end(): void {
    if (this.#waits) this.#backend?.queue.leave(this);
    this.#waits = false;
    this.#leave();
    if (this.tried.length > 0) this.tried.length = 0;
    this.cookies = null;
    this.#returning = null;
    this.#backend = null;
  }

  admitted(server: Server): void {
    this.#waits = false;
    this.#counted = server;
    this.request.admitted(server);
  }

  abandoned(): void {
    this.#waits = false;
    this.request.abandoned();
  }

  #next(backend: Backend): Place {
    if (!backend.counts) return backend.pick(this.key, this.tried);
    // Who came before goes first, also where a place is free that the oldest waiter has not taken yet.
    const place = backend.limited && backend.queue.crowded ? "full" : backend.claim(this.key, this.tried);
    if (place === "full") {
      this.#waits = true;
      backend.wait(this);
      return "queued";
    }
    this.#counted = place;
    return place;
  }

  /** To the server that knows the client, even if it has to wait for it. */
  #return(backend: Backend, server: Server): Place {
    if (!backend.counts) return server;
    if (server.tryEnter()) {
      this.#counted = server;
      return server;
    }
    this.#waits = true;
    backend.wait(this, server);
    return "queued";
  }

  #leave(): void {
    const server = this.#counted;
    if (server === null) return;
    this.#counted = null;
    server.leave();
    if (this.#backend?.limited === true) this.#backend.queue.freed(server);
  }
}
