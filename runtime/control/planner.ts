/**
 * Asks plugins that balance for their plans: on every change of a backend's servers and at least once a second, at most ten
 * times a second, one question at a time. The engine keeps a plan until its time to live is over, or the plugin is gone.
 */
import type { Plan, PolicyInput, PolicyServer } from "../../plugins/contract.ts";
import type { BackendConfig, Config } from "../config/model.ts";
import type { Clock } from "../os/clock.ts";
import type { RemotePolicy } from "../plugin/remote.ts";
import type { ServerCounters } from "../proxy/protocol.ts";
import type { Logger } from "../telemetry/log.ts";
import type { ServerPace } from "./server_pace.ts";
import type { ServerView } from "./servers.ts";

export interface PlannerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The policy of a use; null while there is none. */
  readonly policy: (id: string) => RemotePolicy | null;
  readonly view: (backend: string, server: string) => ServerView | null;
  readonly counters: () => readonly ServerCounters[];
  /** How the server has answered of late. */
  readonly pace: (backend: string, server: string) => ServerPace;
  readonly send: (backend: string, plan: Plan | null) => void;
}

/** What `status` tells of a backend whose policy is a plugin. */
export interface PlanView {
  readonly backend: string;
  /** What the policy says of its plan; null while the fallback picks. */
  readonly explain: string | null;
  /** Why the last question has no answer; null = it has one. */
  readonly error: string | null;
}

export interface Planner extends Disposable {
  /** Plans for the backends of `config` whose policy is a plugin. */
  follow(config: Config): void;
  /** Servers of these backends are otherwise than they were. */
  changed(backends: Iterable<string>): void;
  /** The plugin of this name is gone: its plans are, too. */
  lost(plugin: string): void;
  views(): readonly PlanView[];
}

/** Between questions, ms: at least, and at most. */
const shortest = 100, longest = 1000;

interface Planned {
  backend: BackendConfig;
  deadline: number;
  generation: number;
  askedAt: number;
  busy: boolean;
  /** Why to ask again as soon as the question under way is answered. */
  pending: PolicyInput["because"] | null;
  timer: Disposable | null;
  plan: Plan | null;
  /** When the plan is over, monotonic ms. */
  until: number;
  error: string | null;
  ended: boolean;
}

export function createPlanner(options: PlannerOptions): Planner {
  const { clock } = options;
  const planned = new Map<string, Planned>();

  function request(one: Planned, because: PolicyInput["because"]): void {
    if (one.ended) return;
    if (one.busy) return void (one.pending = because);
    const wait = Math.max(0, one.askedAt + shortest - clock.monotonic());
    schedule(one, wait, because);
  }

  function schedule(one: Planned, wait: number, because: PolicyInput["because"]): void {
    one.timer?.[Symbol.dispose]();
    one.timer = clock.after(wait, () => void ask(one, because));
  }

  async function ask(one: Planned, because: PolicyInput["because"]): Promise<void> {
    one.busy = true;
    one.askedAt = clock.monotonic();
    try {
      const policy = options.policy(`backends.${one.backend.name}.balance`);
      if (policy === null) throw new Error("no plugin runs");
      const plan = await policy.plan(inputOf(one, because), one.deadline);
      if (one.ended) return;
      one.plan = plan;
      one.until = clock.monotonic() + plan.ttlMs;
      one.error = null;
      options.send(one.backend.name, plan);
    } catch (error) {
      if (one.ended) return;
      const message = error instanceof Error ? error.message : String(error);
      if (one.error !== message) options.log.warning(`No plan for backend "${one.backend.name}": ${message}`);
      one.error = message;
      // As long as it holds the engine follows the last one.
      if (clock.monotonic() >= one.until) one.plan = null;
    } finally {
      one.busy = false;
    }
    const { pending } = one;
    one.pending = null;
    if (pending !== null) return request(one, pending);
    const rest = one.error === null && one.plan !== null ? one.plan.ttlMs / 2 : longest;
    schedule(one, Math.min(longest, Math.max(shortest, rest)), "interval");
  }

  function inputOf(one: Planned, because: PolicyInput["because"]): PolicyInput {
    const { name, servers } = one.backend;
    const counters = new Map(
      options.counters().filter(({ backend }) => backend === name).map((each) => [each.server, each]),
    );
    const listed = servers.flatMap((server): PolicyServer[] => {
      const view = options.view(name, server.name);
      if (view?.state !== "up" || view.effective <= 0) return [];
      const now = counters.get(server.name);
      return [{
        name: server.name,
        address: server.address,
        port: server.port,
        weight: view.effective,
        backup: server.backup,
        labels: server.labels,
        connections: now?.connections ?? 0,
        queued: now?.queued ?? 0,
        ...options.pace(name, server.name),
      }];
    });
    return { backend: name, generation: ++one.generation, because, servers: listed };
  }

  function end(one: Planned): void {
    one.ended = true;
    one.timer?.[Symbol.dispose]();
    planned.delete(one.backend.name);
  }

  return {
    follow(config) {
      const wanted = config.backends.filter(({ balance }) => balance.plugin);
      for (const one of [...planned.values()]) {
        if (wanted.some(({ name }) => name === one.backend.name)) continue;
        end(one);
        options.send(one.backend.name, null);
      }
      for (const backend of wanted) {
        const deadline = config.plugins.find(({ name }) => name === backend.balance.use)?.limits.deadline ?? longest;
        const known = planned.get(backend.name);
        if (known !== undefined) {
          known.backend = backend;
          known.deadline = deadline;
          request(known, "start");
          continue;
        }
        const one: Planned = {
          backend,
          deadline,
          generation: 0,
          askedAt: -Infinity,
          busy: false,
          pending: null,
          timer: null,
          plan: null,
          until: 0,
          error: null,
          ended: false,
        };
        planned.set(backend.name, one);
        request(one, "start");
      }
    },
    changed(backends) {
      for (const name of new Set(backends)) {
        const one = planned.get(name);
        if (one !== undefined) request(one, "health");
      }
    },
    lost(plugin) {
      for (const one of planned.values()) {
        if (one.backend.balance.use !== plugin) continue;
        one.plan = null;
        options.send(one.backend.name, null);
      }
    },
    views: () =>
      [...planned.values()].map(({ backend: { name }, plan, error }) => ({
        backend: name,
        explain: plan === null ? null : plan.explain ?? "",
        error,
      })),
    [Symbol.dispose]() {
      for (const one of [...planned.values()]) end(one);
    },
  };
}
