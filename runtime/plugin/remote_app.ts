/**
 * An application in its sandbox: serving from each start of its process on, until nobody asks it any more. Its requests do not
 * come by control, so what it is to the balancer is only whether it runs, and where its socket is.
 */
import type { Clock } from "../os/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Capabilities } from "./broker.ts";
import { within } from "./deadline.ts";
import { describeFailure, PluginThrew } from "./failure.ts";
import type { KitAddition } from "./kit.ts";
import type { Sandbox, SandboxState } from "./sandbox.ts";
import type { Serving } from "./stage.ts";

/** What must be there for applications. */
export interface AppSupport {
  kit(): Promise<KitAddition>;
  /** Sockets for a process of the plugin `name`; `uid` is its own, null where it has ours. */
  open(name: string, uid: number | null): Serving;
  /** The process is gone, and its successor has others. */
  close(serving: Serving): void;
}

/** One application that routes may ask. */
export interface AppPlace {
  readonly name: string;
  readonly socket: string;
  readonly running: boolean;
}

export interface RemoteAppOptions {
  /** Its use. */
  readonly id: string;
  readonly serving: Serving;
  readonly capabilities: Omit<Capabilities, "connect">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long one that was replaced may still be asked, by whoever has not heard of it, ms. */
const FAREWELL = 10_000;
/** How long it may take then to answer, ms. */
const DRAIN = 30_000;

export class RemoteApp {
  #leaving: Disposable | null = null;

  constructor(private readonly sandbox: Sandbox, private readonly options: RemoteAppOptions) {}

  get serving(): Serving {
    return this.options.serving;
  }

  /** A new process of its sandbox takes requests as soon as it is ready. */
  heard(state: SandboxState): void {
    if (state === "running") void this.#serve();
  }

  /** Ends it when nobody asks it any more, and what runs is answered; `gone` is told when it has. */
  retire(gone: () => void): void {
    const { clock, id } = this.options;
    this.#leaving = clock.after(FAREWELL, async () => {
      const limit = within(clock, DRAIN);
      // Where it does not run there is nothing to wait for.
      await this.sandbox.call("drain", id, null, limit).catch(() => {});
      limit.clear();
      await this.sandbox.stop();
      gone();
    });
  }

  async stop(): Promise<void> {
    this.#leaving?.[Symbol.dispose]();
    await this.sandbox.stop();
  }

  async #serve(): Promise<void> {
    const { id, capabilities, log } = this.options;
    try {
      // As long as the process lives: there is no deadline.
      await this.sandbox.call("serve", id, null, { signal: new AbortController().signal, capabilities });
    } catch (error) {
      if (error instanceof PluginThrew) {
        log.error(`[${this.sandbox.name}] It does not serve: ${describeFailure(error)}`);
      }
    }
  }
}
