/**
 * Plugins that mean harm, as data: what each does in `check`, and what the operator reads of it. `hostile_test.ts` runs each in
 * its sandbox, `beside_pair_test.ts` all of them beside a pair under load.
 */

export interface Attack {
  readonly name: string;
  /** What it is after; one wave each in `beside_pair_test.ts`. */
  readonly family: "processor" | "memory" | "processes" | "ends" | "protocol" | "noise" | "silence" | "realm";
  /** Body of `check(target, ctx)`. */
  readonly does: string;
  readonly before?: string;
  /** How its process ends, as the operator reads it; null: it goes on, harmless; "perhaps": either is well. */
  readonly ends: RegExp | null | "perhaps";
  /** What the one who asked for the check gets: the verdict's reason, what was thrown, or why there is no answer. */
  readonly gets?: RegExp;
}

const frame = `const fs = (await import("node:fs")).default;
const raw = (bytes: Uint8Array) => { for (let at = 0; at < bytes.length;) { try { at += fs.writeSync(1, bytes, at); } catch (e: any) { if (e.code !== "EAGAIN") throw e; } } };
const frame = (value: unknown) => { const b = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)); const f = new Uint8Array(4 + b.length); new DataView(f.buffer).setUint32(0, b.length); f.set(b, 4); return f; };
`;

const HUNG = /no heartbeat for \d s/;
/** Who is refused memory ends by whatever asked for it: V8 traps, Rust aborts or panics, the watch kills. */
const OUT_OF_MEMORY = /ended by itself: |it holds \d+ MiB|it filled its memory cgroup|no heartbeat/;

