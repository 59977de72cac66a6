/**
 * The composition root of a node: configuration in; children, checks, trackers and operator verbs tied together; `status`
 * and events out. Start and reload are one path, from what runs to what is wanted, in the order that serves before it
 * announces; stop goes back in the other order.
 */
import type { Plan } from "./config/diff.ts";
import type { Config } from "./config/model.ts";
import type { Moves } from "./control/moves.ts";
import { Node } from "./control/node.ts";
import { openNames } from "./control/names.ts";
import { openOperatorState } from "./control/operator_state.ts";
import { type Resolution, resolveName } from "./control/resolve_name.ts";
import type { ServerChange } from "./control/overrides.ts";
import type { ServerView } from "./control/servers.ts";
import type { Status } from "./control/status.ts";
import { type Clock, systemClock } from "./os/clock.ts";
import type { RoleListener, RoleProcess } from "./os/process.ts";
import type { Relay } from "./telemetry/access_log/relay.ts";
import { type Journal, openJournal } from "./telemetry/events.ts";
import type { Logger } from "./telemetry/log.ts";

export interface ControlOptions {
  readonly config: Config;
  /** Reads the configuration again; throws with what is wrong with it. */
  readonly load: () => Promise<Config>;
  readonly version: string;
  readonly log: Logger;
  readonly spawn: {
    readonly vrrp: (listener: RoleListener) => RoleProcess;
    readonly proxy: (listener: RoleListener) => RoleProcess;
    /** @default there are no applications */
    readonly app?: (listener: RoleListener, flags: readonly string[]) => RoleProcess;
    /** The proxy's own user; null = the proxy runs as we do. @default null */
    readonly proxyUser?: { readonly uid: number; readonly gid: number } | null;
  };
  /** What must outlive this run is kept here; null = nowhere. */
  readonly stateDirectory: string | null;
  /** Sentences about what this machine does not give. */
  readonly missing: readonly string[];
  /** The access log's pipe, by its number in the proxy, and who reads it. @default none, nothing is logged */
  readonly accessLog?: { readonly fd: number; readonly relay: Relay };
  /** Follows each configuration that is taken on. A rejection refuses it. @default nobody */
  readonly follow?: (config: Config) => Promise<void>;
  /** Processors for `threads: auto`. @default navigator.hardwareConcurrency */
  readonly cores?: number;
  /** @default the system's */
  readonly clock?: Clock;
  /** Finds the addresses of a name. @default the system's resolver */
  readonly resolve?: (name: string) => Promise<Resolution>;
}

export interface Reloaded {
  readonly plan: Plan;
  readonly text: string;
}

/** A server of which the operator said something. */
export interface ServerChanged {
  readonly view: ServerView;
  /** Every engine thread goes by it; false: one of them has not said so in time, and the operator's word waits for it. */
  readonly applied: boolean;
}

export interface Control extends Pick<Moves, "failover" | "failback"> {
  readonly journal: Journal;
  /** Lines of the access log; null where there is no way for them. */
  readonly accessLog: Relay | null;
  status(): Status;
  /** Why this node could not serve its addresses now; empty when it could. */
  unready(): readonly string[];
  /**
   * Brings the node up: listeners, the first round of checks, then the virtual routers.
   *
   * @throws {Error} when it cannot serve: one sentence for each reason.
   */
  start(): Promise<void>;
  /** What a reload would do now. @throws {RefusedError} when the configuration is wrong. */
  plan(): Promise<Reloaded>;
  /** Reads the configuration again and applies what changed. @throws {RefusedError} when it is wrong: then nothing changed. */
  reload(): Promise<Reloaded>;
  /** Says something of a server; answers when requests go by it. @throws {RefusedError} */
  changeServer(backend: string, server: string, change: ServerChange): Promise<ServerChanged>;
  /** Waits until what the operator said is on disk. Answers why it is not: at most one sentence. */
  kept(): Promise<readonly string[]>;
  /** Ends the quarantine of a plugin. @throws {RefusedError} when there is none of this name. */
  resetPlugin(name: string): void;
  /** Hands over, drains, ends the children. Once. */
  stop(): Promise<void>;
  /** Ends the drain of `stop`. */
  hurry(): void;
}

/** Starts the children, and gives them nothing to do yet. */
export async function createControl(options: ControlOptions): Promise<Control> {
  const clock = options.clock ?? systemClock;
  const { config, stateDirectory: directory, log } = options;
  const [journal, operator] = await Promise.all([
    openJournal({ node: config.node, cluster: config.cluster.name, directory, log, now: clock.now }),
    openOperatorState(directory, clock, log),
  ]);
  let node: Node | null = null;
  const resolve = options.resolve ?? resolveName;
  const names = await openNames({ directory, clock, log, resolve, changed: () => node?.readdress() });
  return node = new Node(options, clock, journal, operator, names);
}
