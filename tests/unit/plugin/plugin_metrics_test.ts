/** What plugins count and measure: kept within bounds, and exported as text that every scraper reads. */
import assert from "node:assert/strict";
import { renderMetrics } from "../../../runtime/admin/metrics.ts";
import type { Status } from "../../../runtime/control/status.ts";
import { MOST_METRICS, PluginMetrics } from "../../../runtime/plugin/plugin_metrics.ts";

Deno.test("PluginMetrics adds up what is counted, keeps the last of what is measured, by plugin and kind", () => {
  const metrics = new PluginMetrics(() => {});
  metrics.observe("pg", "asked", "count", 1);
  metrics.observe("pg", "asked", "count", 2);
  metrics.observe("pg", "asked", "count", -5);
  metrics.observe("pg", "asked", "gauge", 5);
  metrics.observe("pg", "asked", "gauge", -7);
  metrics.observe("dns", "asked", "count", 9);
  assert.deepEqual(metrics.of("pg"), [
    { name: "asked", kind: "count", value: 3 },
    { name: "asked", kind: "gauge", value: -7 },
  ]);
  metrics.forget("pg");
  assert.deepEqual([metrics.of("pg"), metrics.of("dns").length], [[], 1]);
});

Deno.test("PluginMetrics keeps so many names of a plugin, and says once that there are more", () => {
  const full: string[] = [];
  const metrics = new PluginMetrics((plugin) => void full.push(plugin));
  for (let i = 0; i < 1000; i++) metrics.observe("pg", `m${i}`, "count", 1);
  metrics.observe("pg", "m0", "count", 1);
  assert.deepEqual([metrics.of("pg").length, metrics.of("pg")[0].value, full], [MOST_METRICS, 2, ["pg"]]);
});

Deno.test("renderMetrics() exports a plugin's own metrics whatever they are called", () => {
  const plugin = (name: string, metrics: Status["plugins"][number]["metrics"]) => ({ name, metrics, state: "running" });
  const status = {
    node: "n1",
    version: "1",
    children: [],
    vrrp: [],
    frontends: [],
    backends: [],
    notifiers: [],
    access_log: null,
    plugins: [
      plugin("pg", [{ name: 'a "b"\\c', kind: "count", value: 3 }, { name: "lag", kind: "gauge", value: -0.5 }]),
      plugin("dns", [{ name: "lag", kind: "count", value: 1e21 }]),
    ],
  } as unknown as Status;
  const lines = renderMetrics(status).split("\n").filter((line) => /tandem_plugin_(count_total|gauge)/.test(line));
  assert.deepEqual(lines, [
    "# HELP tandem_plugin_count_total What the plugin counts, by its own names",
    "# TYPE tandem_plugin_count_total counter",
    'tandem_plugin_count_total{plugin="pg",name="a \\"b\\"\\\\c"} 3',
    'tandem_plugin_count_total{plugin="dns",name="lag"} 1e+21',
    "# HELP tandem_plugin_gauge What the plugin measures, by its own names",
    "# TYPE tandem_plugin_gauge gauge",
    'tandem_plugin_gauge{plugin="pg",name="lag"} -0.5',
  ]);
});
