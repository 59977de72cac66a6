/**
 * What a plugin's own tests use, imported as `tandem/plugin/test`: one check against a scripted server, a policy against a
 * trace, a delivery against answers. Everything runs in memory: no ports, no waiting.
 *
 * @module
 */
import type {
  App,
  AppContext,
  Checker,
  CheckerContext,
  Clock,
  Connection,
  Context,
  Event,
  FetchOptions,
  Log,
  Notifier,
  Plan,
  Policy,
  PolicyInput,
  PolicyServer,
  Store,
  Target,
  Verdict,
} from "./contract.ts";

/** A clock that stands still until it is told otherwise; `sleep` moves it. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

/** @param start ms since the epoch */
export function fakeClock(start = Date.UTC(2026, 0, 1)): TestClock {
  let elapsed = 0;
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    // deno-lint-ignore require-await
    sleep: async (ms) => void (elapsed += ms),
    advance: (ms) => void (elapsed += ms),
  };
}

/** One step of a scripted server. */
export type Step =
  /** Waits for exactly these bytes; something else fails the test. */
  | { readonly expect: string | Uint8Array }
  /** Waits for as much as has come and judges it; what it returns is sent. */
  | { readonly answer: (bytes: Uint8Array) => string | Uint8Array | Promise<string | Uint8Array> }
  | { readonly send: string | Uint8Array }
  /** Lets the clock pass, ms: past the deadline the check is aborted. */
  | { readonly pause: number }
  /** The connection breaks. */
  | "reset"
  /** The server closes. */
  | "close"
  /** There is no server. */
  | "refuse";

/** A server that does these things, in this order, to each connection. */
export function script(steps: readonly Step[]): Script {
  return { steps };
}

export interface Script {
  readonly steps: readonly Step[];
}

/** Whatever a plugin logged, in order: "info: text". */
export interface Seen {
  readonly log: readonly string[];
  /** Ports that were connected to. */
  readonly ports: readonly number[];
}

