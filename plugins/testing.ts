/**
 * What a plugin's own tests use, imported as `tandem/plugin/test`: one check against a scripted server, a policy against a
 * trace, a delivery against answers. Everything runs in memory: no ports, no waiting. What a plugin answers is checked as a
 * running Tandem checks it, and what it did not ask for is absent.
 *
 * @module
 */
import { decodePlan, decodeVerdict } from "./answers.ts";
import { assertEntry, assertMetric } from "./capability_rules.ts";
import type {
  App,
  AppContext,
  Checker,
  CheckerContext,
  Context,
  Event,
  FetchOptions,
  Log,
  Notifier,
  Plan,
  Policy,
  PolicyInput,
  PolicyServer,
  RunOptions,
  RunResult,
  Store,
  Target,
  Verdict,
} from "./contract.ts";
import { connectTo, type Script, script, type ScriptedConnection } from "./scripted_server.ts";
import { type TestClock, type VirtualTime, virtualTime } from "./virtual_time.ts";

export { type Script, script, type Step } from "./scripted_server.ts";
export { type TestClock } from "./virtual_time.ts";

/** @param start ms since the epoch */
export function fakeClock(start?: number): TestClock {
  return virtualTime(start).clock;
}

/** What plugin.yaml asks for, as it says it there. What is not in it is absent in `ctx`, as it is on a node. */
export interface Requests {
  readonly endpoints?: readonly string[];
  readonly commands?: readonly string[];
  /** Bytes. */
  readonly store?: number;
}

/** What is outside of a plugin. */
export interface Surroundings {
  /** @default nothing; of a notifier: any endpoint and any command, and no store */
  readonly requests?: Requests;
  /** What endpoints answer, one after another. @default 200 each time */
  readonly answers?: readonly (Response | Error)[];
  /** How commands end, one after another. @default code 0 without output each time */
  readonly results?: readonly (RunResult | Error)[];
}

/** Whatever a plugin logged, in order: "info: text". */
export interface Seen {
  readonly log: readonly string[];
  /** Ports that were connected to. */
  readonly ports: readonly number[];
}

export interface CheckOptions<Config> extends Surroundings {
  readonly config: Config;
  readonly target?: Partial<Target>;
  /** @default a server that refuses */
  readonly server?: Script;
  /** ms. @default 1000 */
  readonly deadline?: number;
}

/** Connections one check may hold. */
const MOST_CONNECTIONS = 4;
/** Real ms: what a check may take that waits for nothing of the test, and what it may take to end after its deadline. */
const PATIENCE = 5000, GRACE = 1000;

/**
 * One check. What the checker throws is the verdict *down*, as in a running Tandem.
 *
 * @throws where a script did not go as written, the answer is no verdict, or none comes though the deadline has passed: then
 * the test has failed, and not the server
 * @example
 * ```ts ignore
 * const { verdict } = await runCheck(checker, { config: {}, server: script([{ expect: "PING\r\n" }, { send: "+PONG\r\n" }]) });
 * ```
 */
export async function runCheck<Config>(
  checker: Checker<Config>,
  options: CheckOptions<Config>,
): Promise<Seen & { readonly verdict: Verdict }> {
  const target = { backend: "web", server: "node01", address: "192.0.2.1", port: 80, labels: {}, ...options.target };
  const { context, log, time, abort } = createContext(options.config, options);
  using _ = time;
  const ports: number[] = [];
  const failures: Error[] = [];
  const connections: ScriptedConnection[] = [];
  const parts = { time, signal: context.signal, fail: (error: Error) => void failures.push(error) };
  const ctx: CheckerContext<Config> = {
    ...context,
    // deno-lint-ignore require-await
    async connect({ port = target.port } = {}) {
      context.signal.throwIfAborted();
      if (connections.filter(({ isOpen }) => isOpen).length >= MOST_CONNECTIONS) {
        throw new Error(`A call may hold ${MOST_CONNECTIONS} connections at a time`);
      }
      ports.push(port);
      const connection = connectTo(options.server ?? script(["refuse"]), parts);
      connections.push(connection);
      return connection;
    },
  };
  await checker.init?.(context);
  const deadline = options.deadline ?? 1000;
  const expired = () => abort("Deadline", `no answer within ${deadline} ms`);
  time.after(deadline, expired);
  const verdict = await judged(async () => await checker.check(target, ctx), context.signal, expired);
  for (const connection of connections) connection.judge();
  if (failures.length > 0) throw failures[0];
  return { verdict, log, ports };
}

