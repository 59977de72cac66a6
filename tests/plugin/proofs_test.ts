/**
 * Which test proves what of the sandbox: every kind of hostile plugin that is to be survived, and the rows that are it. A row
 * that is renamed or removed fails here.
 */
import assert from "node:assert/strict";

const attacks = "plugin/attacks.ts", escapes = "plugin/escape_test.ts", outbound = "plugin/outbound_test.ts";
const calls = "plugin/confine_test.ts", lives = "plugin/life_test.ts", cgroups = "plugin/cgroup_test.ts";
const pair = "plugin/beside_pair_test.ts", endpoints = "unit/plugin/endpoints_test.ts";

/** "file: row". Each row of `attacks.ts` also runs beside a pair that serves. */
const proofs: readonly [what: string, ...rows: [file: string, row: string][]][] = [
  ["infinite loop", [attacks, "an infinite loop"], [attacks, "microtasks without end"]],
  ["infinite loop in WebAssembly", [attacks, "an infinite loop in WebAssembly"]],
  ["regular expression", [attacks, "a regular expression that never ends"]],
  ["heap bomb", [attacks, "a heap bomb"]],
  ["ArrayBuffer bomb", [attacks, "an ArrayBuffer bomb"], [attacks, "WebAssembly memory"], [attacks, "shared memory"]],
  ["string bomb", [attacks, "a string bomb"]],
  ["memory beyond every limit of a process", [cgroups, "a plugin that fills its cgroup is killed by the kernel"]],
  ["fork bomb", [attacks, "a bomb of child processes"], [attacks, "a child process by Node"], [calls, "fork"]],
  ["sub-worker bomb", [attacks, "a bomb of sub-workers"], [attacks, "a bomb of Node's worker threads"]],
  ["message flood", [attacks, "a flood of messages"], [attacks, "too many questions"], [
    attacks,
    "metrics without end",
  ]],
  ["oversized frames", [attacks, "a frame that is too long"], [attacks, "an answer that is too long for a frame"]],
  ["malformed frames", [attacks, "a frame that is not JSON"], [attacks, "JSON nested without end"]],
  ["malformed frames, cut", [attacks, "an empty frame"], [attacks, "half a frame, and then others"]],
  ["malformed messages", [attacks, "a message of no known type"], [attacks, "a frame that sets a prototype"]],
  ["never answering", [attacks, "no answer, ever"], [attacks, "a thread that waits for ever"]],
  ["answering late", [attacks, "an answer that comes too late"]],
  ["answering twice", [attacks, "the same answer twice"], [attacks, "an answer that nobody asked for"]],
  ["exit", [attacks, "Deno.exit()"], [attacks, "process.exit(3)"]],
  ["abort", [attacks, "process.abort()"]],
  ["killing itself", [attacks, "SIGKILL for itself"]],
  ["killing its parent", [attacks, "SIGKILL for its parent"], [calls, "kill the parent"], [
    calls,
    "pidfd of the parent",
  ]],
  ["killing its group", [attacks, "SIGKILL for its group"], [calls, "kill the group"], [calls, "kill everyone"]],
  ["SIGTERM traps", [attacks, "a trap for SIGTERM"], [lives, "ignores every signal and every word"]],
  ["/etc/passwd by static import", [escapes, "a text import of /etc/passwd"]],
  ["/etc/passwd by dynamic import", [escapes, "/etc/passwd by a computed text import"]],
  ["/etc/passwd by text import", [escapes, "/etc/passwd as a text import"], [escapes, "/etc/passwd as bytes"]],
  ["/etc/passwd by a file", [escapes, "/etc/passwd by Node"], [escapes, "/etc/passwd by require"]],
  ["the configuration by static import", [escapes, "the configuration as a module"]],
  ["the configuration by dynamic import", [escapes, "the configuration by a dynamic import"]],
  ["the configuration by text import", [escapes, "a text import of the configuration"]],
  ["environment", [escapes, "the environment"], [escapes, "the environment by Node"], [
    escapes,
    "its parent's environment",
  ]],
  ["other processes' memory", [escapes, "its parent's memory"], [escapes, "memory of another plugin"]],
  ["other processes' memory by native code", [calls, "read memory of the parent"], [calls, "ptrace the parent"]],
  ["other processes' command lines", [escapes, "its parent's command line"], [escapes, "who else runs"]],
  ["TCP sockets", [escapes, "a TCP connection"], [escapes, "a TCP listener"], [calls, "TCP socket"]],
  ["UDP sockets", [escapes, "a UDP socket"], [escapes, "a UDP socket by Node"]],
  ["raw sockets", [calls, "raw socket"], [calls, "packet socket"]],
  ["netlink sockets", [calls, "netlink socket"]],
  ["Unix sockets", [escapes, "a Unix socket"], [escapes, "a Unix listener"], [calls, "Unix socket"]],
  ["DNS exfiltration", [escapes, "a DNS query"], [escapes, "a look-up by Node"]],
  ["not granted, by name", [outbound, "an endpoint that is not granted"], [endpoints, "an address in disguise"]],
  ["not granted, by redirect", [outbound, "a redirect to elsewhere"], [outbound, "a redirect by name"]],
  ["not granted, by rebinding", [outbound, "a name that means this machine"], [
    endpoints,
    "a name that resolves to loopback",
  ]],
  ["writing files", [escapes, "a file in /tmp"], [escapes, "a file beside it"], [escapes, "local storage without end"]],
  ["filling stdout", [attacks, "stdout without end"], [attacks, "stderr without end"], [
    attacks,
    "text on the protocol's pipe",
  ]],
  ["ANSI and forged log lines", [attacks, "log lines of somebody else"], [lives, "one plain line each"]],
  ["V8 flags", [attacks, "a larger heap by V8's flags"]],
  ["FFI", [escapes, "a library"], [escapes, "a native module"], [calls, "leaves native code nothing"]],
  ["WebGPU", [escapes, "a processor for graphics"]],
  ["inspector", [escapes, "an inspector"]],
  ["effect on a pair that serves", [pair, "delay no advert and fail no request"], [pair, "in control's own hands"]],
];

const texts = new Map<string, string>();
for (const [what, ...rows] of proofs) {
  Deno.test(`there is a proof for ${what}`, () => {
    for (const [file, row] of rows) {
      if (!texts.has(file)) texts.set(file, Deno.readTextFileSync(new URL(`../${file}`, import.meta.url)));
      assert.ok(texts.get(file)!.includes(row), `${file} has no row "${row}"`);
    }
  });
}
