/**
 * How fast and how well servers have answered of late, smoothed out of counters that only rise: what policies of plugins
 * go by, and what `status` shows. A busy server is followed within seconds; one that gets few requests is not judged by
 * the last of them.
 */
import type { ServerCounters } from "../proxy/protocol.ts";

export interface ServerPace {
  /** Smoothed time to the head of a response, ms; null before the first. */
  readonly latencyMs: number | null;
  /** Part of the recent requests that failed, 0 to 1: not connected, no usable response, or 5xx. */
  readonly errorRate: number;
}

export interface ServerPaces {
  /** Takes the counters of all servers as they are at `now`, monotonic ms. */
  observe(counters: readonly ServerCounters[], now: number): void;
  of(backend: string, server: string): ServerPace;
  /** Counters begin at nought again: the process that counts is a new one. */
  restart(): void;
}

/** What is older than this, ms, counts for a third. */
const MEMORY = 2000;
/** The same for failures of a server that gets no requests any more: somebody has to try it again. */
const FORGIVENESS = 10_000;
/** Weight of one response among those before it. */
const ONE = 0.1;

const UNKNOWN: ServerPace = { latencyMs: null, errorRate: 0 };

interface Known {
  counted: Sums;
  pace: ServerPace;
}

/** What is smoothed, added up since the process began. */
interface Sums {
  readonly attempts: number;
  readonly failures: number;
  readonly responses: number;
  readonly ms: number;
}

const NOTHING: Sums = { attempts: 0, failures: 0, responses: 0, ms: 0 };

export function createServerPaces(): ServerPaces {
  let known = new Map<string, Known>();
  let observed = -Infinity;
  return {
    observe(counters, now) {
      const elapsed = now - observed;
      observed = now;
      const next = new Map<string, Known>();
      for (const each of counters) {
        const key = `${each.backend}/${each.server}`;
        const before = known.get(key);
        const counted = sumsOf(each);
        // What was counted before we looked is as recent as all else.
        const since = difference(counted, before?.counted ?? NOTHING);
        next.set(key, { counted, pace: follow(before?.pace ?? UNKNOWN, since, elapsed) });
      }
      known = next;
    },
    of: (backend, server) => known.get(`${backend}/${server}`)?.pace ?? UNKNOWN,
    restart() {
      for (const one of known.values()) one.counted = NOTHING;
    },
  };
}

function follow({ latencyMs, errorRate }: ServerPace, since: Sums, elapsed: number): ServerPace {
  const { attempts, failures, responses, ms } = since;
  // Some requests end without having been counted as sent in the same time.
  const failed = attempts + failures === 0 ? null : failures / Math.max(attempts, failures);
  return {
    latencyMs: responses === 0 ? latencyMs : smoothed(latencyMs, ms / responses, responses, elapsed),
    errorRate: failed === null
      ? errorRate * Math.exp(-elapsed / FORGIVENESS)
      : smoothed(errorRate, failed, Math.max(attempts, failures), elapsed),
  };
}

/** `before`, moved towards the mean of `count` new values by as much as they and the time that went by are worth. */
function smoothed(before: number | null, mean: number, count: number, elapsed: number): number {
  if (before === null) return mean;
  const worth = Math.min(1 - Math.exp(-elapsed / MEMORY), 1 - (1 - ONE) ** count);
  return before + (mean - before) * worth;
}

function sumsOf({ requests_total, connect_failures, responses, response_failures, ...rest }: ServerCounters): Sums {
  return {
    attempts: requests_total + connect_failures,
    failures: connect_failures + response_failures + responses["5xx"],
    responses: Object.values(responses).reduce((sum, count) => sum + count, 0),
    ms: 1000 * rest.response_seconds_total,
  };
}

/** Where a counter fell, another server has the name now, and all of it is new. */
function difference(now: Sums, before: Sums): Sums {
  if (now.attempts < before.attempts || now.responses < before.responses) return now;
  return {
    attempts: now.attempts - before.attempts,
    failures: Math.max(0, now.failures - before.failures),
    responses: now.responses - before.responses,
    ms: Math.max(0, now.ms - before.ms),
  };
}