/** The verdict of `check`, as control takes it from the pipe. */
async function judged(check: () => Promise<unknown>, signal: AbortSignal, expired: () => void): Promise<Verdict> {
  const silent = Promise.withResolvers<never>();
  // Whoever waits for what is no part of the test, or for nothing, is not moved by its clock.
  let timer = setTimeout(expired, PATIENCE);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    const text = `${signal.reason.message}, and none when ctx.signal said so: on a node that is no verdict`;
    timer = setTimeout(() => silent.reject(new Error(text, { cause: signal.reason })), GRACE);
  });
  const thrown = (error: unknown): Verdict => ({
    state: "down",
    reason: error instanceof Error ? error.message : String(error),
  });
  try {
    const answer = await Promise.race([
      check().then((value) => ({ value }), (error) => ({ thrown: thrown(error) })),
      silent.promise,
    ]);
    return decodeVerdict("thrown" in answer ? answer.thrown : asJson(answer.value));
  } finally {
    clearTimeout(timer);
  }
}

/** As it arrives at the other end of a pipe. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? "null");
}

export interface Simulation<Config> extends Surroundings {
  readonly config: Config;
  readonly servers: readonly (Partial<PolicyServer> & { readonly name: string })[];
  /** What changes, and when (ms): merged over the servers of that name; null takes one away. */
  readonly trace?: readonly {
    readonly at: number;
    readonly servers: Readonly<Record<string, Partial<PolicyServer> | null | undefined>>;
  }[];
  /** ms. @default 10000 */
  readonly for?: number;
}

export interface SimulationResult {
  /** Every plan that differs from the one before. */
  readonly plans: readonly { readonly at: number; readonly plan: Plan }[];
  /** Part of the requests each server would get, over the whole time, by weight. */
  readonly spread: Readonly<Record<string, number>>;
  /** Plans that differ from the one before. */
  readonly changes: number;
  /** The slowest decision, ms of this machine. */
  readonly decisionMs: number;
}

/**
 * Asks the policy ten times a second and at every change of the trace.
 *
 * @throws where an answer is no plan for the servers that it was given
 */
export async function simulate<Config>(policy: Policy<Config>, options: Simulation<Config>): Promise<SimulationResult> {
  const { context, time } = createContext(options.config, options);
  using _ = time;
  await policy.init?.(context);
  const servers = new Map(options.servers.map((server) => [server.name, { ...quietServer, ...server }]));
  const total = options.for ?? 10_000;
  const changes = [...options.trace ?? []].sort((a, b) => a.at - b.at);
  const moments = momentsOf(changes.map(({ at }) => at), total);
  const plans: { at: number; plan: Plan }[] = [];
  const shares = new Map<string, number>();
  let decisionMs = 0;
  let generation = 1;
  for (const [index, at] of moments.entries()) {
    let because: PolicyInput["because"] = index === 0 ? "start" : "interval";
    for (; changes.length > 0 && changes[0].at <= at; generation++) {
      if (index > 0) because = "health";
      for (const [name, change] of Object.entries(changes.shift()!.servers)) {
        if (change === null) servers.delete(name);
        else if (change) servers.set(name, { ...quietServer, ...servers.get(name), ...change, name });
      }
    }
    time.clock.advance(Math.max(0, at - time.clock.monotonic()));
    const began = performance.now();
    const answer = await policy.plan({ backend: "web", generation, because, servers: [...servers.values()] }, context);
    decisionMs = Math.max(decisionMs, performance.now() - began);
    const plan = decided(answer, new Set(servers.keys()));
    if (JSON.stringify(plan) !== JSON.stringify(plans.at(-1)?.plan)) plans.push({ at, plan });
    const part = ((moments[index + 1] ?? total) - at) / total;
    const sum = Object.values(plan.weights).reduce((a, b) => a + b, 0) || 1;
    for (const [name, weight] of Object.entries(plan.weights)) {
      shares.set(name, (shares.get(name) ?? 0) + weight / sum * part);
    }
  }
  return { plans, spread: Object.fromEntries(shares), changes: plans.length - 1, decisionMs };
}

