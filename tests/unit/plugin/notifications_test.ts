import assert from "node:assert/strict";
import type { Event } from "tandem/plugin";
import { sampleEvent } from "tandem/plugin/test";
import { nothingGranted } from "../../../runtime/plugin/grants.ts";
import { createGranting } from "../../../runtime/plugin/granted.ts";
import { Notifications, type NotifyOptions } from "../../../runtime/plugin/notifications.ts";
import type { Delivery, RemoteNotifier } from "../../../runtime/plugin/remote.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

function notifications(answer: (id: string, event: Event) => Delivery = () => ({ result: "delivered" })) {
  const clock = fakeClock();
  const lines: string[] = [], heard: string[] = [], losses: string[] = [];
  const log = createLogger({ role: "control", write: (line) => lines.push(line), format: "json" });
  const gone = new Set<string>();
  const all: Notifications = new Notifications({
    clock,
    log,
    builtIn: { clock, log, host: () => ({ node: "dlp1", cluster: "edge", labels: {} }), outward: { forbidden: [] } },
    registry: {
      notifier(id): RemoteNotifier {
        if (!/^notify\.[0-4]$/.test(id) || gone.has(id)) throw new Error(`no plugin is used at ${id}`);
        return {
          kind: "notifier",
          notify(event) {
            heard.push(`${id} ${event.id}#${event.attempt}`);
            return Promise.resolve(answer(id, event));
          },
        };
      },
    },
    dropped({ notifier, use, count, last }) {
      losses.push(`${use} ${notifier}: ${count}, last ${last.event.id}: ${last.reason}`);
      // As a journal does: it is news for everybody.
      const news: Partial<Event> = {
        id: `drop${losses.length}`,
        type: "dropped",
        about: notifier,
        fields: { notifier },
      };
      all.tell({ ...sampleEvent, ...news });
    },
  });
  return { all, clock, lines, heard, losses, gone };
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
  assert.deepEqual(heard, [`notify.0 ${sampleEvent.id}#1`]);
  assert.deepEqual(all.status(), [{
    id: "notify.0",
    use: "pager",
    waiting: 0,
    delivered: 1,
    retried: 0,
    dropped: 0,
    last_error: null,
  }]);
});

Deno.test("Notifications keep what did not change, and say what cannot be", () => {
  const { all } = notifications();
  all.apply([options("notify.0", "pager")]);
  all.tell(sampleEvent);
  const problems = all.apply([
    options("notify.0", "pager"),
    options("notify.5", "gone"),
    options("notify.2", "command", { comand: ["x"] }),
    options("notify.3", "syslog"),
  ]);
  assert.deepEqual(problems, [
    "no plugin is used at notify.5",
    "notify.2.with.comand: is unknown; there is command; notify.2.with.command: is missing: program and arguments; no shell sees them",
  ]);
  assert.deepEqual(all.status().map(({ use, waiting }) => [use, waiting]), [["pager", 1], ["syslog", 0]]);
  all.stop();
  assert.deepEqual(all.status(), []);
});

const everything = { events: ["*"], minSeverity: "info", flap: 0 } as const;

Deno.test("Notifications: what one was not told becomes an event for the others, one at once and then at most every 10 s", async () => {
  const { all, clock, heard, losses } = notifications((id) =>
    id === "notify.0" ? { result: "dropped", reason: "rejected" } : { result: "delivered" }
  );
  all.apply(["notify.0", "notify.1"].map((id) => ({ ...options(id, "pager"), interest: everything })));
  all.tell({ ...sampleEvent, id: "a" });
  await clock.advance(0);
  assert.deepEqual(losses, ["pager notify.0: 1, last a: rejected"]);
  assert.deepEqual(heard, ["notify.0 a#1", "notify.1 a#1", "notify.1 drop1#1"]);
  for (const id of ["b", "c", "d"]) all.tell({ ...sampleEvent, id });
  await clock.advance(9_999);
  assert.equal(losses.length, 1);
  await clock.advance(1);
  assert.deepEqual(losses.slice(1), ["pager notify.0: 3, last d: rejected"]);
  await clock.advance(60_000);
  assert.equal(losses.length, 2);
  assert.deepEqual(all.status().map(({ delivered, dropped }) => [delivered, dropped]), [[0, 4], [6, 0]]);
});

Deno.test("Notifications: that a drop was dropped is no news, however many notifiers are behind", async () => {
  const { all, clock, losses } = notifications(() => ({ result: "dropped", reason: "rejected" }));
  all.apply(["notify.0", "notify.1"].map((id) => ({ ...options(id, "pager"), interest: everything })));
  all.tell({ ...sampleEvent, id: "a" });
  await clock.advance(3_600_000);
  assert.deepEqual(losses, ["pager notify.0: 1, last a: rejected", "pager notify.1: 1, last a: rejected"]);
  // Each lost the event, and the other's loss.
  assert.deepEqual(all.status().map(({ dropped }) => dropped), [2, 2]);
});

