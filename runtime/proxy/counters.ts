/** Counters of all threads, added up for control. */
import type { BackendCounters, FrontendCounters, ResponseClasses, ServerCounters } from "./protocol.ts";
import {
  FrontendCounter,
  LINE_WORDS,
  LINES,
  MAX_BACKENDS,
  MAX_FRONTENDS,
  MAX_SERVERS,
  ServerCounter,
  type SharedBuffers,
} from "./shared_state.ts";

export function sumFrontend(shared: SharedBuffers, name: string, slot: number): FrontendCounters {
  const words = new Float64Array(shared.frontends);
  const sum = (counter: number) =>
    total(words, shared.threads, MAX_FRONTENDS * FrontendCounter.stride, slot * FrontendCounter.stride + counter);
  return {
    name,
    connections: { current: sum(FrontendCounter.current), total: sum(FrontendCounter.total) },
    requests_total: sum(FrontendCounter.requests),
    responses: classes(sum, FrontendCounter.responses),
    bytes_in: sum(FrontendCounter.bytesIn),
    bytes_out: sum(FrontendCounter.bytesOut),
  };
}

export function sumServer(shared: SharedBuffers, backend: string, server: string, slot: number): ServerCounters {
  const words = new Float64Array(shared.servers);
  const sum = (counter: number) =>
    total(words, shared.threads, MAX_SERVERS * ServerCounter.stride, slot * ServerCounter.stride + counter);
  return {
    backend,
    server,
    connections: sum(ServerCounter.connections),
    queued: queuedAt(shared, MAX_BACKENDS + slot),
    requests_total: sum(ServerCounter.requests),
    connect_failures: sum(ServerCounter.connectFailures),
    responses: classes(sum, ServerCounter.responses),
    response_failures: sum(ServerCounter.failures),
    response_seconds_total: sum(ServerCounter.responseTime) / 1000,
  };
}

/** Requests that wait for any server of the backend in this slot. */
export function queuedFor(shared: SharedBuffers, backend: string, slot: number): BackendCounters {
  return { name: backend, queued: queuedAt(shared, slot) };
}

/** Responses by class of status, whose counters follow each other. */
function classes(sum: (counter: number) => number, first: number): ResponseClasses {
  return {
    "1xx": sum(first),
    "2xx": sum(first + 1),
    "3xx": sum(first + 2),
    "4xx": sum(first + 3),
    "5xx": sum(first + 4),
  };
}

function queuedAt(shared: SharedBuffers, line: number): number {
  const words = new Int32Array(shared.lines);
  let sum = 0;
  for (let thread = 0; thread < shared.threads; thread++) sum += words[(thread * LINES + line) * LINE_WORDS + 1];
  return sum;
}

function total(words: Float64Array, threads: number, stride: number, at: number): number {
  let sum = 0;
  for (let thread = 0; thread < threads; thread++) sum += words[thread * stride + at];
  return sum;
}
