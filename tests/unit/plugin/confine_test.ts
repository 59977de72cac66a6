import assert from "node:assert/strict";
import { type Measure, shortfalls } from "../../../runtime/os/confine.ts";
import { runtimePaths } from "../../../runtime/os/confine_exec.ts";
import { FIRST_STAGE_CALLS } from "../../../runtime/plugin/first_stage.ts";
import { landlockAccess, pathAccess } from "../../../runtime/os/landlock.ts";

const inForce = (name: Measure["name"]): Measure => ({ name, state: "in force", detail: "" });
const missing = (name: Measure["name"], coveredBy: Measure["name"] | null): Measure => ({
  name,
  state: "missing",
  detail: "not permitted",
  coveredBy,
});

const shortfallCases: [name: string, measures: Measure[], short: string[]][] = [
  ["nothing is missing", [inForce("landlock"), inForce("seccomp")], []],
  ["what is missing is covered", [missing("own network", "seccomp"), inForce("seccomp")], []],
  ["its cover is missing too", [missing("own network", "seccomp"), missing("seccomp", null)], [
    "own network: not permitted",
    "seccomp: not permitted",
  ]],
  ["nothing covers it", [missing("own uid", null), inForce("seccomp")], ["own uid: not permitted"]],
];
for (const [name, measures, short] of shortfallCases) {
  Deno.test(`shortfalls() where ${name}`, () => assert.deepEqual(shortfalls(measures), short));
}

// uapi/linux/landlock.h: 13 file rights in ABI 1; REFER 2, TRUNCATE 3, TCP 4, IOCTL_DEV 5, scopes 6.
const abiCases: [abi: number, files: bigint, network: bigint, scoped: bigint, missing: number][] = [
  [0, 0n, 0n, 0n, 6],
  [1, 0x1fffn, 0n, 0n, 5],
  [2, 0x3fffn, 0n, 0n, 4],
  [3, 0x7fffn, 0n, 0n, 3],
  [4, 0x7fffn, 3n, 0n, 2],
  [5, 0xffffn, 3n, 0n, 1],
  [6, 0xffffn, 3n, 3n, 0],
  [7, 0xffffn, 3n, 3n, 0],
];
for (const [abi, files, network, scoped, count] of abiCases) {
  Deno.test(`landlockAccess() of ABI ${abi}`, () => {
    const access = landlockAccess(abi);
    assert.deepEqual([access.files, access.network, access.scoped], [files, network, scoped]);
    assert.equal(access.missing.length, count);
  });
}

Deno.test("pathAccess() asks for no directory rights on a file, which the kernel refuses", () => {
  const handled = landlockAccess(7).files;
  assert.equal(pathAccess(["read"], false, handled), 0b100n);
  assert.equal(pathAccess(["read"], true, handled), 0b1100n);
  assert.equal(pathAccess(["read", "execute"], false, handled), 0b101n);
  assert.equal(pathAccess(["read", "write"], false, handled), 0b110n | 1n << 14n);
  assert.equal(pathAccess(["read", "write"], true, landlockAccess(1).files), 0x1ffen);
});

Deno.test("runtimePaths() allows the program, its interpreter and its libraries, and executes only the first two", () => {
  const maps = [
    "55d5a000-55d5b000 r--p 00000000 fe:00 12 /opt/deno/deno",
    "7f0000-7f1000 r-xp 00000000 fe:00 13 /usr/lib/x86_64-linux-gnu/libc.so.6",
    "7f1000-7f2000 r-xp 00000000 fe:00 14 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "7f2000-7f3000 rw-p 00000000 00:00 0",
    "7f3000-7f4000 rw-p 00000000 00:00 0 [heap]",
    "7f4000-7f5000 rw-s 00000000 00:00 0 /dev/zero (deleted)",
  ].join("\n");
  const rules = runtimePaths(maps, "/opt/deno/deno").map((rule) => `${rule.path} ${rule.rights.join("+")}`);
  assert.deepEqual(rules, [
    "/opt/deno/deno read+execute",
    "/usr/lib/x86_64-linux-gnu/libc.so.6 read",
    "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 read+execute",
    "/etc/ld.so.cache read",
    "/proc/self/maps read",
    "/dev/urandom read",
    "/dev/null read+write",
  ]);
});

// What is not opened cannot be called, and the measure that calls it would be "missing" on every machine.
Deno.test("FIRST_STAGE_CALLS holds all of libc that confinement calls", () => {
  const os = new URL("../../../runtime/os/", import.meta.url);
  const files = ["confine.ts", "confine_exec.ts", "errno.ts", "landlock.ts", "seccomp.ts"];
  const text = files.map((file) => Deno.readTextFileSync(new URL(file, os))).join("\n");
  const called = new Set([...text.matchAll(/(?:libc\(\)|\bc)\.(\w+)\(/g)].map(([, name]) => name));
  assert.deepEqual([...called].sort(), [...FIRST_STAGE_CALLS].sort());
});