export interface CheckOptions<Config> {
  readonly config: Config;
  readonly target?: Partial<Target>;
  /** @default a server that refuses */
  readonly server?: Script;
  /** ms. @default 1000 */
  readonly deadline?: number;
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

/**
 * One check. What the checker throws is the verdict *down*, as in a running Tandem.
 *
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
  const { context, log, clock, abort } = createContext(options.config);
  const ports: number[] = [];
  const deadline = options.deadline ?? 1000;
  const ctx: CheckerContext<Config> = {
    ...context,
    // deno-lint-ignore require-await
    async connect({ port = target.port } = {}) {
      ports.push(port);
      return connection(options.server ?? script(["refuse"]), clock, () => {
        if (clock.monotonic() >= deadline) abort("Deadline", `no answer within ${deadline} ms`);
        return context.signal;
      });
    },
  };
  await checker.init?.(context);
  try {
    return { verdict: await checker.check(target, ctx), log, ports };
  } catch (error) {
    return { verdict: { state: "down", reason: error instanceof Error ? error.message : String(error) }, log, ports };
  }
}

function connection({ steps }: Script, clock: TestClock, tick: () => AbortSignal): Connection {
  if (steps[0] === "refuse") throw new Error("connect refused");
  let at = 0;
  let received: Uint8Array = new Uint8Array(0);
  const wrong = (text: string) => new Error(`Script, step ${at + 1}: ${text}`);
  const pass = (ms: number) => {
    clock.advance(ms);
    tick().throwIfAborted();
  };
  const connection: Connection = {
    async read() {
      for (; at < steps.length; at++) {
        const step = steps[at];
        if (step === "reset") throw new Error("read reset");
        if (step === "close") return null;
        if (step === "refuse") throw wrong("refuse must be the first step");
        if ("pause" in step) pass(step.pause);
        else if ("send" in step) return bytesOf(steps[at++] as { send: string | Uint8Array });
        else if ("expect" in step) {
          const wanted = typeof step.expect === "string" ? encoder.encode(step.expect) : step.expect;
          if (!startsWith(received, wanted)) {
            throw wrong(`expected ${show(wanted)}, got ${show(received)}`);
          }
          received = received.slice(wanted.length);
        } else {
          const answer = await step.answer(received);
          received = new Uint8Array(0);
          at++;
          return typeof answer === "string" ? encoder.encode(answer) : answer;
        }
      }
      // A server that has nothing more to say leaves the check to its deadline.
      pass(Number.MAX_SAFE_INTEGER / 2);
      return null;
    },
    // deno-lint-ignore require-await
    async write(bytes) {
      if (steps[at] === "reset") throw new Error("write reset");
      const joined = new Uint8Array(received.length + bytes.length);
      joined.set(received);
      joined.set(bytes, received.length);
      received = joined;
    },
    close() {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return connection;
}

function bytesOf({ send }: { send: string | Uint8Array }): Uint8Array {
  return typeof send === "string" ? encoder.encode(send) : send;
}

function startsWith(bytes: Uint8Array, wanted: Uint8Array): boolean {
  return bytes.length >= wanted.length && wanted.every((byte, index) => bytes[index] === byte);
}

function show(bytes: Uint8Array): string {
  return JSON.stringify(decoder.decode(bytes.subarray(0, 80)));
}

export interface Simulation<Config> {
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

/** Asks the policy ten times a second and at every change of the trace, as a running Tandem would at most. */
export async function simulate<Config>(policy: Policy<Config>, options: Simulation<Config>): Promise<SimulationResult> {
  const { context, clock } = createContext(options.config);
  await policy.init?.(context);
  const servers = new Map(options.servers.map((server) => [server.name, { ...quietServer, ...server }]));
  const total = options.for ?? 10_000;
  const plans: { at: number; plan: Plan }[] = [];
  const shares = new Map<string, number>();
  let decisionMs = 0;
  const changes = [...options.trace ?? []].sort((a, b) => a.at - b.at);
  let because: PolicyInput["because"] = "start";
  for (let at = 0, generation = 1; at < total; at += 100) {
    for (; changes.length > 0 && changes[0].at <= at; generation++) {
      because = "health";
      for (const [name, change] of Object.entries(changes.shift()!.servers)) {
        if (change === null) servers.delete(name);
        else if (change) servers.set(name, { ...quietServer, ...servers.get(name), ...change, name });
      }
    }
    const began = performance.now();
    const plan = await policy.plan({ backend: "web", generation, because, servers: [...servers.values()] }, context);
    decisionMs = Math.max(decisionMs, performance.now() - began);
    if (JSON.stringify(plan.weights) !== JSON.stringify(plans.at(-1)?.plan.weights)) plans.push({ at, plan });
    const sum = Object.values(plan.weights).reduce((a, b) => a + b, 0);
    for (const [name, weight] of Object.entries(plan.weights)) {
      shares.set(name, (shares.get(name) ?? 0) + weight / (sum || 1) * 100 / total);
    }
    because = "interval";
    clock.advance(100);
  }
  return { plans, spread: Object.fromEntries(shares), changes: plans.length - 1, decisionMs };
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

export interface DeliveryOptions<Config> {
  readonly config: Config;
  /** What the endpoint answers, one after another. @default 200 each time */
  readonly answers?: readonly (Response | Error)[];
}

/** One delivery: what was sent, and what the notifier threw. */
export async function deliver<Config>(
  notifier: Notifier<Config>,
  event: Partial<Event>,
  options: DeliveryOptions<Config>,
): Promise<{ readonly sent: readonly Sent[]; readonly error: Error | null; readonly log: readonly string[] }> {
  const { sent, errors, log } = await deliverAll(notifier, [event], options);
  return { sent, error: errors[0], log };
}

/** Deliveries one after another to the same notifier, which keeps its store: what each threw is at its place in `errors`. */
export async function deliverAll<Config>(
  notifier: Notifier<Config>,
  events: readonly Partial<Event>[],
  options: DeliveryOptions<Config>,
): Promise<
  { readonly sent: readonly Sent[]; readonly errors: readonly (Error | null)[]; readonly log: readonly string[] }
> {
  const answers = [...options.answers ?? []];
  const sent: Sent[] = [];
  const { context, log } = createContext(options.config, (endpoint, request = {}) => {
    const { method = request.body === undefined ? "GET" : "POST", path = "", headers = {}, body = null } = request;
    sent.push({ endpoint, method, path, headers, body });
    const answer = answers.shift() ?? new Response(null, { status: 200 });
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
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
  return { sent, errors, log };
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
  options: { readonly config: Config; readonly forward?: AppContext["forward"] },
): Promise<Response> {
  const { context } = createContext(options.config);
  const nowhere = () => Promise.reject(new Error("Cannot forward: this test gives no `forward`"));
  await app.init?.(context);
  return await app.fetch(request, { ...context, forward: options.forward ?? nowhere });
}

function createContext<Config>(
  config: Config,
  fetch?: (endpoint: string, options?: FetchOptions) => Promise<Response>,
) {
  const clock = fakeClock();
  const lines: string[] = [];
  const controller = new AbortController();
  const say = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
  const log: Log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const kept = new Map<string, string>();
  const store: Store = {
    get: (key) => Promise.resolve(kept.get(key) ?? null),
    // deno-lint-ignore require-await
    set: async (key, value) => void (value === null ? kept.delete(key) : kept.set(key, value)),
  };
  const context: Context<Config> = {
    config,
    host: { node: "dlp1", cluster: "edge", labels: { zone: "a" }, api: 1 },
    signal: controller.signal,
    clock,
    log,
    metrics: { count() {}, gauge() {} },
    store,
    fetch,
  };
  const abort = (name: string, message: string) => controller.abort(Object.assign(new Error(message), { name }));
  return { context, clock, log: lines, abort };
}
