/**
 * Requests of one backend that wait because their servers are full (maxconn), in the order they came, whichever thread
 * they came to. Whoever frees a place looks for the oldest waiter; if that one is another thread's, the thread is woken.
 */
import type { Server } from "./server.ts";
import { isGone } from "./server_verdict.ts";
import { MAX_BACKENDS } from "./shared_state.ts";
import { isOlder, type WaitingLines } from "./waiting_lines.ts";

/** A request in the queue. */
export interface Waiter {
  /** Servers that already failed it. */
  readonly tried: readonly Server[];
  readonly key: number | null;
  /** It was given a place: the server has counted it. */
  admitted(server: Server): void;
  /** No server is left that it could wait for. */
  abandoned(): void;
}

/** What a queue needs of its backend and thread. */
export interface QueuePorts {
  /** A place at a server, which has counted the request; "full" where all are, null where none may be used. */
  claim(key: number | null, tried: readonly Server[]): Server | "full" | null;
  wake(thread: number): void;
}

interface Entry {
  readonly waiter: Waiter;
  readonly ticket: number;
}

/** Waiters for one server, or for any (`server` null). */
interface Line {
  readonly server: Server | null;
  readonly at: number;
  readonly entries: Entry[];
}

export class Queue {
  readonly #lines: Line[] = [];

  /** @param slot of the backend */
  constructor(readonly shared: WaitingLines, readonly slot: number, readonly ports: QueuePorts) {}

  /** Whether anybody waits for any server, in any thread: later ones go behind them. */
  get crowded(): boolean {
    return this.shared.oldestThread(this.slot) >= 0;
  }

  /** Requests that wait here, in this thread. */
  get length(): number {
    return this.#lines.reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /**
   * Puts a request at the end of the line for `server`, or for any. `dispatch` must follow in the same turn: a place may have
   * been freed after the caller looked and before the others could see us.
   */
  join(waiter: Waiter, server: Server | null): void {
    const line = this.#lineOf(server);
    line.entries.push({ waiter, ticket: this.shared.draw(this.slot) });
    this.#publish(line);
  }

  /** Takes a request out: its client went away, or its time is over. */
  leave(waiter: Waiter): void {
    for (const line of this.#lines) {
      const at = line.entries.findIndex((entry) => entry.waiter === waiter);
      if (at < 0) continue;
      line.entries.splice(at, 1);
      this.#publish(line);
      // The one behind it may be another thread's, for whom a place is free.
      return this.#callNext(line.at);
    }
  }

  /** A place at `server` was freed: wakes the thread whose waiter is the oldest. Ours is served by `dispatch` in this turn. */
  freed(server: Server): void {
    const at = lineAt(server);
    const own = this.shared.oldestThread(at);
    const any = this.shared.oldestThread(this.slot);
    const older = own >= 0 && (any < 0 || isOlder(this.shared.ticketOf(own, at), this.shared.ticketOf(any, this.slot)));
    this.#callNext(older ? at : this.slot);
  }

  /** Gives places to waiters of this thread, as long as they are the oldest of all and there are places. */
  dispatch(): void {
    const served = new Set<number>();
    for (let at = this.#serveOne(); at >= 0; at = this.#serveOne()) served.add(at);
    // Two places may have been freed while the oldest two waiters were ours and another thread's.
    for (const at of served) this.#callNext(at);
  }

  /** The line in which a waiter was served or sent away, −1 where none could be. */
  #serveOne(): number {
    const lines = this.#lines.filter(({ entries }) => entries.length > 0)
      .sort((a, b) => (a.entries[0].ticket - b.entries[0].ticket) | 0);
    for (const line of lines) {
      if (this.shared.oldestThread(line.at) !== this.shared.thread) continue;
      const place = this.#placeFor(line);
      if (place === "full") continue;
      const [{ waiter }] = line.entries;
      line.entries.shift();
      this.#publish(line);
      if (place === null) waiter.abandoned();
      else waiter.admitted(place);
      return line.at;
    }
    return -1;
  }

  #placeFor({ server, entries: [{ waiter, ticket }] }: Line): Server | "full" | null {
    // Who waits for a server that is gone takes any other.
    if (server !== null && !server.retired && !isGone(server.verdict)) return server.tryEnter() ? server : "full";
    const place = this.ports.claim(waiter.key, waiter.tried);
    if (place === null || place === "full") return place;
    // Another thread's waiter, who wants this server and no other, may be on its way to the place.
    const at = lineAt(place);
    const rival = this.shared.oldestThread(at);
    if (rival < 0 || !isOlder(this.shared.ticketOf(rival, at), ticket)) return place;
    place.leave();
    this.#callNext(at);
    return "full";
  }

  /** Wakes the thread of the oldest waiter in this line, if that is another. */
  #callNext(line: number): void {
    const thread = this.shared.oldestThread(line);
    if (thread >= 0 && thread !== this.shared.thread) this.ports.wake(thread);
  }

  #lineOf(server: Server | null): Line {
    const found = this.#lines.find((line) => line.server === server);
    if (found !== undefined) return found;
    const line: Line = { server, at: server === null ? this.slot : lineAt(server), entries: [] };
    this.#lines.push(line);
    return line;
  }

  #publish(line: Line): void {
    const { entries, at } = line;
    this.shared.publish(at, entries.length === 0 ? 0 : entries[0].ticket, entries.length);
    if (entries.length === 0) this.#lines.splice(this.#lines.indexOf(line), 1);
  }
}

/** Lines of servers come behind those of backends. */
function lineAt({ slot }: Server): number {
  return MAX_BACKENDS + slot;
}
