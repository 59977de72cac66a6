/**
 * A plugin in its sandbox behind the shape its kind has in the contract: who uses a checker, a policy or a notifier does not
 * see whether it is built in or in a process of its own.
 */
import type {
  CheckerContext,
  Event,
  GiveUp,
  Plan,
  PolicyInput,
  Retry,
  Target,
  Verdict,
} from "../../plugins/contract.ts";
import type { Clock } from "../os/clock.ts";
import { decodePlan, decodeVerdict, InvalidAnswer } from "../../plugins/answers.ts";
import type { Capabilities } from "./broker.ts";
import { within } from "./deadline.ts";
import { describeFailure, PluginError, PluginThrew, PluginUnavailable, withPlace } from "./failure.ts";
import type { WireError } from "./protocol.ts";
import type { Sandbox } from "./sandbox.ts";

/** What every call of a use may ask for. */
export interface Granted extends Omit<Capabilities, "connect"> {
  /** A checker may connect to the server it checks. */
  readonly targets?: boolean;
}

/** No verdict: says nothing about the server. */
export interface Unknown {
  readonly state: "unknown";
  readonly reason: string;
}

/** Has the shape of a `Checker`, and one more answer. */
export interface RemoteChecker {
  readonly kind: "checker";
  check(target: Target, ctx: CheckerContext<unknown>): Promise<Verdict | Unknown>;
  forget(target: Target): void;
}

/** How long `forget` may take, ms; nobody waits for it. */
const FORGET_DEADLINE = 1000;

/**
 * The checker of the use `id`. Its connections are made by `ctx.connect` of whoever asks, so they reach only the target.
 * Never rejects: what the plugin throws is *down*, what it does not say is *unknown*.
 */
export function remoteChecker(sandbox: Sandbox, id: string, granted: Granted, clock: Clock): RemoteChecker {
  return {
    kind: "checker",
    async check(target, ctx) {
      const { targets, ...others } = granted;
      const capabilities = { ...others, connect: targets ? ctx.connect : undefined };
      try {
        const answer = await sandbox.call("check", id, target, { signal: ctx.signal, capabilities });
        return decodeVerdict(answer);
      } catch (error) {
        if (error instanceof PluginThrew) return { state: "down", reason: error.message };
        // What is wrong with an answer shows what it was.
        const what = sandbox.redact(error instanceof Error ? error.message : String(error));
        return { state: "unknown", reason: `no verdict of plugin "${sandbox.name}": ${what}` };
      }
    },
    forget(target) {
      const deadline = within(clock, FORGET_DEADLINE);
      sandbox.call("forget", id, target, deadline).catch(() => {}).finally(deadline.clear);
    },
  };
}

export interface RemotePolicy {
  readonly kind: "policy";
  /** @throws {PluginError} when no valid plan comes within `deadline` ms. */
  plan(input: PolicyInput, deadline: number): Promise<Plan>;
}

/** The policy of the use `id`. Whoever asks keeps the last plan until it expires, and then falls back. */
export function remotePolicy(sandbox: Sandbox, id: string, granted: Granted, clock: Clock): RemotePolicy {
  return {
    kind: "policy",
    async plan(input, deadline) {
      const limit = within(clock, deadline);
      try {
        const answer = await sandbox.call("plan", id, input, { signal: limit.signal, capabilities: granted });
        return decodePlan(answer, new Set(input.servers.map((server) => server.name)));
      } catch (error) {
        throw failure(sandbox, "plan", error);
      } finally {
        limit.clear();
      }
    },
  };
}

export type Delivery =
  | { readonly result: "delivered" }
  /** `afterMs`: what the plugin asked for; null leaves it to the back-off. */
  | { readonly result: "again"; readonly reason: string; readonly afterMs: number | null }
  | { readonly result: "dropped"; readonly reason: string };

export interface RemoteNotifier {
  readonly kind: "notifier";
  /** One attempt. Never rejects. */
  notify(event: Event, deadline: number): Promise<Delivery>;
}

/** Names of the contract's errors, which is all that crosses the pipe of their class. */
const RETRY: Retry["name"] = "Retry", GIVE_UP: GiveUp["name"] = "GiveUp";
const LONGEST_RETRY = 3_600_000;

/** The notifier of the use `id`. */
export function remoteNotifier(sandbox: Sandbox, id: string, granted: Granted, clock: Clock): RemoteNotifier {
  return {
    kind: "notifier",
    async notify(event, deadline) {
      const limit = within(clock, deadline);
      try {
        await sandbox.call("notify", id, event, { signal: limit.signal, capabilities: granted });
        return { result: "delivered" };
      } catch (error) {
        if (error instanceof PluginThrew) return deliveryOf(error.thrown);
        return { result: "again", reason: error instanceof Error ? error.message : String(error), afterMs: null };
      } finally {
        limit.clear();
      }
    },
  };
}

/** What becomes of an event whose notifier threw this. */
export function deliveryOf(error: WireError): Delivery {
  const { name, message, afterMs } = error;
  if (name === GIVE_UP) return { result: "dropped", reason: message };
  // Our own notifiers throw here what no pipe has looked at.
  const asked = name === RETRY && afterMs !== undefined && Number.isFinite(afterMs)
    ? Math.min(Math.max(0, afterMs), LONGEST_RETRY)
    : null;
  // What the contract's errors say is meant for the operator; where any other was thrown is what its author needs.
  return { result: "again", reason: name === RETRY ? message : withPlace(error), afterMs: asked };
}

function failure(sandbox: Sandbox, phase: "plan", error: unknown): PluginError {
  const known = error instanceof PluginThrew || error instanceof PluginUnavailable || error instanceof InvalidAnswer;
  if (!known) throw error;
  return new PluginError(sandbox.name, phase, sandbox.redact(describeFailure(error)), { cause: error });
}
