import assert from "node:assert/strict";
import type { BackendConfig } from "../../../runtime/config/model.ts";
import { keepLast } from "../../../runtime/control/last_servers.ts";
import type { StateOverride } from "../../../runtime/control/overrides.ts";
import type { ServerView } from "../../../runtime/control/servers.ts";
import type { Standing } from "../../../runtime/health/prober.ts";

function backend(plugin: string | null, panic = 1): BackendConfig {
  const servers = ["a", "b", "c"].map((name) => ({ name, weight: 2, check: "shared" }));
  return { name: "web", check: { plugin, panic }, servers } as unknown as BackendConfig;
}

interface Server {
  readonly state: ServerView["state"];
  readonly weight?: number;
  readonly waiting?: boolean;
  /** What it was until now. */
  readonly was?: ServerView["state"];
  readonly witnessed?: true;
  readonly operator?: true;
}

/** The states after, "kept" for those that are kept in. */
function outcome(subject: BackendConfig, ...servers: readonly Server[]): string[] {
  const at = (view: ServerView) => servers["abc".indexOf(view.server)];
  const views = servers.map(({ state, weight = 2, waiting = false }, index) => {
    const base = { backend: "web", server: "abc"[index], state, weight, effective: weight, waiting };
    return { ...base, since: 5, reason: "said so", check: null, risen: null, restless: false } as ServerView;
  });
  const after = keepLast(subject, views, {
    standing: (view) => ({ last: { result: {}, at: 0, witnessed: at(view).witnessed } }) as unknown as Standing,
    words: (view) => ({ state: at(view).operator ? { state: "drain" } as StateOverride : null, weight: null }),
    before: (view) => at(view).was ? { ...view, state: at(view).was ?? "up", weight: 2 } : null,
    now: 9,
  });
  return after.map(({ state, kept }) => kept ? `kept ${state}` : state);
}

Deno.test("keepLast() keeps in what a plugin alone would have out, as many as panic says", () => {
  const plugin = backend("backends.web.check");
  const down: Server = { state: "down" };
  const rows: readonly [string, BackendConfig, readonly Server[], readonly string[]][] = [
    ["one is left", plugin, [down, { state: "up" }, down], ["down", "up", "down"]],
    ["none is left: whoever served goes on", plugin, [down, { state: "down", was: "up" }], ["down", "kept up"]],
    ["else whoever is alive", plugin, [down, { state: "drain" }, { state: "standby" }], ["down", "drain", "kept up"]],
    ["else the first", plugin, [down, down], ["kept up", "down"]],
    ["weight 0 serves nobody either", plugin, [{ state: "up", weight: 0 }, down], ["kept up", "down"]],
    ["what we saw ourselves holds", plugin, [{ state: "down", witnessed: true, was: "up" }, down], ["down", "kept up"]],
    ["all of them", plugin, [{ state: "down", witnessed: true }], ["down"]],
    ["what the operator said holds", plugin, [{ state: "drain", operator: true, was: "up" }, down], [
      "drain",
      "kept up",
    ]],
    ["nobody is taken in before its first verdict", plugin, [{ state: "down", waiting: true }], ["down"]],
    ["two of three", backend("backends.web.check", 2), [down, down, down], ["kept up", "kept up", "down"]],
    ["panic: 0 believes the plugin", backend("backends.web.check", 0), [down, down], ["down", "down"]],
    ["a built-in is believed", backend(null, 0), [down, down], ["down", "down"]],
  ];
  for (const [name, subject, servers, wanted] of rows) assert.deepEqual(outcome(subject, ...servers), wanted, name);
});
