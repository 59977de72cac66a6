/** A group of servers and how one is picked: by the plan of the backend's policy, made anew when a verdict changes. */
import type { Plan, PolicyInput } from "../../plugins/contract.ts";
import type { RequestHead } from "../http/mod.ts";
import { type Balancer, balancer } from "./balance/balancer.ts";
import { builtInPlan } from "./balance/built_in.ts";
import { type KeyedClient, type KeyReader, keyReader } from "./balance/key.ts";
import { SharedLoad } from "./balance/shared_load.ts";
import { type Answer, constantAnswer } from "./routes/answer.ts";
import { Stickiness } from "./stickiness.ts";
import type { Engine } from "./engine.ts";
import type { BackendOptions } from "./protocol.ts";
import { Queue, type Waiter } from "./queue.ts";
import { RetryBudget } from "./retry_budget.ts";
import type { Server } from "./server.ts";
import { Timed } from "./timer_wheel.ts";
import { ServerCounter } from "./shared_state.ts";
import { isGone, stateOf, usableWeight, weightOf } from "./server_verdict.ts";

const NOBODY: readonly number[] = [];
/** Looks for a free server before a request waits for one. */
const CLAIMS = 3;
/** What sticks a client to a server without a cookie. */
const BY_CLIENT = { from: "client_ip", table: "maglev" } as const;
/** Configuration of the policy that picks while a plugin has no plan. */
const FALLBACK = { table: "maglev" };
const NO_PLAN: Plan = { ttlMs: 0, weights: {} };

export class Backend {
  /** Whether requests under way are counted: something compares or limits them. */
  counts = false;
  /** Whether any server has a maxconn, so that requests may have to wait. */
  limited = false;
  readonly queue: Queue;
  /** The answer while no server takes requests; null = a plain 503. */
  whenEmpty: Answer | null = null;
  /** null: clients need not come back to their server. */
  stickiness: Stickiness | null = null;
  #servers: readonly Server[] = [];
  #options: BackendOptions;
  #load: SharedLoad;
  #balancer: Balancer = balancer(NO_PLAN, []);
  #key: KeyReader | null = null;
  /** Generation of verdicts that was looked at last, and the verdicts that the plan was made of. */
  #generation = -1;
  #planned: readonly number[] | null = null;
  /** What a plugin planned last, as long as it holds. */
  #external: Plan | null = null;
  readonly #expiry = new Expiry(() => this.follow(null));
  readonly #repeats = new RetryBudget();
  /** Counts plans. */
  #round = 0;

  constructor(readonly engine: Engine, options: BackendOptions, readonly slot: number) {
    this.#options = options;
    this.#load = new SharedLoad(engine.shared, slot, []);
    this.queue = new Queue(engine.lines, slot, {
      claim: (key, tried) => this.claim(key, tried),
      wake: (thread) => engine.wake(thread),
    });
  }

  get options(): BackendOptions {
    return this.#options;
  }

  get servers(): readonly Server[] {
    return this.#servers;
  }

