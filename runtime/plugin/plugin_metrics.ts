/** What plugins count and measure, as far as it is kept: few names each, for a series that nobody asked for is memory of all. */

export type MetricKind = "count" | "gauge";

export interface Metric {
  readonly name: string;
  readonly kind: MetricKind;
  readonly value: number;
}

/** Names of one plugin. */
export const MOST_METRICS = 64;

export class PluginMetrics {
  /** By plugin, then by kind and name; counters go on over restarts and swaps of the process. */
  readonly #kept = new Map<string, Map<string, Metric>>();
  readonly #refused = new Set<string>();

  /** @param full told once of a plugin that uses more names than are kept */
  constructor(private readonly full: (plugin: string) => void) {}

  observe(plugin: string, name: string, kind: MetricKind, value: number): void {
    const metrics = this.#kept.get(plugin) ?? new Map<string, Metric>();
    const key = `${kind} ${name}`;
    const before = metrics.get(key);
    if (before === undefined && metrics.size >= MOST_METRICS) return this.#refuse(plugin);
    // What is counted only grows: a scraper takes anything else for a restart.
    const counted = Math.min(Math.max(0, value) + (before?.value ?? 0), Number.MAX_VALUE);
    metrics.set(key, { name, kind, value: kind === "gauge" ? value : counted });
    this.#kept.set(plugin, metrics);
  }

  of(plugin: string): readonly Metric[] {
    return [...this.#kept.get(plugin)?.values() ?? []];
  }

  /** The plugin is no longer there. */
  forget(plugin: string): void {
    this.#kept.delete(plugin);
    this.#refused.delete(plugin);
  }

  #refuse(plugin: string): void {
    if (this.#refused.has(plugin)) return;
    this.#refused.add(plugin);
    this.full(plugin);
  }
}
