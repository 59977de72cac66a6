import assert from "node:assert/strict";
import { Heartbeat } from "../../../runtime/plugin/heartbeat.ts";
import { afterFailure, type LifeRecord, unharmed } from "../../../runtime/plugin/life.ts";
import {
  Bucket,
  LineSplitter,
  LogGate,
  plainFields,
  plainLine,
  redactDeep,
  redactor,
} from "../../../runtime/plugin/output.ts";
import { pluginUid } from "../../../runtime/plugin/stage.ts";
import { parseUsage } from "../../../runtime/plugin/usage.ts";

/** Failures at these times, without chance; what follows each. */
function sentences(times: readonly number[], chance = 0.5): (number | "quarantine")[] {
  let record: LifeRecord = unharmed;
  return times.map((at) => {
    const [next, sentence] = afterFailure(record, at, chance);
    record = next;
    return sentence.next === "restart" ? sentence.wait : "quarantine";
  });
}

Deno.test("afterFailure() doubles the wait and quarantines the fifth failure of a minute", () => {
  assert.deepEqual(sentences([0, 1000, 2000, 3000, 4000]), [100, 200, 400, 800, "quarantine"]);
});
Deno.test("afterFailure() forgets failures older than a minute", () => {
  assert.deepEqual(sentences([0, 20_000, 40_000, 59_000, 79_999]), [100, 200, 400, 800, 800]);
});
Deno.test("afterFailure() spreads restarts by a quarter to either side", () => {
  assert.deepEqual([sentences([0], 0), sentences([0], 1)], [[75], [125]]);
});

const MiB = 2 ** 20;
const usage = (cpu: number, runnable = true, memory = MiB) => ({ cpu, runnable, memory });

Deno.test("Heartbeat pings as long as each beat is answered", () => {
  const heart = new Heartbeat(64 * MiB);
  for (let n = 1; n <= 3; n++) {
    assert.deepEqual(heart.beat(usage(n)), { next: "ping", n });
    assert.ok(heart.answer(n));
  }
});
Deno.test("Heartbeat kills after three misses of a process that burns", () => {
  const heart = new Heartbeat(64 * MiB);
  const beats = [0, 1000, 2000, 3000].map((cpu) => heart.beat(usage(cpu)).next);
  assert.deepEqual(beats, ["ping", "wait", "wait", "kill"]);
});
Deno.test("Heartbeat kills after three misses of a process that sleeps", () => {
  const heart = new Heartbeat(64 * MiB);
  assert.deepEqual([0, 0, 0, 0].map((cpu) => heart.beat(usage(cpu, false)).next), ["ping", "wait", "wait", "kill"]);
});
Deno.test("Heartbeat waits for a process that gets no processor", () => {
  const heart = new Heartbeat(64 * MiB);
  const beats = Array.from({ length: 21 }, (_, second) => heart.beat(usage(second * 10)).next);
  assert.deepEqual([...new Set(beats.slice(1, 20))], ["wait"]);
  assert.equal(beats[20], "kill");
});
Deno.test("Heartbeat kills a process that holds more than it may", () => {
  const beat = new Heartbeat(64 * MiB).beat(usage(0, true, 65 * MiB));
  assert.deepEqual(beat, { next: "kill", cause: "memory", reason: "it holds 65 MiB, the limit is 64 MiB" });
});
Deno.test("Heartbeat takes no answer to a beat that was not sent", () => {
  const heart = new Heartbeat(64 * MiB);
  heart.beat(usage(0));
  assert.deepEqual([heart.answer(0), heart.answer(2), heart.answer(1)], [false, false, true]);
});