  /** Takes options and servers of a new configuration. */
  configure(options: BackendOptions, servers: readonly Server[]): void {
    this.#options = options;
    this.#servers = servers;
    this.#load = new SharedLoad(
      this.engine.shared,
      this.slot,
      servers.map(({ slot, options: { maxconn } }) => ({ slot, limit: maxconn ?? 0 })),
    );
    this.#generation = -1;
    this.#planned = null;
    this.stickiness = options.stickiness?.by === "cookie" ? new Stickiness(options.stickiness, servers) : null;
    const { whenEmpty } = options;
    this.whenEmpty = whenEmpty ? constantAnswer(whenEmpty.status, whenEmpty.headers, whenEmpty.body) : null;
    this.limited = servers.some(({ options: { maxconn } }) => maxconn !== null);
  }

  /** Takes a plugin's plan, which holds for its time to live; null = it has none. */
  follow(plan: Plan | null): void {
    this.#external = plan;
    this.#planned = null;
    this.#generation = -1;
    if (plan === null) this.engine.wheel.disarm(this.#expiry);
    else this.engine.wheel.arm(this.#expiry, this.engine.now + plan.ttlMs);
  }

  /** What the policy balances the request by; null where it goes by no key, or the request has none of it. */
  keyOf(head: RequestHead | null, client: KeyedClient): number | null {
    if (this.#generation !== this.engine.shared.generation) this.#look();
    return this.#key === null ? null : this.#key(head, client);
  }

  /** The server for a request, none of `tried`; null where no other may be used. All threads share the order of picks. */
  pick(key: number | null, tried: readonly Server[]): Server | null {
    if (this.#generation !== this.engine.shared.generation) this.#look();
    const at = this.#balancer.pick(key, this.#load, tried.length === 0 ? NOBODY : this.#placesOf(tried));
    return at < 0 ? null : this.#servers[at];
  }

  /** As `pick`, and the server counts the request; "full" where every server that may be used is. */
  claim(key: number | null, tried: readonly Server[]): Server | "full" | null {
    // Between looking and entering another thread may be faster.
    for (let attempt = 0; attempt < CLAIMS; attempt++) {
      const server = this.pick(key, tried);
      if (server === null || server.tryEnter()) return server;
    }
    return "full";
  }

  /** Puts a request into the queue, for `server` or for any. */
  wait(waiter: Waiter, server: Server | null = null): void {
    this.queue.join(waiter, server);
    this.engine.waiting.add(this.queue);
  }

  /** Acts on verdicts that changed: nothing idle stays open to a server that is gone. */
  observe(): void {
    for (const server of this.#servers) {
      if (!isGone(server.verdict)) continue;
      if (this.options.onDown === "close") server.closeAll();
      else server.closeIdle();
    }
  }

  /** Whether a request that a server may have acted upon may be sent to it once more. */
  mayRepeat(): boolean {
    const { servers } = this.engine.shared;
    const requests = this.#servers.reduce((sum, { counters }) => sum + servers[counters + ServerCounter.requests], 0);
    return this.#repeats.take(this.engine.now, requests);
  }

  /** Whether any server could take a request now. */
  get available(): boolean {
    return this.#servers.some((server) => usableWeight(server.verdict) > 0);
  }

  #placesOf(tried: readonly Server[]): readonly number[] {
    return tried.map((server) => this.#servers.indexOf(server));
  }

  /** Plans anew if a verdict on one of our servers changed. */
  #look(): void {
    this.#generation = this.engine.shared.generation;
    const verdicts = this.#servers.map(({ verdict }) => verdict);
    const planned = this.#planned;
    if (planned !== null && verdicts.every((verdict, index) => verdict === planned[index])) return;
    this.#planned = verdicts;
    const planning = this.#plan(planned === null ? "start" : "health");
    const sticky = this.#options.stickiness?.by === "client_ip";
    const plan = sticky ? { ...planning, key: BY_CLIENT } : planning;
    this.#balancer = balancer(
      plan,
      this.#servers.map(({ options: { name }, verdict }) => ({ name, usable: usableWeight(verdict) > 0 })),
    );
    this.#key = plan.key === undefined ? null : keyReader(plan.key);
    this.counts = this.limited || comparesLoad(plan);
  }

  /** The plugin's plan; null where it leaves none of `servers`, because it was made before they were who is up. */
  #followed(servers: PolicyInput["servers"]): Plan | null {
    const plan = this.#external;
    if (plan === null) return null;
    const serves = servers.some(({ name, weight }) => weight > 0 && (plan.weights[name] ?? 0) > 0);
    return serves ? plan : null;
  }

  #plan(because: PolicyInput["because"]): Plan {
    const { name, balance } = this.#options;
    const servers = this.#servers.filter(({ verdict }) => stateOf(verdict) === "up").map((
      { options, verdict, slot },
    ) => ({
      name: options.name,
      address: options.address,
      port: options.port,
      weight: weightOf(verdict),
      backup: options.backup,
      labels: options.labels,
      connections: this.engine.shared.active[slot],
      queued: 0,
      latencyMs: null,
      errorRate: 0,
    }));
    const input = { backend: name, generation: ++this.#round, because, servers };
    return builtInPlan(balance.use, balance.with, input) ?? this.#followed(servers) ??
      builtInPlan(balance.fallback ?? "random", FALLBACK, input) ?? NO_PLAN;
  }
}

/** The end of a plan's time to live. */
class Expiry extends Timed {
  constructor(readonly expired: () => void) {
    super();
  }
}

function comparesLoad({ pick, key }: Plan): boolean {
  return pick === "random2" || pick === "leastconn" || key?.bound !== undefined;
}
