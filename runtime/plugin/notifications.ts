/** All notifiers of a node: each has its own queue, and none can hold back another or whoever has something to tell. */
import type { Event } from "../../plugins/contract.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Clock } from "../os/clock.ts";
import { builtInNotifier, type BuiltInOptions, builtInSchema, isBuiltInNotifier } from "./builtin.ts";
import { Deliveries, type DeliveryStatus, type Interest } from "./deliveries.ts";
import { checkOptions } from "./options.ts";
import type { Registry } from "./registry.ts";
import type { RemoteNotifier } from "./remote.ts";

/** One entry of `notify:`. */
export interface NotifyOptions {
  /** "notify.0": also the id of the use where a plugin notifies. */
  readonly id: string;
  /** A built-in, or a name under `plugins:`. */
  readonly use: string;
  /** `with:`, secrets resolved. */
  readonly with: unknown;
  readonly interest: Interest;
  /** ms for one try. */
  readonly deadline: number;
}

export interface NotificationsOptions {
  readonly registry: Pick<Registry, "notifier">;
  readonly builtIn: BuiltInOptions;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NotifierStatus extends DeliveryStatus {
  readonly id: string;
  readonly use: string;
}

interface Running {
  readonly options: NotifyOptions;
  readonly deliveries: Deliveries;
}

export class Notifications {
  #running: Running[] = [];
  constructor(private readonly options: NotificationsOptions) {}

  /**
   * Makes `wanted` what runs, after the registry has applied its part. What did not change keeps its queue. Answers what
   * could not be done, one sentence each.
   */
  apply(wanted: readonly NotifyOptions[]): readonly string[] {
    const problems: string[] = [];
    const next = wanted.flatMap((options): Running[] => {
      const before = this.#running.find((one) => JSON.stringify(one.options) === JSON.stringify(options));
      if (before) return [before];
      try {
        return [{ options, deliveries: this.#deliveries(options) }];
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
        return [];
      }
    });
    for (const gone of this.#running.filter((one) => !next.includes(one))) gone.deliveries[Symbol.dispose]();
    this.#running = next;
    return problems;
  }

  /**
   * Tells every notifier that wants to know. Returns at once.
   *
   * @param whom @default everybody
   */
  tell(event: Event, whom: (options: NotifyOptions) => boolean = () => true): void {
    for (const { options, deliveries } of this.#running) if (whom(options)) deliveries.offer(event);
  }

  status(): NotifierStatus[] {
    return this.#running.map(({ options: { id, use }, deliveries }) => ({ id, use, ...deliveries.status() }));
  }

  stop(): void {
    for (const { deliveries } of this.#running.splice(0)) deliveries[Symbol.dispose]();
  }

  #deliveries(options: NotifyOptions): Deliveries {
    const { clock, log } = this.options;
    return new Deliveries({
      interest: options.interest,
      notifier: this.#notifier(options),
      deadline: options.deadline,
      clock,
      dropped: (event, reason) => log.warning(`${options.use} (${options.id}) was not told of ${event.id}: ${reason}`),
    });
  }

  /** @throws {Error} when `with:` is wrong, or no such plugin runs. */
  #notifier({ id, use, with: written }: NotifyOptions): RemoteNotifier {
    if (!isBuiltInNotifier(use)) {
      // Looked up for each event: a reload may have put another process in its place.
      this.options.registry.notifier(id);
      return {
        kind: "notifier",
        notify: (event, deadline) => this.options.registry.notifier(id).notify(event, deadline),
      };
    }
    const { value, problems } = checkOptions(builtInSchema(use), written);
    if (problems.length > 0) {
      throw new Error(problems.map(({ path, message }) => `${[id, "with", ...path].join(".")}: ${message}`).join("; "));
    }
    return builtInNotifier(use, value, this.options.builtIn);
  }
}
