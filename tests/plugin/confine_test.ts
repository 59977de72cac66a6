/** The confinement by itself, against system calls made by FFI: what is left if Deno's own sandbox were no sandbox. */
import assert from "node:assert/strict";
import { type Measure, shortfalls } from "../../runtime/os/confine.ts";
import { CALL_NUMBERS, type CallName } from "../../runtime/os/confine_calls.ts";

const EPERM = 1, ENOSYS = 38, OK = 0;
const LARGE_DATA = 700 * 2 ** 20;
const CLONE_FORK = "17", AF_INET = "2", AF_NETLINK = "16", AF_PACKET = "17", AF_UNIX = "1", STREAM = "1", RAW = "3";

const attempts: [name: string, call: CallName | number, args: string[], errno: number][] = [
  ["TCP socket", "socket", [AF_INET, STREAM], EPERM],
  ["raw socket", "socket", [AF_INET, RAW, "112"], EPERM],
  ["netlink socket", "socket", [AF_NETLINK, RAW], EPERM],
  ["packet socket", "socket", [AF_PACKET, RAW], EPERM],
  ["Unix socket", "socket", [AF_UNIX, STREAM], EPERM],
  ["datagram pair", "socketpair", [AF_UNIX, "2"], EPERM],
  ["fork", "clone", [CLONE_FORK], EPERM],
  ["clone3", "clone3", ["0", "0"], ENOSYS],
  ["kill the parent", "kill", ["parent", "0"], EPERM],
  ["kill the group", "kill", ["0", "0"], EPERM],
  ["kill everyone", "kill", ["-1", "0"], EPERM],
  ["kill itself", "kill", ["self", "0"], OK],
  ["ptrace the parent", "ptrace", ["16", "parent"], EPERM],
  ["read memory of the parent", "process_vm_readv", ["parent"], EPERM],
  ["pidfd of the parent", "pidfd_open", ["parent"], EPERM],
  ["limits of the parent", "prlimit64", ["parent", "7"], EPERM],
  ["higher priority", "setpriority", ["0", "0", "0"], EPERM],
  ["real scheduler", "sched_setscheduler", ["0", "0"], EPERM],
  ["outlive the parent", "prctl", ["1", "0"], EPERM],
  ["namespace", "unshare", ["268435456"], EPERM],
  ["mount", "mount", ["none", "/tmp", "tmpfs"], EPERM],
  ["bpf", "bpf", ["5"], EPERM],
  ["perf", "perf_event_open", [], EPERM],
  ["io_uring", "io_uring_setup", ["8"], EPERM],
  ["userfaultfd", "userfaultfd", [], EPERM],
  ["key ring", "keyctl", ["0"], EPERM],
  ["module", "init_module", [], EPERM],
  ["anonymous file", "memfd_create", ["x"], EPERM],
  ["shared memory", "shmget", ["0", "4096", "950"], EPERM],
  ["clock", "clock_settime", ["0"], EPERM],
];
// The x32 ABI and setuid have no place in the table of what is filtered.
const more: [string, number, string[], number][] = Deno.build.arch === "x86_64"
  ? [["x32 socket", 0x40000029, [AF_INET, STREAM], ENOSYS], ["become root", 105, ["0"], EPERM]]
  : [["become root", 146, ["0"], EPERM]];

const isRoot = Deno.uid() === 0;
const user = { uid: 61_184, gid: 61_184 };

async function runProbe(asRoot: boolean) {
  const directory = await Deno.makeTempDir({ prefix: "tandem-confine-" });
  try {
    await Deno.chmod(directory, 0o755);
    await Deno.copyFile(new URL("fixtures/confine_probe.ts", import.meta.url), `${directory}/probe.ts`);
    const calls = [...attempts, ...more].map(([name, call, args]) => [
      name,
      typeof call === "number" ? call : CALL_NUMBERS[call][Deno.build.arch],
      args,
    ]);
    await Deno.writeTextFile(`${directory}/calls.json`, JSON.stringify(calls));
    for (const file of ["probe.ts", "calls.json"]) await Deno.chmod(`${directory}/${file}`, 0o644);
    const stage = new URL("fixtures/confine_stage.ts", import.meta.url).pathname;
    const options = JSON.stringify({ directory, memory: LARGE_DATA, user: asRoot ? user : null });
    const output = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", stage, options],
      stdin: "null",
    }).output();
    const [measures, report] = new TextDecoder().decode(output.stdout).trim().split("\n");
    assert.ok(report, `No report: ${new TextDecoder().decode(output.stderr)}`);
    return { measures: JSON.parse(measures) as Measure[], report: JSON.parse(report), directory };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

for (const asRoot of [true, false]) {
  const who = asRoot ? "with a uid of its own" : "with the uid of its parent";
  Deno.test({
    name: `confine() leaves native code nothing, ${who}`,
    ignore: asRoot && !isRoot,
    async fn() {
      const { measures, report, directory } = await runProbe(asRoot);
      const expected = Object.fromEntries([...attempts, ...more].map(([name, , , errno]) => [name, errno]));
      // Without a uid of its own it is still root here, but without any capability to become or be it.
      if (!asRoot && isRoot) expected["become root"] = OK;
      assert.deepEqual(report.result, expected);
      for (const [path, seen] of Object.entries(report.files)) assert.equal(seen, "PermissionDenied", path);
      assert.deepEqual(report.env, { NO_COLOR: "1", DENO_DIR: "/nonexistent" });
      assert.equal(report.cwd, directory);
      const short = shortfalls(measures);
      if (asRoot) assert.deepEqual(short, []);
      else assert.deepEqual(short, ["own uid: No uid of its own was given"]);
    },
  });
}
