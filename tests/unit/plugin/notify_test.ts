import assert from "node:assert/strict";
import { deliver, deliverAll, sampleEvent } from "tandem/plugin/test";
import type { Event } from "../../../plugins/contract.ts";
import syslog, { format } from "../../../plugins/notify/syslog.ts";
import webhook from "../../../plugins/notify/webhook.ts";
import { systemClock } from "../../../runtime/os/clock.ts";
import { libc } from "../../../runtime/os/libc.ts";
import { type BuiltInNotifier, builtInNotifier, builtInSchema } from "../../../runtime/plugin/builtin.ts";
import { Deliveries, type Interest, isWanted } from "../../../runtime/plugin/deliveries.ts";
import { checkOptions } from "../../../runtime/plugin/options.ts";
import { parseDestination } from "../../../runtime/plugin/outward.ts";
import type { Delivery } from "../../../runtime/plugin/remote.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const transition: Event = {
  ...sampleEvent,
  type: "vrrp.transition",
  severity: "notice",
  about: "VI_1",
  text: "backup → active: no advert for 3.61 s",
  fields: { from: "backup", to: "active", priority: 101 },
};

/** The built-in `name` with what an operator writes, checked as it would be. */
function builtIn(name: BuiltInNotifier, written: unknown, lines: string[] = []) {
  const { value, problems } = checkOptions(builtInSchema(name), written);
  assert.deepEqual(problems, []);
  return builtInNotifier(name, value, {
    host: () => ({ node: "dlp1", cluster: "edge", labels: {} }),
    clock: systemClock,
    log: createLogger({ role: "control", write: (line) => lines.push(line), format: "text" }),
    outward: { forbidden: [] },
  });
}

Deno.test("webhook posts the event, signed over its bytes", async () => {
  const seen: { headers: Headers; body: Uint8Array<ArrayBuffer> }[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    seen.push({ headers: request.headers, body: await request.bytes() });
    return new Response(null, { status: 204 });
  });
  const written = { url: `http://127.0.0.1:${server.addr.port}/hook`, headers: { "x-team": "net" }, secret: "s3cret" };
  assert.deepEqual(await builtIn("webhook", written).notify(transition, 5000), { result: "delivered" });
  const [{ headers, body }] = seen;
  assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), transition);
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode("s3cret"),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  const signature = Uint8Array.fromHex(headers.get("x-tandem-signature")!);
  assert.ok(await crypto.subtle.verify("HMAC", key, signature, body));
  assert.deepEqual([headers.get("x-team"), headers.get("x-tandem-event")], ["net", "vrrp.transition"]);
});

const answers: [status: number, headers: Record<string, string>, name: string][] = [
  [200, {}, "delivered"],
  [301, { location: "https://elsewhere.example" }, "GiveUp"],
  [404, {}, "GiveUp"],
  [408, {}, "Error"],
  [429, { "retry-after": "7" }, "Retry"],
  [429, {}, "Error"],
  [503, { "retry-after": "7" }, "Retry"],
  [500, {}, "Error"],
];
for (const [status, headers, name] of answers) {
  Deno.test(`webhook takes ${status} ${JSON.stringify(headers)} for ${name}`, async () => {
    const config = { url: "https://h.example", headers: {}, secret: undefined };
    const { error } = await deliver(webhook, {}, { config, answers: [new Response(null, { status, headers })] });
    assert.equal(error?.name ?? "delivered", name);
  });
}

Deno.test("command gets the event on its standard input, and its failure is told", async () => {
  const file = await Deno.makeTempFile();
  const done = await builtIn("command", {
    command: ["/bin/sh", "-c", `cat > ${file}; echo "$HOME$TANDEM_CONFIG" >> ${file}`],
  })
    .notify(transition, 5000);
  assert.deepEqual(done, { result: "delivered" });
  assert.equal(await Deno.readTextFile(file), JSON.stringify(transition) + "\n\n");
  await Deno.remove(file);
  const failed = await builtIn("command", { command: ["/bin/sh", "-c", "echo no >&2; exit 3"] }).notify(
    transition,
    5000,
  );
  assert.deepEqual(failed, { result: "again", reason: "the command ended with 3: no", afterMs: null });
  const missing = await builtIn("command", { command: ["/nonexistent"] }).notify(transition, 5000);
  assert.equal(missing.result, "again");
});
Deno.test("command is killed at its deadline", async () => {
  const began = performance.now();
  const { result } = await builtIn("command", { command: ["/bin/sleep", "20"] }).notify(transition, 100);
  assert.equal(result, "again");
  assert.ok(performance.now() - began < 5000);
});

