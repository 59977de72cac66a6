/** One probe: a checker of the plugin contract, run against one target with a deadline. */
import type { Checker, CheckerContext, Target, Verdict } from "../../plugins/contract.ts";
import { type Clock, sleep, within } from "../os/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { connect } from "./connection.ts";
import { openDatagrams } from "./datagrams.ts";

/** What checkers are told of the node that runs them. */
export interface Host {
  readonly node: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ProbeDependencies {
  readonly clock: Clock;
  readonly host: Host;
  readonly log: Logger;
  /** The target could not be connected to at its own port. @default nobody hears */
  readonly unreachable?: () => void;
}

/** `unknown`: the checker itself gave no answer; that says nothing about the server. */
export type ProbeResult = Verdict | { readonly state: "unknown"; readonly reason: string };

/** Why a signal is aborted that reached its deadline; checkers know it by its name. */
export class Deadline extends Error {
  override readonly name = "Deadline";
}

/** How long after its deadline a checker may still say something, ms. */
const grace = 100;

/**
 * Runs `checker` once. Never throws and always ends, at most `timeout` + 100 ms later: what the checker throws is *down* with
 * that message, what never comes is *unknown*.
 */
export async function probe(
  checker: Checker<unknown>,
  config: unknown,
  target: Target,
  timeout: number,
  { clock, host, log, unreachable }: ProbeDependencies,
): Promise<ProbeResult> {
  const controller = new AbortController();
  const { signal } = controller;
  const deadline = clock.after(timeout, () => controller.abort(new Deadline(`no answer within ${seconds(timeout)}`)));
  const context: CheckerContext<unknown> = {
    config,
    host: { ...host, api: 1 },
    signal,
    clock: { now: clock.now, monotonic: clock.monotonic, sleep: (ms) => sleep(clock, ms, signal) },
    log: { debug: log.debug, info: log.info, warn: log.warning, error: log.error },
    async connect({ port = target.port, tls = false, transport = "tcp" } = {}) {
      if (tls) throw new Error("TLS to the target of a check is not in this version");
      if (transport === "udp") return await openDatagrams(target.address, port, signal);
      try {
        return await connect(target.address, port, signal);
      } catch (error) {
        if (port === target.port) unreachable?.();
        throw error;
      }
    },
  };
  try {
    return await within<ProbeResult, ProbeResult>(clock, timeout + grace, answer(checker, target, context), {
      state: "unknown",
      reason: `the checker gave no answer within ${seconds(timeout + grace)}`,
    });
  } finally {
    deadline[Symbol.dispose]();
  }
}

async function answer(
  checker: Checker<unknown>,
  target: Target,
  context: CheckerContext<unknown>,
): Promise<ProbeResult> {
  try {
    return await checker.check(target, context);
  } catch (error) {
    return { state: "down", reason: error instanceof Error ? error.message : String(error) };
  }
}

function seconds(ms: number): string {
  return ms >= 1000 ? `${Number((ms / 1000).toFixed(2))} s` : `${ms} ms`;
}
