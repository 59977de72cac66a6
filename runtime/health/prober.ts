/**
 * Who is healthy: probes every server's target on schedule and keeps what each server is. Servers that are checked in the
 * same way at the same place share one probe, and each counts its answers by its own rise and fall.
 */
import type { Checker, Target } from "../../plugins/contract.ts";
import { type Health, initialHealth, observe, type Thresholds } from "./counter.ts";
import { probe, type ProbeDependencies, type ProbeResult } from "./probe.ts";
import { untilNextProbe } from "./schedule.ts";

/** One server and how it is checked. Durations are ms. */
export interface CheckedServer {
  readonly target: Target;
  readonly check: Thresholds & {
    /** Name of the checker. */
    readonly use: string;
    /** Its own configuration. */
    readonly with: unknown;
    readonly interval: number;
    /** Instead of `interval` while answers speak against what the server is. @default as `interval` */
    readonly fastInterval?: number;
    readonly timeout: number;
    /** What the server is before its first answer. */
    readonly initial: "wait" | "up" | "down";
  };
}

/** What is known of one server. */
export interface Standing {
  readonly target: Target;
  readonly health: Health;
  /** Since when it is in that state, ms since the epoch. */
  readonly since: number;
  /** The newest answer; null before the first. */
  readonly last: {
    readonly result: ProbeResult;
    readonly at: number;
    /** We saw ourselves that nobody could connect to the server: no checker has to be believed. */
    readonly witnessed?: true;
  } | null;
  /** What the checker said last of the server's weight, percent. @default 100 */
  readonly weightPercent?: number;
}

export interface ProberOptions extends ProbeDependencies {
  /** Finds a checker by the name in `use`. */
  readonly checker: (use: string) => Checker<unknown>;
  /** Asked where a checker has given no verdict for three intervals. @default nobody is, and nothing changes */
  readonly substitute?: Checker<unknown>;
  /** Called after every answer; `before` is what the server was until then. */
  readonly observed: (standing: Standing, before: Health) => void;
  /** 0 ≤ random < 1. @default Math.random */
  readonly random?: () => number;
}

export interface Prober extends Disposable {
  /** The whole wanted set. A server whose address is unchanged keeps its state, one whose check is unchanged its probe too. */
  watch(servers: readonly CheckedServer[]): void;
  standing(backend: string, server: string): Standing | null;
  /** Whether it is known of every server what it is. */
  settled(): boolean;
}

interface Subject {
  server: CheckedServer;
  standing: Standing;
  probe: Probe;
}

interface Probe {
  readonly key: string;
  readonly subjects: Set<Subject>;
  timer: Disposable | null;
  /** Since when the checker gives no verdict, monotonic ms; null = it does. */
  silentSince: number | null;
  /** Nobody wants it any more; what it still answers is not heard. */
  ended: boolean;
}

interface Answer {
  readonly result: ProbeResult;
  readonly witnessed: boolean;
}

/** Intervals without a verdict before the substitute is asked. */
const patience = 3;