const lines: [name: string, text: string, plain: string][] = [
  ["colours", "\x1b[31mred\x1b[0m", "red"],
  ["a cleared screen", "\x1b[2J\x1b[Hhello", "hello"],
  ["a window's title", "\x1b]0;owned\x07hello", "hello"],
  ["a title that does not end", "\x1b]0;owned", ""],
  ["an 8-bit sequence", "a\u009b31mb", "a 31mb"],
  ["forged lines", "a\r\n2026 error b\u2028c", "a 2026 error b c"],
  ["text that runs backwards", "a\u202etxt.exe", "a txt.exe"],
  ["NUL and bell", "a\0\x07b", "a b"],
  ["other languages", "日本 ümläut 🎉", "日本 ümläut 🎉"],
];
for (const [name, text, plain] of lines) {
  Deno.test(`plainLine() takes out ${name}`, () => assert.equal(plainLine(text), plain));
}
Deno.test("plainLine() cuts a line and says so", () => {
  assert.match(plainLine("x".repeat(9000)), /^x{8192} … \(808 more characters\)$/);
});
Deno.test("plainFields() keeps names apart from what they mean", () => {
  const fields = plainFields(JSON.parse('{"__proto__":{"a":1},"n":1,"s":"a\\nb","o":{"deep":["x"]}}'))!;
  assert.deepEqual(Object.entries(fields), [["__proto__", '{"a":1}'], ["n", 1], ["s", "a b"], ["o", '{"deep":["x"]}']]);
});
Deno.test("LineSplitter gives whole lines, and one that never ends in pieces", () => {
  const splitter = new LineSplitter();
  const push = (text: string) => splitter.push(new TextEncoder().encode(text));
  assert.deepEqual([push("a\nb"), push("c\n"), push("x".repeat(8193)), push("y")], [
    ["a"],
    ["bc"],
    ["x".repeat(8193)],
    [],
  ]);
  assert.deepEqual(splitter.end(), ["y"]);
});
Deno.test("LogGate drops what is more than a hundred lines a second, and says how many", () => {
  const gate = new LogGate(0);
  const passed = Array.from({ length: 150 }, () => gate.pass("x", 0)).flat();
  assert.equal(passed.length, 100);
  assert.deepEqual(gate.pass("y", 1000), ["50 lines dropped: a plugin may log 100 a second", "y"]);
});
Deno.test("Bucket charges into debt and tells how long that takes to pay", () => {
  const bucket = new Bucket(100, 50, 0);
  assert.equal(bucket.charge(50, 0), 0);
  assert.equal(bucket.charge(25, 0), 250);
  assert.equal(bucket.charge(0, 250), 0);
});
Deno.test("redactor() hides each secret, the longer one first, and none that is nearly nothing", () => {
  const redact = redactor(["pass", "password", "abc"]);
  assert.equal(redact("password pass abc"), "••• ••• abc");
  assert.deepEqual(redactDeep({ pass: ["xpassx", 1, null] }, redact), { "•••": ["x•••x", 1, null] });
});

const spellings: [how: string, text: string][] = [
  ["itself", `login with p"ss/word? failed`],
  ["in JSON", JSON.stringify({ key: 'p"ss/word?' })],
  ["in a URL", `https://a.example/?key=${encodeURIComponent('p"ss/word?')}`],
  ["in base64", `Basic ${btoa('p"ss/word?')}`],
];
for (const [how, text] of spellings) {
  Deno.test(`redactor() hides a secret ${how}`, () => {
    const shown = redactor(['p"ss/word?'])(text);
    assert.match(shown, /•••/);
    assert.doesNotMatch(shown, /ss.{0,3}word|cCJzcy93b3JkPw/);
  });
}
Deno.test("redactor() hides the lines of a key, each by itself", () => {
  const redact = redactor(["-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKIZ\nshort\n"]);
  assert.equal(redact("line 2: MC4CAQAwBQYDK2VwBCIEIKIZ is short"), "line 2: ••• is short");
});

Deno.test("pluginUid() is the same for the same name, and differs where that one is taken", () => {
  const uid = pluginUid("acme/pg-role", new Set());
  assert.equal(pluginUid("acme/pg-role", new Set()), uid);
  assert.notEqual(pluginUid("acme/pg-role", new Set([uid])), uid);
  assert.ok(uid >= 61_184 && uid < 65_520);
});

Deno.test("parseUsage() reads a process whose name is meant to confuse", () => {
  const stat = "12 (a) R (b) R 1 12 12 0 -1 4194304 100 0 0 0 7 3 0 0 39 19 6 0 100 0 0";
  const status = "Name:\ta\nRssAnon:\t    2048 kB\nRssFile:\t   30000 kB\nRssShmem:\t    1024 kB\n";
  assert.deepEqual(parseUsage(stat, status), { memory: 3 * MiB, cpu: 100, runnable: true });
});
