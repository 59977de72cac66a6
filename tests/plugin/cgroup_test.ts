/**
 * A plugin's memory cgroup, for real. A machine either has a memory controller of cgroup v2 or it has not: the rows of the
 * other kind do not exist on it, and each kind is a proof of its own.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openCgroups } from "../../runtime/os/cgroup.ts";
import { type Measure, substitutes } from "../../runtime/os/confine.ts";
import { until } from "../support/command.ts";
import { Arena, checkerWith } from "./arena.ts";

const root = "/sys/fs/cgroup";
const MiB = 2 ** 20;
const nobody = 65534;
const isRoot = Deno.uid() === 0;
const has = isRoot && textOf(`${root}/cgroup.controllers`).includes("memory");
const program = fileURLToPath(new URL("fixtures/cgroup_program.ts", import.meta.url));
const config = fileURLToPath(new URL("../../deno.json", import.meta.url));

interface Report {
  readonly pid: number;
  readonly directory: string;
  readonly cgroup: string;
  readonly own: string;
  readonly measure: Measure;
}

function onV2(definition: Deno.TestDefinition): void {
  if (has) Deno.test(definition);
}

/** Runs the program of the fixture; `use` sees it while it runs. */
async function withProgram(before: string, use: (report: Report, control: Deno.ChildProcess) => Promise<void>) {
  const run = `exec "$@" ${Deno.execPath()} run -A --quiet --no-check --config ${config} ${program}`;
  const control = new Deno.Command("/bin/sh", {
    args: ["-c", `${before}\n${run}`],
    env: {
      HOME: "/tmp/tandem-cgroup-home",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = control.stdout.getReader();
  const { value } = await reader.read();
  try {
    await use(JSON.parse(new TextDecoder().decode(value)), control);
  } finally {
    await control.stdin.close().catch(() => {});
    await control.status;
    await reader.cancel();
  }
}

onV2({
  name: "a plugin runs in a cgroup of its own, which is gone with it",
  async fn() {
    await using arena = new Arena();
    const plugin = await arena.plugin("caged", checkerWith(""), { isolation: "strict" });
    await plugin.check("a", 20_000);
    const path = cgroupOf(plugin.sandbox.status().pid!);
    assert.match(path, /\/tandem-plugin-caged-\d+-1$/);
    // 64 MiB of its own, 64 for the runtime, 8 of files in memory.
    assert.equal(textOf(`${path}/memory.max`), String(136 * MiB));
    assert.equal(textOf(`${path}/memory.oom.group`), "1");
    assert.equal(textOf(`${path}/pids.max`), "64");
    assert.ok(["0", ""].includes(textOf(`${path}/memory.swap.max`)));
    Deno.kill(plugin.sandbox.status().pid!, "SIGKILL");
    await plugin.reached("backing off");
    assert.equal(exists(path), false, "It is there after a crash");
    await until("it is back", () => plugin.sandbox.status().state === "running", { timeout: 20_000 });
    const next = cgroupOf(plugin.sandbox.status().pid!);
    assert.notEqual(next, path);
    await plugin.sandbox.stop();
    assert.equal(exists(next), false, "It is there after its end");
  },
});

onV2({
  name: "a plugin that fills its cgroup is killed by the kernel, and the operator reads why",
  async fn() {
    await using arena = new Arena();
    const cgroups = openCgroups();
    const small = { create: (name: string) => cgroups.create(name, { memory: 96 * MiB, tasks: 64 }) };
    const bomb = "const all: any[] = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));";
    const plugin = await arena.plugin("bomb", checkerWith(bomb), { cgroups: small });
    await plugin.sandbox.start();
    await assert.rejects(plugin.check("a", 20_000), /it filled its memory cgroup/);
    assert.match(await plugin.reached("backing off"), /^it filled its memory cgroup; starts again/);
  },
});

onV2({
  name: "what a killed control leaves is swept by the next one, and what a living one has is not",
  async fn() {
    let left = "";
    await withProgram("", async (report, control) => {
      left = `${root}${report.cgroup.slice("0::".length)}`;
      assert.ok(exists(left));
      control.kill("SIGKILL");
      await control.status;
      await until("the plugin is gone", () => textOf(`${left}/cgroup.procs`) === "", { timeout: 5000 });
      Deno.removeSync(report.directory, { recursive: true });
    });
    assert.ok(exists(left));
    await withProgram("", async (report) => {
      assert.equal(exists(left), false);
      const [path] = [`${root}${report.cgroup.slice("0::".length)}`];
      await withProgram("", () => Promise.resolve());
      assert.ok(exists(path));
    });
  },
});

onV2({
  name: "a delegated cgroup is divided by a user without rights",
  async fn() {
    const given = `${root}/tandem-test-${Deno.pid}`;
    Deno.writeTextFileSync(`${root}/cgroup.subtree_control`, "+memory +pids");
    Deno.mkdirSync(given);
    // What systemd gives away with Delegate=: the directory and these files (cgroups(7), "Delegation").
    const files = ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"];
    for (const file of files) Deno.chownSync(`${given}${file}`, nobody, nobody);
    const before = `echo $$ > ${given}/cgroup.procs
      set -- setpriv --reuid=${nobody} --regid=${nobody} --clear-groups`;
    try {
      await withProgram(before, (report) => {
        assert.equal(report.measure.state, "in force", JSON.stringify(report.measure));
        assert.equal(report.own, `0::/tandem-test-${Deno.pid}/tandem-node`);
        assert.match(report.cgroup, /^0::\/tandem-test-\d+\/tandem-plugin-caged-\d+-1$/);
        return Promise.resolve();
      });
      assert.deepEqual([...Deno.readDirSync(given)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name), [
        "tandem-node",
      ]);
    } finally {
      if (exists(`${given}/tandem-node`)) Deno.removeSync(`${given}/tandem-node`);
      Deno.removeSync(given);
    }
  },
});

const shared = `${root}/tandem-shared-${Deno.pid}`;
// Each in a mount namespace of its own.
const lacking: readonly [name: string, before: string, sentence: RegExp, needs: boolean][] = [
  ["cgroups are read-only", `mount -o remount,ro,bind ${root}`, /^The cgroup file system is mounted read-only$/, has],
  [
    "a stranger shares our cgroup",
    `mkdir ${shared}; (sleep 30 & echo $! > ${shared}/cgroup.procs); echo $$ > ${shared}/cgroup.procs`,
    /also holds process \d+, which is not ours: start Tandem in a cgroup of its own/,
    has,
  ],
  ["v1 has the memory controller", ":", /^The memory controller belongs to cgroup v1 \("/, isRoot && !has && v1()],
  [
    "no cgroup v2 is mounted",
    `umount -l ${root}; umount -l ${root} 2>/dev/null || true`,
    /^No cgroup v2 is mounted here$/,
    isRoot,
  ],
];
for (const [name, before, sentence, needs] of lacking) {
  if (!needs) continue;
  Deno.test({
    name: `a plugin runs where ${name}, and says so`,
    async fn() {
      const alone = `exec unshare --mount --propagation private -- /bin/sh -c '${before}; exec "$@"' sh "$@"`;
      const run = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", "--config", config, program];
      await withProgram(`set -- ${run.join(" ")}; ${alone}`, ({ measure }) => {
        assert.ok(measure.state === "missing", JSON.stringify(measure));
        assert.match(measure.detail, sentence);
        const limits = { name: "limits", state: "in force", detail: "" } as const;
        assert.deepEqual(substitutes([measure, limits]), [`memory cgroup: ${measure.detail}; limits instead`]);
        return Promise.resolve();
      });
      if (exists(shared)) Deno.writeTextFileSync(`${shared}/cgroup.kill`, "1");
      await until("nothing is left", () => !exists(shared) || textOf(`${shared}/cgroup.procs`) === "");
      if (exists(shared)) Deno.removeSync(shared);
    },
  });
}

function v1(): boolean {
  return /- cgroup \S+ \S*\bmemory\b/.test(textOf("/proc/self/mountinfo"));
}

function cgroupOf(pid: number): string {
  return `${root}${/^0::(.*)$/m.exec(textOf(`/proc/${pid}/cgroup`))![1]}`;
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return "";
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
