import assert from "node:assert/strict";
import { sampleEvent } from "tandem/plugin/test";
import { nothingGranted } from "../../../runtime/plugin/grants.ts";
import { createGranting } from "../../../runtime/plugin/granted.ts";
import { Notifications, type NotifyOptions } from "../../../runtime/plugin/notifications.ts";
import type { RemoteNotifier } from "../../../runtime/plugin/remote.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

function notifications() {
  const clock = fakeClock();
  const lines: string[] = [], heard: string[] = [];
  const log = createLogger({ role: "control", write: (line) => lines.push(line), format: "json" });
  const pager: RemoteNotifier = {
    kind: "notifier",
    notify: (event) => {
      heard.push(event.id);
      return Promise.resolve({ result: "delivered" });
    },
  };
  const all = new Notifications({
    clock,
    log,
    builtIn: { clock, log, host: { node: "dlp1", cluster: "edge", labels: {} }, outward: { forbidden: [] } },
    registry: {
      notifier(id) {
        if (id !== "notify.0") throw new Error(`no plugin is used at ${id}`);
        return pager;
      },
    },
  });
  return { all, clock, lines, heard };
}

const options = (id: string, use: string, written: unknown = {}): NotifyOptions => ({
  id,
  use,
  with: written,
  interest: { events: ["server.*"], minSeverity: "info", flap: 0 },
  deadline: 1000,
});

Deno.test("Notifications tell a plugin what it wants to know", async () => {
  const { all, clock, heard } = notifications();
  assert.deepEqual(all.apply([options("notify.0", "pager")]), []);
  all.tell(sampleEvent);
  all.tell({ ...sampleEvent, id: "other", type: "vrrp.transition" });
  await clock.advance(0);
  assert.deepEqual(heard, [sampleEvent.id]);
  assert.deepEqual(all.status(), [{ id: "notify.0", use: "pager", waiting: 0, delivered: 1, retried: 0, dropped: 0 }]);
});

Deno.test("Notifications keep what did not change, and say what cannot be", () => {
  const { all } = notifications();
  all.apply([options("notify.0", "pager")]);
  all.tell(sampleEvent);
  const problems = all.apply([
    options("notify.0", "pager"),
    options("notify.1", "gone"),
    options("notify.2", "command", { comand: ["x"] }),
    options("notify.3", "syslog"),
  ]);
  assert.deepEqual(problems, [
    "no plugin is used at notify.1",
    "notify.2.with.comand: is unknown; there is command; notify.2.with.command: is missing: program and arguments; no shell sees them",
  ]);
  assert.deepEqual(all.status().map(({ use, waiting }) => [use, waiting]), [["pager", 1], ["syslog", 0]]);
  all.stop();
  assert.deepEqual(all.status(), []);
});

Deno.test("createGranting() offers what was granted, and nothing by another name", async () => {
  const directory = await Deno.makeTempDir();
  const granted = {
    ...nothingGranted,
    endpoints: { hook: { url: "http://127.0.0.1:1/" } },
    commands: { hi: ["/bin/echo", "hello"] },
    store: 100,
  };
  const grants = { targets: false, endpoints: ["hook"], commands: ["hi"], store: 100 };
  const made = createGranting({ directory, forbidden: [] })("sample", grants, granted);
  const { signal } = new AbortController();
  assert.deepEqual(await made.run!("hi", ["you"], { input: "", env: {} }, signal), { code: 0, output: "hello you" });
  await assert.rejects(made.run!("constructor", [], { input: "", env: {} }, signal), /"constructor" is not granted/);
  await assert.rejects(made.send!("toString", new Uint8Array(0)), /"toString" is not granted/);
  const request = { endpoint: "hook", method: "GET", path: "", headers: [], body: null };
  await assert.rejects(made.fetch!(request), /reached only under net_unsafe/);
  await made.store!.set("a", "b");
  assert.equal(await createGranting({ directory, forbidden: [] })("sample", grants, granted).store!.get("a"), "b");
  assert.deepEqual(
    createGranting({ directory, forbidden: [] })("x", { ...grants, endpoints: [], commands: [], store: 0 }, granted),
    {},
  );
  await Deno.remove(directory, { recursive: true });
});
