/**
 * The program itself with a plugin: as root and as a user without rights, from source and as the offline bundle, on machines
 * that offer less. What `status` says of the isolation is compared with what the kernel says of the process.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { PluginView } from "../../runtime/control/plugin_view.ts";
import type { Status } from "../../runtime/control/status.ts";
import { command, Running, until } from "../support/command.ts";
import { compile } from "../support/compile.ts";
import type { Refusal } from "./fixtures/refusing.ts";
import { Scratch } from "../support/scratch.ts";
import { type PublicCopy, publicCopy, unprivileged } from "../support/unprivileged.ts";

const isRoot = Deno.uid() === 0;
const root = fileURLToPath(new URL("../..", import.meta.url));
const SECRET = "correct-horse-battery";

const manifest = `name: acme/probe
version: 1.0.0
kind: checker
entry: main.ts
publisher: { name: Acme }
requests: { secrets: [password] }
config:
  type: object
  properties: { password: { type: string, x-tandem: secret } }
  required: []
  additionalProperties: false
`;

const calm = `export default { kind: "checker", check: () => ({ state: "up", reason: "seen by the plugin" }) };\n`;

interface Way {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Who runs it. */
  readonly uid: number;
}

class Node implements AsyncDisposable {
  readonly #client: Deno.HttpClient;
  readonly #temporary: string;
  private constructor(readonly running: Running, private readonly scratch: Scratch, socket: string, readonly way: Way) {
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
    this.#temporary = scratch.file("tmp");
  }

  /** `source`: the text of the plugin's entry. */
  static async start(way: Way, scratch: Scratch, isolation: string, source = calm): Promise<Node> {
    const place = (name: string) => scratch.file(name);
    for (const name of ["probe", "state", "run", "tmp"]) await Deno.mkdir(place(name), { recursive: true });
    await Deno.writeTextFile(place("probe/plugin.yaml"), manifest);
    await Deno.writeTextFile(place("probe/main.ts"), source);
    await Deno.writeTextFile(place("key"), `${SECRET}\n`);
    await Deno.writeTextFile(
      place("tandem.yaml"),
      `version: 1
nodes: { n1: { admin: { bind: null, socket: ${place("run/n1.sock")} } } }
secrets: { key: { file: ${place("key")} } }
isolation: ${isolation}
backends:
  web:
    check: { use: probe, with: { password: { secret: key } }, interval: 300ms, timeout: 2s, rise: 1, fall: 1 }
    servers: { one: 192.0.2.1:80 }
plugins:
  probe: { source: ./probe, grants: { secrets: [key] } }
`,
    );
    if (way.uid !== 0) await command(["chown", "-R", `${way.uid}:${way.uid}`, scratch.path]);
    const [file, ...args] = [...way.argv, "run", "--config", place("tandem.yaml"), "--node", "n1"];
    const running = new Running("tandem n1", [file, ...args], {
      cwd: "/",
      env: { ...way.env, TANDEM_STATE_DIR: place("state"), TMPDIR: place("tmp") },
    });
    const node = new Node(running, scratch, place("run/n1.sock"), way);
    try {
      const answers = () => node.status().then(() => true);
      await until("its admin API answers", () => running.ended !== null || answers(), { timeout: 20_000 });
      assert.equal(running.ended, null, "It ended");
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw new Error(`${(error as Error).message}\n${running.output}`, { cause: error });
    }
    return node;
  }

