/** All notifiers of a node: each has its own queue, and none can hold back another or whoever has something to tell. */
import type { Event } from "../../plugins/contract.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Clock } from "../os/clock.ts";
import { builtInNotifier, type BuiltInOptions, builtInSchema, isBuiltInNotifier } from "./builtin.ts";
import { Deliveries, type DeliveryOptions, type DeliveryStatus, type Interest } from "./deliveries.ts";
import { Drops, type Loss } from "./drops.ts";
import { successions } from "./successions.ts";
import { checkOptions } from "./options.ts";
import type { Registry } from "./registry.ts";
import type { Delivery, RemoteNotifier } from "./remote.ts";

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
  /** Something was not told to somebody: an event `dropped`. */
  readonly dropped: (dropped: DroppedEvents) => void;
}

export interface DroppedEvents {
  /** "notify.0" */
  readonly notifier: string;
  readonly use: string;
  readonly count: number;
  /** The newest of them, and why. */
  readonly last: Loss;
}

export interface NotifierStatus extends DeliveryStatus {
  readonly id: string;
  readonly use: string;
}

interface Running {
  options: NotifyOptions;
  readonly deliveries: Deliveries;
  readonly drops: Drops;
}

export class Notifications {
  #running: Running[] = [];
  constructor(private readonly options: NotificationsOptions) {}

  /**
   * Makes `wanted` what runs, after the registry has applied its part. What did not change is not touched, what changed takes
   * over what waited, and what cannot be goes on as it was. Answers what could not be done, one sentence each.
   */
  apply(wanted: readonly NotifyOptions[]): readonly string[] {
    const problems: string[] = [];
    const before = successions(wanted, this.#running);
    const next = wanted.flatMap((options, index): Running[] => {
      const running = before[index];
      if (running && JSON.stringify(running.options) === JSON.stringify(options)) return [running];
      try {
        return [this.#settle(options, running)];
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
        return running ? [running] : [];
      }
    });
    for (const gone of this.#running.filter((one) => !next.includes(one))) end(gone);
    this.#running = next;
    return problems;
  }

  /**
   * Tells every notifier that wants to know. Returns at once.
   *
   * @param whom @default everybody
   */
  tell(event: Event, whom: (options: NotifyOptions) => boolean = () => true): void {
    for (const { options, deliveries } of this.#running) {
      // Who lost it is not told so: whatever keeps it from hearing would lose that, too.
      const own = event.type === "dropped" && event.fields.notifier === options.id;
      if (!own && whom(options)) deliveries.offer(event);
    }
  }

  status(): NotifierStatus[] {
    return this.#running.map(({ options: { id, use }, deliveries }) => ({ id, use, ...deliveries.status() }));
  }

  stop(): void {
    this.#running.splice(0).forEach(end);
  }

  /** @throws {Error} when `with:` is wrong, or no such plugin runs; then nothing has changed. */
  #settle(options: NotifyOptions, running: Running | null): Running {
    const notifier = this.#notifier(options);
    if (running !== null) {
      running.options = options;
      running.deliveries.change(this.#delivery(running, notifier));
      return running;
    }
    const drops = new Drops(this.options.clock, (last, count) => {
      const { id, use } = fresh.options;
      this.options.dropped({ notifier: id, use, count, last });
    });
    const place = { options, drops };
    const fresh: Running = Object.assign(place, { deliveries: new Deliveries(this.#delivery(place, notifier)) });
    return fresh;
  }

  /** @param place what of it may change is looked up when it is needed */
  #delivery(place: Pick<Running, "options" | "drops">, notifier: RemoteNotifier): DeliveryOptions {
    const { clock, log } = this.options;
    const { interest, deadline } = place.options;
    return {
      interest,
      notifier,
      deadline,
      clock,
      dropped(event, reason) {
        const { use, id } = place.options;
        log.warning(`${use} (${id}) was not told of ${event.id}: ${reason}`);
        place.drops.observe({ event, reason });
      },
    };
  }

  /** @throws {Error} when `with:` is wrong, or no such plugin runs. */
  #notifier({ id, use, with: written }: NotifyOptions): RemoteNotifier {
    if (!isBuiltInNotifier(use)) {
      // Looked up for each event: a reload may have put another process in its place.
      this.options.registry.notifier(id);
      return { kind: "notifier", notify: (event, deadline) => this.#ask(id, event, deadline) };
    }
    const { value, problems } = checkOptions(builtInSchema(use), written);
    if (problems.length > 0) {
      throw new Error(problems.map(({ path, message }) => `${[id, "with", ...path].join(".")}: ${message}`).join("; "));
    }
    return builtInNotifier(use, value, this.options.builtIn);
  }

  /** A reload may have taken the plugin away, or put it somewhere else, while something waited for it. */
  async #ask(id: string, event: Event, deadline: number): Promise<Delivery> {
    try {
      return await this.options.registry.notifier(id).notify(event, deadline);
    } catch (error) {
      return { result: "again", reason: error instanceof Error ? error.message : String(error), afterMs: null };
    }
  }
}

function end({ deliveries, drops }: Running): void {
  deliveries[Symbol.dispose]();
  drops[Symbol.dispose]();
}
