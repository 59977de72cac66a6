/** What checks and operators decided of a server, in one word that threads share. */
import type { ServerState } from "./protocol.ts";

const states: readonly ServerState[] = ["unresolved", "up", "down", "standby", "drain", "maint"];

/** Steps of a weight: a server that comes up slowly has a part of one. */
const FINEST = 1 / 128;

/** State and weight (0–256) as one word. */
export function packVerdict(state: ServerState, weight: number): number {
  return (states.indexOf(state) << 16) | Math.max(0, Math.min(65535, Math.round(weight / FINEST)));
}

export function stateOf(verdict: number): ServerState {
  return states[verdict >> 16] ?? "unresolved";
}

export function weightOf(verdict: number): number {
  return (verdict & 0xffff) * FINEST;
}

/** Weight for new requests: what is not up takes none. */
export function usableWeight(verdict: number): number {
  return stateOf(verdict) === "up" ? weightOf(verdict) : 0;
}

/** Whether clients that were here before may come back: also while the server is drained, or has no weight. */
export function takesReturning(verdict: number): boolean {
  const state = stateOf(verdict);
  return state === "up" || state === "drain";
}

/** Whether connections that wait for reuse must be closed. */
export function isGone(verdict: number): boolean {
  const state = stateOf(verdict);
  return state === "down" || state === "maint" || state === "unresolved";
}
