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
  redactText,
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
Deno.test("LineSplitter gives whole lines, and the beginning of one that never ends", () => {
  const splitter = new LineSplitter();
  const push = (text: string) => splitter.push(new TextEncoder().encode(text));
  const most = "x".repeat(16_384);
  assert.deepEqual([push("a\nb"), push("c\n"), push(`${most}y`), push("y"), push("z\nd\ne"), push("f\n")], [
    ["a"],
    ["bc"],
    [most],
    [],
    ["d"],
    ["ef"],
  ]);
  assert.deepEqual([push(`${most}y\n${most}y\ng`), splitter.end()], [[most, most], ["g"]]);
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

const SECRETS = [
  'p"ss/word?',
  "it's(mine)",
  "a+b/c=d e~",
  "tab\tend",
  "ünïcode-sécret",
  "correct-horse-battery?",
  "🎉🎉",
];
const url = (secret: string) => Object.assign(new URL("http://u@a.example/"), { password: secret }).href;
const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => bytes(text).toBase64();
const spellings: readonly [how: string, spell: (secret: string) => string][] = [
  ["itself", (secret) => `login with ${secret} failed`],
  ["in JSON", (secret) => JSON.stringify({ key: secret })],
  [
    "in JSON that keeps to ASCII",
    (secret) =>
      JSON.stringify(secret).replace(
        /[\x7f-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
  ],
  ["in a URL", (secret) => `https://a.example/?key=${encodeURIComponent(secret)}`],
  [
    "in a URL in lower case",
    (secret) => `?key=${encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase())}`,
  ],
  ["in a form", (secret) => `${new URLSearchParams({ user: "u", password: secret, more: "1" })}`],
  ["in a URL's userinfo", url],
  ["in base64", (secret) => `token ${base64(secret)} is wrong`],
  ["in base64 without padding", (secret) => base64(secret).replace(/=+$/, "")],
  ["in base64url", (secret) => bytes(secret).toBase64({ alphabet: "base64url", omitPadding: true })],
  ["in hexadecimal", (secret) => `key ${bytes(secret).toHex()}`],
  ["in hexadecimal capitals", (secret) => `key ${bytes(secret).toHex().toUpperCase()}`],
  ...["u:", "me:", "user:", "monitor:"].flatMap((user): [string, (secret: string) => string][] => [
    [`behind ${user} in base64`, (secret) => `Basic ${base64(user + secret)}`],
    [`behind ${user} and before more in base64`, (secret) => base64(`${user}${secret}\r\n`)],
  ]),
];
for (const [how, spell] of spellings) {
  Deno.test(`redactor() hides a secret ${how}`, () => {
    for (const secret of SECRETS) {
      const text = spell(secret);
      const shown = redactor([secret])(text);
      const hidden = text.length - shown.replace("•••", "").length;
      assert.match(shown, /•••/, text);
      // All of it, but for what in base64 belongs to its neighbours too.
      assert.ok(hidden >= bytes(secret).length * 4 / 3 - 3 || hidden >= secret.length, `${text} became ${shown}`);
    }
  });
}
Deno.test("redactor() leaves alone what only looks like a secret", () => {
  const text = "status=down code=504 id=deadbeef YWJj a+b";
  assert.equal(redactor(["abc", "correct-horse-battery?", "deadline"])(text), text);
});

Deno.test("redactText() shows no part of a secret where a text was cut", () => {
  const secret = "correct-horse-battery";
  const redact = redactor([secret]);
  for (const at of [16_384 - 10, 8192 - 10, 0]) {
    const text = `${"x".repeat(at)}${secret}${"y".repeat(20_000)}`.slice(0, 16_384);
    assert.doesNotMatch(plainLine(redactText(text, redact)), /corr|attery/, String(at));
  }
  // Even where what is hidden makes room for what was cut.
  const many = `${secret}${"z".repeat(10)}`.repeat(1000).slice(0, 16_384);
  assert.doesNotMatch(redactText(many, redact), /corr|attery/);
  assert.equal(redactText(`a ${secret} b`, redact), "a ••• b");
});

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