export const attacks: readonly Attack[] = [
  // Burning the processor
  { family: "processor", name: "an infinite loop", does: "for (;;);", ends: HUNG },
  {
    family: "processor",
    name: "an infinite loop in WebAssembly",
    does:
      `const m = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11]));
      (new WebAssembly.Instance(m).exports.f as any)();`,
    ends: HUNG,
  },
  {
    family: "processor",
    name: "a regular expression that never ends",
    does: `/^(a+)+$/.test("a".repeat(50) + "!");`,
    ends: HUNG,
  },
  {
    family: "processor",
    name: "microtasks without end",
    does: "const again = (): any => Promise.resolve().then(again); await again();",
    ends: /no heartbeat for \d s|ended by itself: SIGTRAP/,
  },
  {
    family: "processor",
    name: "a thread that waits for ever",
    does: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    ends: HUNG,
  },
  // Memory
  {
    family: "memory",
    name: "a heap bomb",
    does: "const all: any[] = []; for (;;) all.push({ a: [1, 2, 3, all.length] });",
    ends: OUT_OF_MEMORY,
  },
  {
    family: "memory",
    name: "an ArrayBuffer bomb",
    does:
      `const all = []; try { for (;;) all.push(new Uint8Array(4 << 20).fill(1)); } catch (e: any) { throw new Error(e.name + " at " + all.length * 4); }`,
    ends: "perhaps",
    gets: /^RangeError at \d{1,3}$|ended by itself|it (holds|filled)/,
  },
  {
    family: "memory",
    name: "a string bomb",
    does:
      `let s = "x"; const all: any[] = []; for (;;) { s += s.slice(0, 1 << 20); all.push(JSON.parse(JSON.stringify(s + all.length))); }`,
    ends: OUT_OF_MEMORY,
  },
  {
    family: "memory",
    name: "WebAssembly memory",
    does:
      `const all: any[] = []; try { for (;;) { const m = new WebAssembly.Memory({ initial: 64 }); new Uint8Array(m.buffer).fill(1); all.push(m); } } catch (e: any) { throw new Error(e.name + " at " + all.length * 4); }`,
    ends: "perhaps",
    gets: /^RangeError at \d{1,3}$|ended by itself|it (holds|filled)/,
  },
  {
    family: "memory",
    name: "a larger heap by V8's flags",
    does:
      `(await import("node:v8")).default.setFlagsFromString("--max-old-space-size=4000"); const all: any[] = []; for (;;) all.push([all.length, {}]);`,
    ends: OUT_OF_MEMORY,
  },
  {
    family: "memory",
    name: "shared memory",
    does:
      `const all: any[] = []; try { for (;;) { const b = new SharedArrayBuffer(4 << 20); new Uint8Array(b).fill(1); all.push(b); } } catch (e: any) { throw new Error(e.name + " at " + all.length * 4); }`,
    ends: "perhaps",
    gets: /^RangeError at \d{1,3}$|ended by itself|it (holds|filled)/,
  },
  // Processes and threads
  {
    family: "processes",
    name: "a bomb of sub-workers",
    does:
      `const url = "data:application/javascript,for(;;);"; for (let i = 0; i < 200; i++) new Worker(url, { type: "module" }); await new Promise(() => {});`,
    ends: /ended by itself|heartbeat/,
  },
  {
    family: "processes",
    name: "a child process",
    does: `new Deno.Command("/bin/sh").outputSync();`,
    ends: null,
    gets: /Requires run access/,
  },
  {
    family: "processes",
    name: "a child process by Node",
    does: `(await import("node:child_process")).default.execSync("id");`,
    ends: null,
    gets: /Requires (run|env) access|EPERM|EACCES/,
  },
  {
    family: "processes",
    name: "a bomb of child processes",
    does:
      `let made = 0; for (let i = 0; i < 1000; i++) { try { new Deno.Command(Deno.execPath()).spawn(); made++; } catch {} } throw new Error(made + " made");`,
    ends: null,
    gets: /^0 made$/,
  },
  {
    family: "processes",
    name: "a bomb of Node's worker threads",
    does:
      `const { Worker: W } = await import("node:worker_threads"); for (let i = 0; i < 200; i++) new W("for(;;);", { eval: true }); await new Promise(() => {});`,
    ends: /ended by itself|heartbeat/,
  },
  // Ending what should not end
  { family: "ends", name: "Deno.exit()", does: "Deno.exit(0);", ends: /ended by itself: exit code 0/ },
  {
    family: "ends",
    name: "process.exit(3)",
    does: `(await import("node:process")).default.exit(3);`,
    ends: /ended by itself: exit code 3/,
  },
  {
    family: "ends",
    name: "process.abort()",
    does: `(await import("node:process")).default.abort();`,
    ends: /ended by itself: (SIG|exit)/,
  },
  {
    family: "ends",
    name: "SIGKILL for itself",
    does: `Deno.kill(Deno.pid, "SIGKILL"); await new Promise(() => {});`,
    ends: /ended by itself: SIGKILL/,
  },
  {
    family: "ends",
    name: "a trap for SIGTERM",
    does: `Deno.addSignalListener("SIGTERM", () => {}); Deno.kill(Deno.pid, "SIGTERM"); throw new Error("alive");`,
    ends: null,
    gets: /^alive$/,
  },
  {
    family: "ends",
    name: "SIGKILL for its parent",
    does: `Deno.kill(Deno.ppid, "SIGKILL");`,
    ends: null,
    gets: /Requires run access/,
  },
  {
    family: "ends",
    name: "SIGKILL for its parent by Node",
    does: `(await import("node:process")).default.kill(Deno.ppid, "SIGKILL");`,
    ends: null,
    gets: /Requires run access|EPERM/,
  },
  {
    family: "ends",
    name: "SIGKILL for its group",
    does: `(await import("node:process")).default.kill(0, "SIGKILL");`,
    ends: null,
    gets: /Requires run access|EPERM/,
  },
  {
    family: "ends",
    name: "SIGKILL for everyone",
    does: `(await import("node:process")).default.kill(-1, "SIGKILL");`,
    ends: null,
    gets: /Requires run access|EPERM/,
  },
  // Breaking the protocol
  {
    family: "protocol",
    name: "a frame that is too long",
    does: `raw(new Uint8Array([255, 255, 255, 255, 1]));`,
    before: frame,
    ends: /violation: sent a frame of 4294967295 bytes/,
  },
  {
    family: "protocol",
    name: "half a frame, and then others",
    does: `raw(new Uint8Array([0, 0, 3, 232, 123]));`,
    before: frame,
    ends: /violation: |no heartbeat/,
  },
  {
    family: "protocol",
    name: "an answer that is too long for a frame",
    does: `return { state: "up", reason: "x".repeat(1 << 20) };`,
    ends: null,
    gets: /at most|too long|limit/,
  },
  {
    family: "protocol",
    name: "a frame that sets a prototype",
    does:
      `raw(frame('{"type":"log","level":"info","text":"x","fields":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}}'));`,
    before: frame,
    ends: null,
    gets: /^went on$/,
  },
  {
    family: "protocol",
    name: "an empty frame",
    does: `raw(new Uint8Array(4));`,
    before: frame,
    ends: /violation: sent an empty frame/,
  },
  {
    family: "protocol",
    name: "a frame that is not JSON",
    does: `raw(frame("{nonsense"));`,
    before: frame,
    ends: /violation: sent a frame that is not JSON/,
  },
  {
    family: "protocol",
    name: "JSON nested without end",
    does: `raw(frame("[".repeat(200_000)));`,
    before: frame,
    ends: /violation: sent JSON nested deeper/,
  },
  {
    family: "protocol",
    name: "a message of no known type",
    does: `raw(frame({ type: "gift" }));`,
    before: frame,
    ends: /violation: sent a message whose type of a message is wrong/,
  },
  {
    family: "protocol",
    name: "a claim to be confined",
    does: `raw(frame({ type: "confined", measures: [], directory: "" }));`,
    before: frame,
    ends: /violation: sent "confined" out of turn/,
  },
  {
    family: "protocol",
    name: "an answer that nobody asked for",
    does: `raw(frame({ type: "answer", id: 99, value: null }));`,
    before: frame,
    ends: /violation: answered call 99/,
  },
  {
    family: "protocol",
    name: "the same answer twice",
    does:
      `raw(frame({ type: "answer", id: 2, value: { state: "up", reason: "one" } })); raw(frame({ type: "answer", id: 2, value: null }));`,
    before: frame,
    ends: /violation: answered call 2/,
  },
  {
    family: "protocol",
    name: "text on the protocol's pipe",
    does: `raw(new TextEncoder().encode("hello\\n"));`,
    before: frame,
    ends: /violation: sent a frame of \d+ bytes/,
  },
  {
    family: "protocol",
    name: "heartbeats it was not asked for",
    does: `raw(frame({ type: "pong", n: 7777, abandoned: 0 }));`,
    before: frame,
    ends: /violation: answered heartbeat 7777/,
  },
  {
    family: "protocol",
    name: "too many questions",
    // In one write, again and again: one at a time they may be answered as fast as they are asked, which is no violation.
    does:
      `const f = frame({ type: "ask", id: 1, call: 2, ask: { what: "fetch", endpoint: "e", method: "GET", path: "", headers: [], body: null } });
      const all = new Uint8Array(400 * f.length);
      for (let i = 0; i < 400; i++) all.set(f, i * f.length);
      for (;;) { raw(all); await new Promise((r) => setTimeout(r, 200)); }`,
    before: frame,
    ends: /violation: asked more than 256/,
  },
  // Noise
  {
    family: "noise",
    name: "a flood of messages",
    does: `const f = frame({ type: "log", level: "info", text: "x".repeat(100) }); for (;;) raw(f);`,
    before: frame,
    ends: /sends more than|no heartbeat/,
  },
  {
    family: "noise",
    name: "a log without end",
    does: `for (;;) { ctx.log.info("x".repeat(1000)); await new Promise((r) => setTimeout(r, 0)); }`,
    ends: null,
  },
  {
    family: "noise",
    name: "stderr without end",
    does: `const b = new Uint8Array(65536).fill(120); for (;;) Deno.stderr.writeSync(b);`,
    ends: HUNG,
  },
  {
    family: "noise",
    name: "stdout without end",
    does: `const b = new Uint8Array(65536).fill(120); for (;;) Deno.stdout.writeSync(b);`,
    ends: HUNG,
  },
  {
    family: "noise",
    name: "log lines of somebody else",
    does:
      `for (const say of [console.log, ctx.log.error]) say("\\x1b[2J\\x1b]0;title\\x07\\u202ecalm\\r\\n2026-01-01T00:00:00Z error control forged\\u0085");`,
    ends: null,
    gets: /^went on$/,
  },
  {
    family: "noise",
    name: "metrics without end",
    does: `for (let i = 0; i < 5000; i++) ctx.metrics.count("a\\n" + i); `,
    ends: null,
    gets: /^went on$/,
  },
  // Not answering
  {
    family: "silence",
    name: "no answer, ever",
    does: "await new Promise(() => {});",
    ends: null,
    gets: /gave no answer by its deadline/,
  },
  {
    family: "silence",
    name: "an answer that comes too late",
    does: "await new Promise((r) => setTimeout(r, 900));",
    ends: null,
    gets: /gave no answer by its deadline/,
  },
  { family: "silence", name: "a thrown null", does: "throw null;", ends: null, gets: /Threw null/ },
  {
    family: "silence",
    name: "an error that lies about itself",
    does:
      `throw Object.assign(new Error("x".repeat(1e6)), { name: "y".repeat(1e6), stack: "at /etc/passwd:1".repeat(1e4) });`,
    ends: null,
    gets: /^x{2000}$/,
  },
  {
    family: "silence",
    name: "a rejection nobody awaits",
    does: `Promise.reject(new Error("left alone"));`,
    ends: null,
    gets: /went on/,
  },
  {
    family: "silence",
    name: "an error outside of any call",
    does: `setTimeout(() => { throw new Error("out of turn"); }, 0); await new Promise((r) => setTimeout(r, 100));`,
    ends: /ended by itself: exit code 1|never/,
  },
  // Breaking what it shares a realm with
  {
    family: "realm",
    name: "prototypes of the host beside it",
    does:
      `(Map.prototype as any).get = () => { throw new Error("pwned"); }; (Array.prototype as any).push = () => 0; JSON.stringify = (() => "{") as any;`,
    ends: /violation|heartbeat|ended by itself/,
  },
];

/** Whether its end comes only after three seconds without a heartbeat. */
export function isSlow({ ends }: Attack): boolean {
  return ends instanceof RegExp && ends.source.startsWith(HUNG.source);
}