const hooks: [name: string, event: Partial<Event>, lines: string[]][] = [
  ["active", {}, ["master", "all INSTANCE VI_1 MASTER 101"]],
  ["backup", { fields: { to: "backup", priority: 100 } }, ["all INSTANCE VI_1 BACKUP 100"]],
  ["fault", { fields: { to: "fault", priority: 101 } }, ["fault", "all INSTANCE VI_1 FAULT 101"]],
  // As keepalived 2.2.7 does when it ends: tests/interop/hooks_keepalived_test.ts.
  ["initialize", { fields: { to: "initialize", priority: 101 } }, ["stop", "all INSTANCE VI_1 STOP 101"]],
  ["a state that keepalived does not know", { fields: { to: "elsewhere", priority: 101 } }, []],
  ["another event", { type: "server.state" }, []],
];
for (const [name, event, lines] of hooks) {
  Deno.test(`keepalived's hooks for ${name}`, async () => {
    const file = await Deno.makeTempFile();
    const say = (words: string) => ["/bin/sh", "-c", `echo ${words} "$@" >> ${file}`, "hook"];
    const written = {
      notify: say("all"),
      notify_master: say("master"),
      notify_fault: say("fault"),
      notify_stop: say("stop"),
    };
    assert.deepEqual(await builtIn("keepalived", written).notify({ ...transition, ...event }, 5000), {
      result: "delivered",
    });
    assert.deepEqual((await Deno.readTextFile(file)).split("\n").filter(Boolean), lines);
    await Deno.remove(file);
  });
}
Deno.test("a hook of keepalived that fails is told, and not run twice", async () => {
  const lines: string[] = [];
  const notifier = builtIn("keepalived", { notify: ["/bin/false"] }, lines);
  assert.deepEqual(await notifier.notify(transition, 5000), { result: "delivered" });
  assert.match(lines.join(""), /notify of VI_1 ended with 1/);
});

Deno.test("syslog formats as RFC 5424", () => {
  assert.equal(
    new TextDecoder().decode(format({ ...transition, id: 'a"]\\' }, "local3")),
    '<157>1 2026-01-01T00:00:00.000Z dlp1 tandem - vrrp.transition [tandem@32473 id="a\\"\\]\\\\" about="VI_1" cluster="edge"] VI_1: backup → active: no advert for 3.61 s',
  );
  assert.match(new TextDecoder().decode(format({ ...transition, severity: "error" }, "daemon")), /^<27>1 /);
  assert.ok(format({ ...transition, text: "x".repeat(5000) }, "daemon").length <= 2048);
});
Deno.test("syslog sends datagrams over UDP", async () => {
  const { createSocket } = await import("node:dgram");
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const received = new Promise<string>((resolve) => socket.on("message", (bytes) => resolve(bytes.toString())));
  assert.deepEqual(await builtIn("syslog", { server: `127.0.0.1:${socket.address().port}` }).notify(transition, 5000), {
    result: "delivered",
  });
  assert.match(await received, /^<29>1 .* VI_1: backup → active/);
  socket.close();
});
Deno.test("syslog sends datagrams to a Unix socket", async () => {
  const directory = await Deno.makeTempDir();
  const path = new TextEncoder().encode(`${directory}/log\0`);
  const fd = libc().socket(1, 2, 0);
  assert.equal(libc().bind(fd, new Uint8Array([1, 0, ...path]), 2 + path.length), 0);
  assert.deepEqual(await builtIn("syslog", { server: `unix:${directory}/log` }).notify(transition, 5000), {
    result: "delivered",
  });
  const buffer = new Uint8Array(4096);
  const length = libc().recv(fd, buffer, 4096n, 0x40);
  assert.match(new TextDecoder().decode(buffer.subarray(0, Number(length))), /^<29>1 .* VI_1: backup → active/);
  libc().close(fd);
  await Deno.remove(directory, { recursive: true });
});
Deno.test("syslog tells when nobody is at the socket", async () => {
  const { result } = await builtIn("syslog", { server: "unix:/nonexistent/log" }).notify(transition, 5000);
  assert.equal(result, "again");
});
Deno.test("syslog asks for nothing but to send", async () => {
  const config = { server: "x:1", facility: "daemon" } as const;
  const { errors, sent, ran, datagrams } = await deliverAll(syslog, [transition], { config });
  assert.deepEqual([errors, sent, ran, datagrams.map(({ endpoint }) => endpoint)], [[null], [], [], ["syslog"]]);
});

