/** A plugin as `status` shows it. Pure. */
import type { PluginStatus } from "../plugin/registry.ts";

export interface PluginView {
  /** Key in the configuration. */
  readonly name: string;
  /** "acme/pg-role 1.2.0". */
  readonly plugin: string;
  readonly kind: PluginStatus["kind"];
  readonly sha256: string;
  readonly state: PluginStatus["state"];
  readonly reason: string;
  readonly pid: number | null;
  /** What confines it, and what this machine does not give: a sentence each. Empty before its first start. */
  readonly isolation: {
    readonly in_force: readonly string[];
    readonly missing: readonly string[];
    /** Missing too, but something else does the same. */
    readonly substituted: readonly string[];
  };
  readonly calls: number;
  readonly timeouts: number;
  readonly restarts: number;
  /** From spawn to ready, of the last start. */
  readonly start_ms: number | null;
  /** Processor time and memory of the process that runs. */
  readonly cpu_ms: number | null;
  readonly memory_bytes: number | null;
  readonly last_error: string | null;
  /** What it counts and measures itself. */
  readonly metrics: readonly { readonly name: string; readonly kind: "count" | "gauge"; readonly value: number }[];
}

export function viewPlugin(status: PluginStatus): PluginView {
  const { name, plugin, kind, sha256, state, reason, pid, isolation, calls, timeouts, restarts } = status;
  return {
    name,
    plugin,
    kind,
    sha256,
    state,
    reason,
    pid,
    isolation: { in_force: isolation.inForce, missing: isolation.missing, substituted: isolation.substituted },
    calls,
    timeouts,
    restarts,
    start_ms: status.startMs,
    cpu_ms: status.usage?.cpu ?? null,
    memory_bytes: status.usage?.memory ?? null,
    last_error: status.lastError,
    metrics: status.metrics,
  };
}
