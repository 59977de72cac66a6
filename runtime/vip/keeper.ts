/**
 * Keeps established TCP connections over a planned move.
 *
 * The giver moves the addresses to `lo` and goes on serving what it holds; the taker passes on to it every segment that
 * is not its own, until the giver has drained. No connection tracking: it would cost every packet for ever.
 *
 * ```
 * taker  forward ───────── (becomes active) confirm ──────────────────────────── stopForwarding
 * giver            retain, priority 0 ………… (hears the taker) Holder.release, drain … drained: the copies are gone
 * ```
 */
import { Forwarder } from "./forwarder.ts";
import type { Forwarding, KeeperOptions, Retention } from "./keeping.ts";
import { Retainer } from "./retainer.ts";

export type { Forwarding, KeeperEvent, KeeperOptions, Retention } from "./keeping.ts";

/**
 * Synchronous and non-blocking; every time is monotonic ms. Methods that can fail return a reason: null = done. Nothing
 * throws: a machine that cannot keep connections still moves its addresses.
 */
export class Keeper implements Disposable {
  readonly #forwarder: Forwarder;
  readonly #retainer: Retainer;

  constructor(options: KeeperOptions) {
    this.#forwarder = new Forwarder(options.report);
    this.#retainer = new Retainer(options);
  }

  /** Poll it for POLLIN and call `read` then; negative where connections cannot be listed (poll ignores it). */
  get fd(): number {
    return this.#retainer.fd;
  }

  /** When `run` wants to be called next; Infinity = not at all. */
  deadline(): number {
    return Math.min(this.#forwarder.deadline(), this.#retainer.deadline());
  }

  /** Renews leases, begins to count connections, ends what is over. */
  run(now: number): void {
    this.#forwarder.run(now);
    this.#retainer.run(now);
  }

  /** Takes in one piece of the listing of connections; never the whole of a long one. */
  read(now: number): void {
    this.#retainer.read(now);
  }

  /** Why this machine cannot pass connections on as the taker; null = it can. Asked of the kernel once. */
  missing(): string | null {
    return this.#forwarder.missing();
  }

  /** Taker, at the offer: loads the rules. Again for the same instance: replaces them. */
  forward(instance: string, forwarding: Forwarding, now: number): string | null {
    return this.#forwarder.forward(instance, forwarding, now);
  }

  /** Taker, when it became active: the rules stay until `stopForwarding` or their limit. */
  confirm(instance: string, now: number): void {
    this.#forwarder.confirm(instance, now);
  }

  /** Taker, when the giver has drained. Nothing happens where nothing is forwarded. */
  stopForwarding(instance: string): void {
    this.#forwarder.stop(instance);
  }

  forwarding(instance: string): boolean {
    return this.#forwarder.forwarding(instance);
  }

  /** Giver, before its first priority 0: puts copies of the addresses that its interface carries on `lo` and begins to count. */
  retain(instance: string, retention: Retention, now: number): string | null {
    return this.#retainer.retain(instance, retention, now);
  }

  /** Giver, when its addresses are off their interface: from here the drain runs, and ends with the last connection. */
  drain(instance: string, now: number): void {
    this.#retainer.drain(instance, now);
  }

  /** Connections that are left; null = not retaining, or not counted yet. */
  connections(instance: string): number | null {
    return this.#retainer.connections(instance);
  }

  /**
   * Removes the copies on `lo` without a report: nobody took the address, or it is active here again. Call it after
   * `Holder.acquire`: while neither is there the kernel resets what it is asked for.
   */
  letGo(instance: string): void {
    this.#retainer.letGo(instance);
  }

  /** Instances have other names now, old to new: what is kept for them and passed on stays as it is. */
  rename(names: ReadonlyMap<string, string>): void {
    this.#forwarder.rename(names);
    this.#retainer.rename(names);
  }

  retaining(instance: string): boolean {
    return this.#retainer.retaining(instance);
  }

  /**
   * At start: removes tables, copies of `addresses` on `lo` and settings that a dead run left; sentences for the log. What
   * a run that is still alive has is left to it, and cleaned by `run` when that has died.
   */
  clean(addresses: readonly string[]): readonly string[] {
    return [...this.#forwarder.clean(), ...this.#retainer.clean(addresses)];
  }

  /** Removes everything that this keeper made. */
  close(): void {
    this.#forwarder.close();
    this.#retainer.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