const destinations: [text: string, parsed: unknown][] = [
  ["192.0.2.1:514", { host: "192.0.2.1", port: 514 }],
  ["[2001:db8::1]:514", { host: "2001:db8::1", port: 514 }],
  ["log.example:1", { host: "log.example", port: 1 }],
  ["unix:/dev/log", { path: "/dev/log" }],
];
for (const [text, parsed] of destinations) {
  Deno.test(`parseDestination() of ${text}`, () => assert.deepEqual(parseDestination(text), parsed));
}
for (const text of ["log.example", "2001:db8::1:514", ":514", "a:0", "a:65536", "unix:log"]) {
  Deno.test(`parseDestination() refuses ${text}`, () => assert.throws(() => parseDestination(text), SyntaxError));
}

const all: Interest = { events: ["*"], minSeverity: "info", flap: 0 };
const wishes: [name: string, event: Partial<Event>, interest: Partial<Interest>, wanted: boolean][] = [
  ["everything", {}, {}, true],
  ["its type", { type: "server.state" }, { events: ["server.state"] }, true],
  ["its family", { type: "vrrp.transition" }, { events: ["vrrp.*"] }, true],
  ["another family", { type: "server.state" }, { events: ["vrrp.*"] }, false],
  ["too little", { severity: "notice" }, { minSeverity: "warning" }, false],
  ["enough", { severity: "error" }, { minSeverity: "warning" }, true],
  ["the end of something", { severity: "info", resolves: "1" }, { minSeverity: "warning" }, true],
];
for (const [name, event, interest, wanted] of wishes) {
  Deno.test(`isWanted() of ${name}`, () =>
    assert.equal(isWanted({ ...sampleEvent, ...event }, { ...all, ...interest }), wanted));
}

/** Deliveries to a notifier that answers in turn; "ok" when it has no more to say. */
function deliveries(results: Delivery[], interest: Partial<Interest> = {}) {
  const clock = fakeClock();
  const heard: string[] = [], dropped: string[] = [];
  const queue = new Deliveries({
    interest: { ...all, ...interest },
    notifier: {
      kind: "notifier",
      notify: (event) => {
        heard.push(`${event.id}#${event.attempt}`);
        return Promise.resolve(results.shift() ?? { result: "delivered" });
      },
    },
    deadline: 1000,
    clock,
    dropped: (event, reason) => dropped.push(`${event.id}: ${reason}`),
  });
  const offer = (id: string, more: Partial<Event> = {}) => queue.offer({ ...sampleEvent, id, ...more });
  return { clock, queue, heard, dropped, offer };
}
const again: Delivery = { result: "again", reason: "busy", afterMs: null };

Deno.test("Deliveries are in order, and a failed one holds back the next", async () => {
  const { clock, heard, offer, queue } = deliveries([again]);
  ["a", "b"].forEach((id) => offer(id));
  await clock.advance(999);
  assert.deepEqual(heard, ["a#1"]);
  assert.equal(queue.status().last_error, "busy");
  await clock.advance(1);
  assert.deepEqual(heard, ["a#1", "a#2", "b#1"]);
  assert.deepEqual(queue.status(), { waiting: 0, delivered: 2, retried: 1, dropped: 0, last_error: null });
});
Deno.test("Deliveries are tried three times, then dropped", async () => {
  const { clock, heard, dropped, offer } = deliveries([again, again, again]);
  offer("a");
  offer("b");
  await clock.advance(10_000);
  assert.deepEqual(heard, ["a#1", "a#2", "a#3", "b#1"]);
  assert.deepEqual(dropped, ["a: 3 tries failed, last: busy"]);
});
Deno.test("Deliveries wait as long as the notifier asks, and give up when it says so", async () => {
  const { clock, heard, dropped, offer } = deliveries([{ ...again, afterMs: 60_000 }, {
    result: "dropped",
    reason: "gone",
  }]);
  offer("a");
  await clock.advance(59_999);
  assert.deepEqual(heard, ["a#1"]);
  await clock.advance(1);
  assert.deepEqual([heard, dropped], [["a#1", "a#2"], ["a: gone"]]);
});
Deno.test("Deliveries keep the newest thousand", async () => {
  const { clock, dropped, offer, queue } = deliveries([{ ...again, afterMs: 1000 }]);
  for (let n = 0; n < 1002; n++) offer(String(n));
  assert.equal(queue.status().waiting, 1000);
  assert.deepEqual(dropped.map((line) => line.split(":")[0]), ["1", "2"]);
  while (queue.status().waiting > 0) await clock.advance(1000);
  assert.equal(queue.status().delivered, 1000);
});
Deno.test("Deliveries do not tell what was over within the flap time", async () => {
  const { clock, heard, offer } = deliveries([], { flap: 30_000 });
  offer("down");
  await clock.advance(10_000);
  offer("up", { resolves: "down" });
  offer("other", { about: "web/node02" });
  await clock.advance(60_000);
  assert.deepEqual(heard, ["other#1"]);
});
