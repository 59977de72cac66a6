/** Where one request goes: what it is balanced by, the servers that failed it, the one that counts it, its wait for a place. */
import type { RequestHead } from "../http/mod.ts";
import type { Backend } from "./backend.ts";
import type { KeyedClient } from "./balance/key.ts";
import type { Waiter } from "./queue.ts";
import type { Server } from "./server.ts";

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
  #backend: Backend | null = null;
  /** Where the request is counted. */
  #counted: Server | null = null;
  #waits = false;

  constructor(readonly request: Placed) {}

  /** The first server for a request; `head` is null in `mode: tcp`. */
  begin(backend: Backend, head: RequestHead | null, client: KeyedClient): Place {
    this.#backend = backend;
    this.key = backend.keyOf(head, client);
    return this.#next(backend);
  }

  /** The next server after one that failed. */
  after(failed: Server): Place {
    this.tried.push(failed);
    this.#leave();
    return this.#backend === null ? null : this.#next(this.#backend);
  }

  /** The request is over, or left its place in the queue. */
  end(): void {
    if (this.#waits) this.#backend?.queue.leave(this);
    this.#waits = false;
    this.#leave();
    this.tried.length = 0;
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

  #leave(): void {
    const server = this.#counted;
    if (server === null) return;
    this.#counted = null;
    server.leave();
    if (this.#backend?.limited === true) this.#backend.queue.freed(server);
  }
}