Deno.test("Notifications: a reload loses nothing that waits, whatever becomes of the entry", async () => {
  const wait: Delivery = { result: "again", reason: "busy", afterMs: 1000 };
  const rows: [string, NotifyOptions[], string[]][] = [
    ["not changed", [options("notify.0", "pager")], ["0 a#2", "0 b#1"]],
    ["changed", [options("notify.0", "pager", { url: "new" })], ["0 a#2", "0 b#1"]],
    ["moved by one before it", [options("notify.0", "book"), options("notify.1", "pager")], ["1 a#2", "1 b#1"]],
    ["moved and changed", [options("notify.0", "book"), options("notify.1", "pager", { x: 1 })], ["1 a#2", "1 b#1"]],
    ["in another's words", [options("notify.0", "book")], ["0 a#2", "0 b#1"]],
    ["wrongly changed", [options("notify.5", "pager")], ["0 a#2", "0 b#1"]],
    ["taken away", [], []],
  ];
  for (const [name, wanted, expected] of rows) {
    const first = new Set<string>();
    const { all, clock, heard } = notifications((_, { id }) => {
      const again = id === "a" && !first.has(id);
      first.add(id);
      return again ? wait : { result: "delivered" };
    });
    all.apply([options("notify.0", "pager")]);
    for (const id of ["a", "b"]) all.tell({ ...sampleEvent, id });
    await clock.advance(0);
    assert.deepEqual(heard.splice(0), ["notify.0 a#1"], name);
    all.apply(wanted);
    await clock.advance(1000);
    assert.deepEqual(heard, expected.map((one) => `notify.${one}`), name);
  }
});

Deno.test("Notifications: a reload that ends the flap time tells what waited it out, in order", async () => {
  const { all, clock, heard } = notifications();
  const flapping = { ...options("notify.0", "pager"), interest: { ...everything, flap: 30_000 } };
  all.apply([flapping]);
  all.tell({ ...sampleEvent, id: "a", about: "x" });
  await clock.advance(1000);
  all.apply([{ ...flapping, interest: everything }]);
  all.tell({ ...sampleEvent, id: "b", about: "x" });
  await clock.advance(60_000);
  assert.deepEqual(heard, ["notify.0 a#1", "notify.0 b#1"]);
});

Deno.test("Notifications: a plugin that is taken away while something waits for it breaks nothing", async () => {
  const { all, clock, gone, losses } = notifications(() => ({ result: "again", reason: "busy", afterMs: 1000 }));
  all.apply([options("notify.0", "pager")]);
  all.tell({ ...sampleEvent, id: "a" });
  await clock.advance(0);
  gone.add("notify.0");
  await clock.advance(60_000);
  assert.deepEqual(losses, ["pager notify.0: 1, last a: 3 tries failed, last: no plugin is used at notify.0"]);
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
  const granting = createGranting({ directory, outward: { forbidden: [] } });
  const made = granting("sample", grants, granted);
  const { signal } = new AbortController();
  assert.deepEqual(await made.run!("hi", ["you"], { input: "", env: {} }, signal), { code: 0, output: "hello you" });
  await assert.rejects(made.run!("constructor", [], { input: "", env: {} }, signal), /"constructor" is not granted/);
  await assert.rejects(made.send!("toString", new Uint8Array(0)), /"toString" is not granted/);
  const request = { endpoint: "hook", method: "GET", path: "", headers: [], body: null };
  await assert.rejects(made.fetch!(request), /reached only under net_unsafe/);
  await made.store!.set("a", "b");
  await granting.flush();
  assert.equal(
    await createGranting({ directory, outward: { forbidden: [] } })("sample", grants, granted).store!.get("a"),
    "b",
  );
  assert.deepEqual(
    createGranting({ directory, outward: { forbidden: [] } })(
      "x",
      { ...grants, endpoints: [], commands: [], store: 0 },
      granted,
    ),
    {},
  );
  await Deno.remove(directory, { recursive: true });
});

Deno.test("createGranting() asks for every request where none may go: a reload may bring a peer", async () => {
  const endpoints = { hook: { url: "http://192.0.2.77:9/" }, log: { url: "udp://192.0.2.77:9" } };
  const granted = { ...nothingGranted, endpoints };
  const grants = { targets: false, endpoints: ["hook", "log"], commands: [], store: 0 };
  const outward = { forbidden: [] as readonly string[], timeout: 1 };
  const { fetch, send } = createGranting({ directory: "/nowhere", outward })("sample", grants, granted);
  const request = { endpoint: "hook", method: "GET", path: "", headers: [], body: null };
  await assert.rejects(fetch!(request), /no answer of the endpoint|unreachable|ENETUNREACH/i);
  outward.forbidden = ["192.0.2.77"];
  await assert.rejects(fetch!(request), /Address 192\.0\.2\.77 is reached only under net_unsafe/);
  await assert.rejects(send!("log", new Uint8Array(1)), /Address 192\.0\.2\.77 is reached only under net_unsafe/);
});