export function createProber(options: ProberOptions): Prober {
  const { clock } = options;
  const random = options.random ?? Math.random;
  const subjects = new Map<string, Subject>();
  const probes = new Map<string, Probe>();

  async function run(probing: Probe, first: boolean): Promise<void> {
    const began = clock.monotonic();
    const [{ server }] = probing.subjects;
    const answer = await ask(probing, server, began);
    if (probing.ended) return;
    for (const subject of [...probing.subjects]) hear(subject, answer);
    if (probing.ended) return;
    const awaited = [...probing.subjects].some(({ standing }) => standing.health.state === "wait");
    const wait = untilNextProbe({ began, first, awaited, now: clock.monotonic(), interval: pace(probing) }, random());
    probing.timer = clock.after(wait, () => void run(probing, awaited));
  }

  async function ask(probing: Probe, { check, target }: CheckedServer, began: number): Promise<Answer> {
    let witnessed = false;
    const dependencies = { ...options, unreachable: () => void (witnessed = true) };
    const asked = await probe(options.checker(check.use), check.with, target, check.timeout, dependencies);
    if (asked.state !== "unknown") {
      probing.silentSince = null;
      return { result: asked, witnessed };
    }
    probing.silentSince ??= began;
    const silent = clock.monotonic() - probing.silentSince;
    if (options.substitute === undefined || silent < patience * check.interval) {
      return { result: asked, witnessed: false };
    }
    const result = await probe(options.substitute, {}, target, check.timeout, options);
    return { result: { ...result, reason: `${result.reason}; ${asked.reason}` }, witnessed: true };
  }

  function hear(subject: Subject, { result, witnessed }: Answer): void {
    const { standing, server } = subject;
    const health = observe(standing.health, result.state, server.check);
    const now = clock.now();
    const since = health.state === standing.health.state ? standing.since : now;
    const percent = result.state === "up"
      ? result.weightPercent
      : result.state === "unknown"
      ? standing.weightPercent
      : 100;
    subject.standing = {
      target: server.target,
      health,
      since,
      last: { result, at: now, ...(witnessed && result.state === "down" && { witnessed: true as const }) },
      ...(percent !== undefined && percent !== 100 && { weightPercent: percent }),
    };
    options.observed(subject.standing, standing.health);
  }

  function join(key: string): Probe {
    const found = probes.get(key);
    if (found !== undefined) return found;
    const started: Probe = { key, subjects: new Set(), timer: null, silentSince: null, ended: false };
    probes.set(key, started);
    // In the next turn, when all who share it have joined.
    started.timer = clock.after(0, () => void run(started, true));
    return started;
  }

  function leave(subject: Subject): void {
    const { probe: left, server } = subject;
    left.subjects.delete(subject);
    if (left.subjects.size > 0) return;
    left.ended = true;
    left.timer?.[Symbol.dispose]();
    probes.delete(left.key);
    options.checker(server.check.use).forget?.(server.target);
  }

  function set(server: CheckedServer): void {
    const name = nameOf(server.target.backend, server.target.server);
    const key = probeKey(server, options.checker(server.check.use).named ?? false);
    const known = subjects.get(name);
    if (known !== undefined && samePlace(known.server.target, server.target)) {
      known.server = server;
      known.standing = { ...known.standing, target: server.target };
      if (known.probe.key === key) return;
      const joined = join(key);
      leave(known);
      known.probe = joined;
      joined.subjects.add(known);
      return;
    }
    if (known !== undefined) leave(known);
    const health = initialHealth(server.check.initial);
    const subject: Subject = {
      server,
      standing: { target: server.target, health, since: clock.now(), last: null },
      probe: join(key),
    };
    subject.probe.subjects.add(subject);
    subjects.set(name, subject);
  }

  return {
    watch(servers) {
      const wanted = new Set(servers.map(({ target }) => nameOf(target.backend, target.server)));
      for (const [name, subject] of subjects) {
        if (wanted.has(name)) continue;
        leave(subject);
        subjects.delete(name);
      }
      for (const server of servers) set(server);
    },
    standing: (backend, server) => subjects.get(nameOf(backend, server))?.standing ?? null,
    settled: () => [...subjects.values()].every(({ standing }) => standing.health.state !== "wait"),
    [Symbol.dispose]() {
      for (const subject of subjects.values()) leave(subject);
      subjects.clear();
    },
  };
}

/** The interval of a probe: shorter while its answers speak against what a server is taken for. */
function pace({ subjects }: Probe): number {
  const [{ server: { check: { interval, fastInterval = interval } } }] = subjects;
  const doubtful = [...subjects].some(({ standing: { health } }) => health.state !== "wait" && health.streak > 0);
  return doubtful ? fastInterval : interval;
}

function nameOf(backend: string, server: string): string {
  return `${backend}/${server}`;
}

function samePlace(a: Target, b: Target): boolean {
  return a.address === b.address && a.port === b.port;
}

/** Equal for checks whose answers must be equal. Rise, fall and initial are each server's own. */
function probeKey({ target, check }: CheckedServer, named: boolean): string {
  return JSON.stringify([
    named ? nameOf(target.backend, target.server) : null,
    check.use,
    check.with,
    check.interval,
    check.fastInterval,
    check.timeout,
    target.address,
    target.port,
    target.labels,
  ]);
}
