/** `ctx`: the only capability of a plugin, made new for each call. */
import type { ConnectOptions } from "../../../plugins/contract.ts";
import { assertMetric } from "../../../plugins/capability_rules.ts";
import { type GrantedNames, type HostInfo, type LogLevel, TEXT_LIMIT } from "../protocol.ts";
import type { Asking } from "./asking.ts";
import { createFetch, createRun, createSend, createStore } from "./capabilities.ts";
import type { Pipe } from "./pipe.ts";

export interface ContextParts {
  /** The call this context belongs to. */
  readonly call: number;
  readonly config: unknown;
  readonly host: HostInfo;
  readonly granted: GrantedNames;
  readonly signal: AbortSignal;
  readonly asking: Asking;
  readonly pipe: Pipe;
}

export function createContext({ call, config, host, granted, signal, asking, pipe }: ContextParts) {
  const say = (level: LogLevel) => (text: string, fields?: Readonly<Record<string, unknown>>) => {
    const line = { type: "log", level, text: String(text).slice(0, TEXT_LIMIT) } as const;
    try {
      pipe.send({ ...line, fields });
    } catch {
      pipe.send(line); // fields that are circular or larger than a frame must not fail the call that logs them
    }
  };
  const measure = (kind: "count" | "gauge") => (name: string, value = 1) => {
    assertMetric(kind, name, value);
    pipe.send({ type: "metric", kind, name: String(name), value });
  };
  return Object.freeze({
    config,
    host: Object.freeze({ ...host, api: 1 as const }),
    signal,
    clock: Object.freeze({
      now: () => Date.now(),
      monotonic: () => performance.now(),
      sleep: (ms: number) => sleep(ms, signal),
    }),
    log: Object.freeze({ debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") }),
    metrics: Object.freeze({ count: measure("count"), gauge: measure("gauge") }),
    connect: (options: ConnectOptions = {}) => asking.connect(call, options, signal),
    // What was not granted is not there, so that a plugin can tell without trying.
    ...(granted.fetch.length > 0 ? { fetch: createFetch(asking, call, signal) } : {}),
    ...(granted.send.length > 0 ? { send: createSend(asking, call, signal) } : {}),
    ...(granted.run.length > 0 ? { run: createRun(asking, call, signal) } : {}),
    ...(granted.store ? { store: createStore(asking, call, signal) } : {}),
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal.removeEventListener("abort", abort), resolve()), ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
