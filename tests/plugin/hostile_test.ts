/**
 * Plugins that mean harm, each run for real in its sandbox beside a neighbour that is checked all the time. A row says what
 * the plugin does and what the operator sees; that the neighbour and control did not suffer holds for every row.
 */
import assert from "node:assert/strict";
import { PluginThrew, PluginUnavailable } from "../../runtime/plugin/failure.ts";
import { Arena, type ArenaPlugin, checkerWith } from "./arena.ts";

interface Attack {
  readonly name: string;
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
const OUT_OF_MEMORY = /ended by itself: |it holds \d+ MiB|no heartbeat/;

const attacks: readonly Attack[] = [
  // Burning the processor
  { name: "an infinite loop", does: "for (;;);", ends: HUNG },
  {
    name: "an infinite loop in WebAssembly",
    does:
      `const m = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11]));
      (new WebAssembly.Instance(m).exports.f as any)();`,
    ends: HUNG,
  },
  { name: "a regular expression that never ends", does: `/^(a+)+$/.test("a".repeat(50) + "!");`, ends: HUNG },
  {
    name: "microtasks without end",
    does: "const again = (): any => Promise.resolve().then(again); await again();",
    ends: /no heartbeat for \d s|ended by itself: SIGTRAP/,
  },
  {
    name: "a thread that waits for ever",
    does: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    ends: HUNG,
  },
  // Memory
  {
    name: "a heap bomb",
    does: "const all: any[] = []; for (;;) all.push({ a: [1, 2, 3, all.length] });",
    ends: OUT_OF_MEMORY,
  },
  {
    name: "an ArrayBuffer bomb",
    does:
      `const all = []; try { for (;;) all.push(new Uint8Array(4 << 20).fill(1)); } catch (e: any) { throw new Error(e.name + " at " + all.length * 4); }`,
    ends: "perhaps",
    gets: /^RangeError at \d{1,3}$|ended by itself|it holds/,
  },
  {
    name: "a string bomb",
    does:
      `let s = "x"; const all: any[] = []; for (;;) { s += s.slice(0, 1 << 20); all.push(JSON.parse(JSON.stringify(s + all.length))); }`,
    ends: OUT_OF_MEMORY,
  },
  {
    name: "WebAssembly memory",
    does:
      `const all: any[] = []; try { for (;;) { const m = new WebAssembly.Memory({ initial: 64 }); new Uint8Array(m.buffer).fill(1); all.push(m); } } catch (e: any) { throw new Error(e.name + " at " + all.length * 4); }`,
    ends: "perhaps",
    gets: /^RangeError at \d{1,3}$|ended by itself|it holds/,
  },
  {
    name: "a larger heap by V8's flags",
    does:
      `(await import("node:v8")).default.setFlagsFromString("--max-old-space-size=4000"); const all: any[] = []; for (;;) all.push([all.length, {}]);`,
    ends: OUT_OF_MEMORY,
  },
  // Processes and threads
  {
    name: "a bomb of sub-workers",
    does:
      `const url = "data:application/javascript,for(;;);"; for (let i = 0; i < 200; i++) new Worker(url, { type: "module" }); await new Promise(() => {});`,
    ends: /ended by itself|heartbeat/,
  },
  {
    name: "a child process",
    does: `new Deno.Command("/bin/sh").outputSync();`,
    ends: null,
    gets: /Requires run access/,
  },
  {
    name: "a child process by Node",
    does: `(await import("node:child_process")).default.execSync("id");`,
    ends: null,
    gets: /Requires (run|env) access|EPERM|EACCES/,
  },
  // Ending what should not end
  { name: "Deno.exit()", does: "Deno.exit(0);", ends: /ended by itself: exit code 0/ },
  {
    name: "process.exit(3)",
    does: `(await import("node:process")).default.exit(3);`,
    ends: /ended by itself: exit code 3/,
  },
  {
    name: "process.abort()",
    does: `(await import("node:process")).default.abort();`,
    ends: /ended by itself: (SIG|exit)/,
  },
  { name: "SIGKILL for its parent", does: `Deno.kill(Deno.ppid, "SIGKILL");`, ends: null, gets: /Requires run access/ },
  {
    name: "SIGKILL for its parent by Node",
    does: `(await import("node:process")).default.kill(Deno.ppid, "SIGKILL");`,
    ends: null,
    gets: /Requires run access|EPERM/,
  },
  {
    name: "SIGKILL for its group",
    does: `(await import("node:process")).default.kill(0, "SIGKILL");`,
    ends: null,
    gets: /Requires run access|EPERM/,
  },
  // Breaking the protocol
  {
    name: "a frame that is too long",
    does: `raw(new Uint8Array([255, 255, 255, 255, 1]));`,
    before: frame,
    ends: /violation: sent a frame of 4294967295 bytes/,
  },
  { name: "an empty frame", does: `raw(new Uint8Array(4));`, before: frame, ends: /violation: sent an empty frame/ },
  {
    name: "a frame that is not JSON",
    does: `raw(frame("{nonsense"));`,
    before: frame,
    ends: /violation: sent a frame that is not JSON/,
  },
  {
    name: "JSON nested without end",
    does: `raw(frame("[".repeat(200_000)));`,
    before: frame,
    ends: /violation: sent JSON nested deeper/,
  },
  {
    name: "a message of no known type",
    does: `raw(frame({ type: "gift" }));`,
    before: frame,
    ends: /violation: sent a message whose type of a message is wrong/,
  },
  {
    name: "a claim to be confined",
    does: `raw(frame({ type: "confined", measures: [], directory: "" }));`,
    before: frame,
    ends: /violation: sent "confined" out of turn/,
  },
  {
    name: "an answer that nobody asked for",
    does: `raw(frame({ type: "answer", id: 99, value: null }));`,
    before: frame,
    ends: /violation: answered call 99/,
  },
  {
    name: "the same answer twice",
    does:
      `raw(frame({ type: "answer", id: 2, value: { state: "up", reason: "one" } })); raw(frame({ type: "answer", id: 2, value: null }));`,
    before: frame,
    ends: /violation: answered call 2/,
  },
  {
    name: "text on the protocol's pipe",
    does: `raw(new TextEncoder().encode("hello\\n"));`,
    before: frame,
    ends: /violation: sent a frame of \d+ bytes/,
  },
  {
    name: "heartbeats it was not asked for",
    does: `raw(frame({ type: "pong", n: 7777, abandoned: 0 }));`,
    before: frame,
    ends: /violation: answered heartbeat 7777/,
  },
  {
    name: "too many questions",
    does:
      `for (let i = 0; i < 400; i++) raw(frame({ type: "ask", id: i, call: 2, ask: { what: "fetch", endpoint: "e", method: "GET", path: "", headers: [], body: null } })); await new Promise(() => {});`,
    before: frame,
    ends: /violation: asked more than 256/,
  },
  // Noise
  {
    name: "a flood of messages",
    does: `const f = frame({ type: "log", level: "info", text: "x".repeat(100) }); for (;;) raw(f);`,
    before: frame,
    ends: /sends more than|no heartbeat/,
  },
  {
    name: "a log without end",
    does: `for (;;) { ctx.log.info("x".repeat(1000)); await new Promise((r) => setTimeout(r, 0)); }`,
    ends: null,
  },
  {
    name: "stderr without end",
    does: `const b = new Uint8Array(65536).fill(120); for (;;) Deno.stderr.writeSync(b);`,
    ends: HUNG,
  },
  // Not answering
  { name: "no answer, ever", does: "await new Promise(() => {});", ends: null, gets: /gave no answer by its deadline/ },
  {
    name: "an answer that comes too late",
    does: "await new Promise((r) => setTimeout(r, 900));",
    ends: null,
    gets: /gave no answer by its deadline/,
  },
  { name: "a thrown null", does: "throw null;", ends: null, gets: /Threw null/ },
  {
    name: "an error that lies about itself",
    does:
      `throw Object.assign(new Error("x".repeat(1e6)), { name: "y".repeat(1e6), stack: "at /etc/passwd:1".repeat(1e4) });`,
    ends: null,
    gets: /^x{2000}$/,
  },
  { name: "a rejection nobody awaits", does: `Promise.reject(new Error("left alone"));`, ends: null, gets: /went on/ },
  {
    name: "an error outside of any call",
    does: `setTimeout(() => { throw new Error("out of turn"); }, 0); await new Promise((r) => setTimeout(r, 100));`,
    ends: /ended by itself: exit code 1|never/,
  },
  // Breaking what it shares a realm with
  {
    name: "prototypes of the host beside it",
    does:
      `(Map.prototype as any).get = () => { throw new Error("pwned"); }; (Array.prototype as any).push = () => 0; JSON.stringify = (() => "{") as any;`,
    ends: /violation|heartbeat|ended by itself/,
  },
];

/** Burning a processor is noticed after three seconds: those run at once, which makes it worse for the neighbour. */
Deno.test("a hostile plugin achieves nothing and disturbs nobody", async (t) => {
  await using arena = new Arena();
  const neighbour = await arena.plugin("neighbour", checkerWith(""));
  await neighbour.check("warm-up", 10_000);
  const step = (attack: Attack, index: number) => ({
    name: attack.name,
    async fn() {
      const plugin = await arena.plugin(`attack-${index}`, checkerWith(attack.does, attack.before));
      await plugin.sandbox.start();
      await using _watch = watch(neighbour);
      await run(attack, plugin);
      await plugin.sandbox.stop();
    },
    sanitizeOps: false,
    sanitizeResources: false,
    sanitizeExit: false,
  });
  const slow = attacks.filter(isSlow);
  await Promise.all(slow.map((attack, index) => t.step(step(attack, index))));
  for (const [index, attack] of attacks.entries()) {
    if (!isSlow(attack)) await t.step(step(attack, 100 + index));
  }
  assert.equal(neighbour.sandbox.status().restarts, 0);
});

function isSlow({ ends }: Attack): boolean {
  return ends instanceof RegExp && ends.source.startsWith(HUNG.source);
}

async function run(attack: Attack, plugin: ArenaPlugin): Promise<void> {
  let got: string;
  try {
    got = (await plugin.check("go", 500, { fetch: () => new Promise(() => {}) })).reason;
  } catch (error) {
    assert.ok(error instanceof PluginThrew || error instanceof PluginUnavailable, String(error));
    got = error.message;
  }
  if (attack.gets) assert.match(got, attack.gets);
  if (attack.ends === "perhaps") return;
  if (attack.ends === null) {
    assert.equal(plugin.sandbox.status().state, "running");
    return;
  }
  assert.match(await within(8000, plugin.reached("backing off"), "its end"), attack.ends);
}

/** Checks the neighbour every 20 ms until disposed: each must be answered, and soon. */
function watch(neighbour: ArenaPlugin): AsyncDisposable {
  let over = false;
  let slowest = 0;
  const watching = (async () => {
    while (!over) {
      const began = performance.now();
      const verdict = await neighbour.check("neighbour", 5000);
      assert.equal(verdict.reason, "went on");
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      over = true;
      await watching;
      // Generous, because the machine may be busy with other things; a neighbour that waits for the attacker waits 3 s.
      assert.ok(slowest < 1500, `The neighbour waited ${slowest.toFixed(0)} ms for an answer`);
    },
  };
}

async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No sign of ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