/** ms between two plans that nothing asks for. */
const INTERVAL = 100;

function momentsOf(changes: readonly number[], total: number): number[] {
  const regular = Array.from({ length: Math.ceil(total / INTERVAL) }, (_, index) => index * INTERVAL);
  const moments = new Set([...regular, ...changes.filter((at) => at >= 0 && at < total)]);
  return [...moments].sort((a, b) => a - b);
}

function decided(answer: unknown, servers: ReadonlySet<string>): Plan {
  const plan = decodePlan(asJson(answer), servers);
  return { ...plan, weights: { ...plan.weights } };
}

const quietServer: PolicyServer = {
  name: "",
  address: "192.0.2.1",
  port: 80,
  weight: 1,
  backup: false,
  labels: {},
  connections: 0,
  queued: 0,
  latencyMs: null,
  errorRate: 0,
};

/** A request that a plugin made to an endpoint. */
export interface Sent {
  readonly endpoint: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A datagram that a plugin sent to an endpoint. */
export interface Datagram {
  readonly endpoint: string;
  readonly message: string | Uint8Array;
}

/** A command that a plugin ran. */
export interface Ran extends RunOptions {
  readonly command: string;
}

/** What a plugin did outside of itself, in order. */
export interface Done {
  readonly sent: readonly Sent[];
  readonly datagrams: readonly Datagram[];
  readonly ran: readonly Ran[];
  readonly log: readonly string[];
}

export interface DeliveryOptions<Config> extends Surroundings {
  readonly config: Config;
}

/** One delivery: what was sent, and what the notifier threw. */
export async function deliver<Config>(
  notifier: Notifier<Config>,
  event: Partial<Event>,
  options: DeliveryOptions<Config>,
): Promise<Done & { readonly error: Error | null }> {
  const { errors, ...done } = await deliverAll(notifier, [event], options);
  return { ...done, error: errors[0] };
}

/** Deliveries one after another to the same notifier, which keeps its store: what each threw is at its place in `errors`. */
export async function deliverAll<Config>(
  notifier: Notifier<Config>,
  events: readonly Partial<Event>[],
  options: DeliveryOptions<Config>,
): Promise<Done & { readonly errors: readonly (Error | null)[] }> {
  const { context, time, ...done } = createContext(options.config, options, { endpoints: ANY, commands: ANY });
  using _ = time;
  await notifier.init?.(context);
  const errors: (Error | null)[] = [];
  for (const event of events) {
    try {
      await notifier.notify({ ...sampleEvent, ...event }, context);
      errors.push(null);
    } catch (error) {
      errors.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  const { sent, datagrams, ran, log } = done;
  return { sent, datagrams, ran, log, errors };
}

/** A server that went down. */
export const sampleEvent: Event = {
  v: 1,
  id: "dlp1-7",
  seq: 7,
  at: "2026-01-01T00:00:00.000Z",
  node: "dlp1",
  cluster: "edge",
  type: "server.state",
  severity: "warning",
  about: "web/node01",
  resolves: null,
  text: "node01 is down: connect refused",
  attempt: 1,
  fields: { state: "down" },
};

/** One request to an app. `forward` stands for the balancer. */
export async function request<Config>(
  app: App<Config>,
  request: Request,
  options: Surroundings & { readonly config: Config; readonly forward?: AppContext["forward"] },
): Promise<Response> {
  // Its clock goes on after the answer: a body may still be under way.
  const { context } = createContext(options.config, options);
  const nowhere = () => Promise.reject(new Error("Cannot forward: this test gives no `forward`"));
  await app.init?.(context);
  return await app.fetch(request, { ...context, forward: options.forward ?? nowhere });
}

/** Any name: who tests a notifier has something in mind that is notified. */
const ANY = null;

/** As {@linkcode Requests}, each absent or any name. */
interface Granted {
  readonly endpoints?: readonly string[] | null;
  readonly commands?: readonly string[] | null;
  readonly store?: number;
}

function createContext<Config>(config: Config, around: Surroundings, fallback: Granted = {}) {
  const time = virtualTime();
  const controller = new AbortController();
  const { signal } = controller;
  const lines: string[] = [];
  const say = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
  const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const { endpoints, commands, store = 0 } = around.requests ?? fallback;
  const outside = createOutside(around, endpoints, commands);
  const context: Context<Config> = {
    config,
    host: { node: "dlp1", cluster: "edge", labels: { zone: "a" }, api: 1 },
    signal,
    clock: { ...time.clock, sleep: (ms) => time.blocked(wake(time, ms), signal) },
    log,
    metrics: {
      count: (name, by = 1) => assertMetric("count", name, by),
      gauge: (name, value) => assertMetric("gauge", name, value),
    },
    ...(store > 0 ? { store: createStore(store) } : {}),
    ...outside.capabilities,
  };
  const abort = (name: string, message: string) => controller.abort(Object.assign(new Error(message), { name }));
  const { sent, datagrams, ran } = outside;
  return { context, time, log: lines, sent, datagrams, ran, abort };
}

function wake(time: VirtualTime, ms: number): Promise<void> {
  return new Promise((resolve) => void time.after(ms, resolve));
}

/** Endpoints and commands that answer as the test says. */
function createOutside(around: Surroundings, endpoints: Granted["endpoints"], commands: Granted["commands"]) {
  const answers = [...around.answers ?? []], results = [...around.results ?? []];
  const sent: Sent[] = [], datagrams: Datagram[] = [], ran: Ran[] = [];
  const assertGranted = (what: string, name: string, granted: Granted["endpoints"]) => {
    if (granted && !granted.includes(name)) throw new Error(`${what} "${name}" is not granted`);
  };
  const given = <T>(answer: T | Error): T => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const reaching: Pick<Context<unknown>, "fetch" | "send"> = {
    // deno-lint-ignore require-await
    async fetch(endpoint: string, request: FetchOptions = {}) {
      assertGranted("Endpoint", endpoint, endpoints);
      const { method = request.body === undefined ? "GET" : "POST", path = "", headers = {}, body = null } = request;
      sent.push({ endpoint, method, path, headers, body });
      return given(answers.shift() ?? new Response(null, { status: 200 }));
    },
    // deno-lint-ignore require-await
    async send(endpoint: string, message: string | Uint8Array) {
      assertGranted("Endpoint", endpoint, endpoints);
      datagrams.push({ endpoint, message });
      given(answers.shift() ?? null);
    },
  };
  const running: Pick<Context<unknown>, "run"> = {
    // deno-lint-ignore require-await
    async run(command: string, options: RunOptions = {}) {
      assertGranted("Command", command, commands);
      ran.push({ command, ...options });
      return given(results.shift() ?? { code: 0, output: "" });
    },
  };
  const isAny = (names: Granted["endpoints"]) => names === ANY || (names !== undefined && names.length > 0);
  const capabilities = { ...(isAny(endpoints) ? reaching : {}), ...(isAny(commands) ? running : {}) };
  return { sent, datagrams, ran, capabilities };
}

/** @param bytes for keys and values together */
function createStore(bytes: number): Store {
  const kept = new Map<string, string>();
  const encoder = new TextEncoder();
  const size = (entries: Iterable<[string, string]>) =>
    [...entries].reduce((sum, [key, value]) => sum + encoder.encode(key + value).length, 0);
  return {
    get: (key) => Promise.resolve(kept.get(key) ?? null),
    // deno-lint-ignore require-await
    async set(key, value) {
      assertEntry(key, value);
      if (value === null) return void kept.delete(key);
      const wanted = size(new Map(kept).set(key, value));
      if (wanted > bytes) throw new RangeError(`The store is full: ${wanted} bytes wanted, ${bytes} granted`);
      kept.set(key, value);
    },
  };
}