  async get(path: string): Promise<string> {
    const response = await fetch(`http://tandem${path}`, { client: this.#client, signal: AbortSignal.timeout(5000) });
    return await response.text();
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.get("/api/v1/status"));
  }

  async plugin(state: PluginView["state"]): Promise<PluginView> {
    return await until(`the plugin is ${state}`, async () => {
      const found = (await this.status()).plugins[0];
      return found.state === state && found;
    }, { timeout: 15_000 }).catch(async (error) => {
      throw new Error(
        `${error.message}\n${JSON.stringify((await this.status().catch(() => null))?.plugins)}\n${this.running.output}`,
      );
    });
  }

  /** Directories that plugins of a node with a closed state directory run from. */
  temporaries(): string[] {
    return [...Deno.readDirSync(this.#temporary)].map(({ name }) => name).filter((name) =>
      name.startsWith("tandem-plugins-")
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running.stop("SIGTERM", 10_000);
    this.#client.close();
  }
}

const source: Way = {
  argv: [Deno.execPath(), "run", "-A", "--no-prompt", `${root}mod.ts`],
  env: {},
  uid: Deno.uid() ?? 0,
};

/** As root under a filter that refuses `calls`. */
function under(calls: readonly Refusal[]): Way {
  const fixture = fileURLToPath(new URL("fixtures/refusing.ts", import.meta.url));
  return { ...source, argv: [Deno.execPath(), "run", "-A", "--quiet", fixture, JSON.stringify(calls), ...source.argv] };
}

function nobody({ deno, source, env }: PublicCopy): Way {
  return { argv: unprivileged([deno, "run", "-A", "--no-prompt", `${source}/mod.ts`]), env, uid: 65534 };
}

const noUid = "own uid: Needs to start as root: without it the plugin shares our uid";

/** Names in `status`, and the fields of /proc/PID/status that prove them. */
function assertTrue({ isolation, pid }: PluginView, uid: number): void {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(text)?.[1] ?? "";
  const has = (name: string) => isolation.in_force.includes(name);
  const other = (namespace: string) =>
    Deno.readLinkSync(`/proc/${pid}/ns/${namespace}`) !== Deno.readLinkSync(`/proc/self/ns/${namespace}`);
  assert.equal(has("seccomp"), field("Seccomp") === "2" && Number(field("Seccomp_filters")) > 0);
  assert.equal(has("no new privileges"), field("NoNewPrivs") === "1");
  assert.equal(has("no capabilities"), BigInt(`0x${field("CapPrm")}`) === 0n);
  assert.equal(has("own uid"), Number(field("Uid").split("\t")[0]) !== uid);
  assert.equal(has("own network"), other("net"));
  assert.equal(has("own mounts"), other("mnt"));
  const limit = /^Max data size\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/limits`))?.[1];
  assert.equal(has("limits"), limit === String((512 + 64 + 64) * 2 ** 20));
  assert.equal(has("low priority"), Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ")[38] === "5");
}

async function assertWorks(
  way: Way,
  isolation: "available" | "strict",
  missing: readonly string[],
): Promise<PluginView> {
  using scratch = new Scratch();
  await Deno.chmod(scratch.path, 0o755);
  await using node = await Node.start(way, scratch, isolation);
  const plugin = await node.plugin("running");
  await until("its verdict", async () => (await node.status()).backends[0].servers[0].reason === "seen by the plugin");
  assert.deepEqual(plugin.isolation.missing, missing);
  assertTrue(plugin, way.uid);
  // Every measure is somewhere.
  const named = [plugin.isolation.substituted, plugin.isolation.missing].flat().map((line) => line.split(":")[0]);
  assert.equal(plugin.isolation.in_force.length + named.length, 13);
  return plugin;
}

async function assertRefused(way: Way, reason: RegExp): Promise<void> {
  using scratch = new Scratch();
  await Deno.chmod(scratch.path, 0o755);
  await using node = await Node.start(way, scratch, "strict");
  const plugin = await node.plugin("quarantined");
  assert.match(plugin.reason, reason);
  assert.equal(plugin.pid, null);
  for (const line of plugin.isolation.missing) assert.ok(plugin.reason.includes(line), line);
  assert.ok(plugin.isolation.missing.length > 0 && plugin.isolation.in_force.length > 0);
  assert.match(node.running.output, /plugin probe is quarantined: isolation: strict, and this machine offers less: /);
  const { servers: [server] } = (await node.status()).backends[0];
  assert.notEqual(server.reason, "seen by the plugin");
  // Starting it again would change nothing: it is left alone until the operator says otherwise.
  assert.equal(plugin.restarts, 0);
}

if (isRoot) {
  Deno.test("a node as root confines a plugin in full", async () => {
    const { isolation } = await assertWorks(source, "strict", []);
    for (const line of isolation.substituted) assert.match(line, /^memory cgroup: /);
  });

  // PR_SET_SECCOMP 22; a kernel without an LSM, a container's filter, a container without its own namespaces.
  const noFilter: Refusal = ["prctl", { index: 0, values: { deny: [22] } }];
  // Deno reads limits and panics where it cannot: only setting one is refused.
  const noLimits: Refusal[] = [["setrlimit"], ["prlimit64", { index: 2, values: { allow: [0] } }]];
  const lesser: [name: string, calls: Refusal[], missing: RegExp | null, substituted: RegExp][] = [
    ["no landlock", [["landlock_create_ruleset"]], /offers less: landlock: This kernel has no landlock/, /./],
    ["no seccomp", [noFilter], /offers less: seccomp: Cannot install the seccomp filter: .* EPERM/, /./],
    [
      "no namespaces",
      [["unshare"]],
      null,
      /own network: Cannot make an empty network namespace.*; seccomp instead\n.*own mounts: .*; landlock instead/s,
    ],
    ["no namespaces and no seccomp", [["unshare"], noFilter], /own network: Cannot make .*; seccomp: /, /./],
    [
      "no limits",
      noLimits,
      /limits: Cannot limit DATA to \d+: setrlimit answered EPERM/,
      /./,
    ],
  ];
  for (const [name, calls, missing, substituted] of lesser) {
    const does = missing === null ? "says what stands in for it" : "refuses to start a plugin";
    Deno.test(`isolation: strict where there is ${name} ${does}`, async () => {
      if (missing !== null) return await assertRefused(under(calls), missing);
      const { isolation } = await assertWorks(under(calls), "strict", []);
      assert.match(isolation.substituted.join("\n"), substituted);
    });
  }

  Deno.test("a node as a user without rights, from source: verdicts, and the isolation that is", async (t) => {
    using copy = await publicCopy();
    const way = nobody(copy);
    await t.step("available", async () => {
      const { isolation } = await assertWorks(way, "available", [noUid]);
      assert.match(
        isolation.substituted.join("\n"),
        /own network: .*; seccomp instead\nown mounts: .*; landlock instead/,
      );
    });
    await t.step("strict", () => assertRefused(way, new RegExp(`offers less: ${noUid}$`)));
  });

  Deno.test("the offline bundle, as root and as a user without rights: verdicts, and the isolation that is", async (t) => {
    using scratch = new Scratch();
    const binary = scratch.file("tandem");
    assert.equal(await compile(binary, { bundle: true }), "bundle");
    await Deno.chmod(scratch.path, 0o755);
    const env = (name: string) => ({ TANDEM_CACHE_DIR: scratch.file(name), HOME: scratch.file(name) });
    await t.step(
      "root",
      async () => void await assertWorks({ argv: [binary], env: env("root"), uid: 0 }, "strict", []),
    );
    await t.step("a user without rights", async () => {
      await Deno.mkdir(scratch.file("nobody"));
      await Deno.chown(scratch.file("nobody"), 65534, 65534);
      await assertWorks({ argv: unprivileged([binary]), env: env("nobody"), uid: 65534 }, "available", [noUid]);
    });
  });

  Deno.test("a killed node: its plugin dies with it, and the next one clears up after it", async () => {
    using scratch = new Scratch();
    const spin = `setTimeout(() => { for (;;); }, 500); ${calm}`;
    const first = await Node.start(source, scratch, "available", spin);
    const { pid } = await first.plugin("running");
    // The scratch directory is closed to other uids, so what plugins run from is elsewhere.
    const [left, ...others] = first.temporaries();
    assert.ok(left !== undefined && others.length === 0);
    await new Promise((resolve) => setTimeout(resolve, 700)); // it spins now, and reads no pipe
    await first.running.stop("SIGKILL");
    await until("the plugin is gone", () => !isAlive(pid!), { timeout: 2000 });
    assert.deepEqual(first.temporaries(), [left]);
    await using next = await Node.start(source, scratch, "available");
    await next.plugin("running");
    assert.equal(next.temporaries().length, 1);
    assert.ok(!next.temporaries().includes(left));
  });
}

Deno.test("a secret that a plugin says, throws and prints is in no log, status, event, metric or answer", async () => {
  using scratch = new Scratch();
  const loud = `export default { kind: "checker", check(target: any, ctx: any) {
    const secret = ctx.config.password;
    ctx.log.error("password " + secret, { [secret]: secret, nested: { deep: [secret] } });
    ctx.log.warn("corr\\x1b[0mect-horse-battery");
    ctx.metrics.count(secret);
    console.error(new Error(secret));
    Deno.stderr.writeSync(new TextEncoder().encode("stderr " + secret + " " + btoa(secret) + "\\n"));
    Promise.reject(new Error("rejected " + secret));
    throw Object.assign(new Error("login with " + JSON.stringify({ secret }) + " failed"), { name: secret });
  } };\n`;
  await using node = await Node.start(source, scratch, "available", loud);
  await node.plugin("running");
  await until("it has thrown", async () => (await node.status()).plugins[0].last_error !== null);
  await until("it has printed", () => /stderr •••/.test(node.running.output));
  const tandem = [Deno.execPath(), "run", "-A", "--no-prompt", `${root}mod.ts`];
  const reach = ["--admin", `unix:${scratch.file("run/n1.sock")}`];
  const shown = {
    log: node.running.output,
    status: await node.get("/api/v1/status"),
    events: await node.get("/api/v1/events?limit=1000"),
    metrics: await node.get("/metrics"),
    page: await node.get("/"),
    table: (await command([...tandem, "status", ...reach])).stdout,
    journal: (await command([...tandem, "events", "--limit", "1000", ...reach])).stdout,
  };
  assert.match(shown.status, /login with .*•••.* failed/);
  assert.match(shown.metrics, /^tandem_plugin_count_total\{plugin="[\w-]+",name="•••"\} [1-9]/m);
  for (const [where, text] of Object.entries(shown)) {
    assert.ok(text.length > 0, where);
    assert.doesNotMatch(text, new RegExp(`${SECRET}|${btoa(SECRET)}`), where);
  }
  // Nor on the disk, nor on a command line.
  const state = await command(["grep", "-rlE", SECRET, scratch.file("state"), scratch.file("tmp")], {
    allowFailure: true,
  });
  assert.equal(state.stdout, "");
  const { pid } = (await node.status()).plugins[0];
  for (const one of [pid, node.running.pid]) {
    assert.doesNotMatch(Deno.readTextFileSync(`/proc/${one}/cmdline`), new RegExp(SECRET));
  }
});

function isAlive(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1][0] !== "Z";
  } catch {
    return false;
  }
}
