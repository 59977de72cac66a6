/** Where plugins come from: `plugin add` of a directory, a packed file, a tarball and a package, upgrades, and what was changed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { command } from "../support/command.ts";
import { Scratch } from "../support/scratch.ts";
import { tandemCommand } from "../support/tandem.ts";

interface Asked {
  readonly version?: string;
  readonly requests?: string;
  readonly word?: string;
}

/** Writes a checker that asks for what `requests` says; again to change it. */
function writePlugin(
  directory: string,
  { version = "1.0.0", requests = "{ net: [targets] }", word = "ok" }: Asked = {},
) {
  Deno.mkdirSync(directory, { recursive: true });
  const files = {
    "plugin.yaml": `name: acme/probe
version: ${version}
kind: checker
api: 1
entry: main.ts
publisher: { name: Acme, license: MIT }
requests: ${requests}
config: { type: object, properties: {}, required: [], additionalProperties: false }
`,
    "main.ts": `import { defineChecker } from "tandem/plugin";
export default defineChecker({
  async check(_target, ctx) {
    await using _connection = await ctx.connect();
    return { state: "up", reason: "${word}" };
  },
});
`,
    "package.json": JSON.stringify({ name: "acme-probe", version }),
  };
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${directory}/${name}`, text);
}

class Shop extends Scratch {
  /** Runs `tandem plugin ARGS…` where the lock is. */
  async plugin(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [path, ...rest] = tandemCommand(["plugin", ...args]);
    const { code, stdout, stderr } = await new Deno.Command(path, {
      args: rest,
      cwd: this.path,
      stdin: "null",
      env: { NO_COLOR: "1", TANDEM_ADMIN: "", TANDEM_CONFIG: "", npm_config_update_notifier: "false", ...env },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  lock() {
    return JSON.parse(Deno.readTextFileSync(this.file("tandem.lock"))).plugins;
  }

  /** What `tandem check` says of a configuration that uses the plugin from `source`. */
  async check(source: string) {
    Deno.writeTextFileSync(
      this.file("tandem.yaml"),
      `version: 1
plugins: { probe: { source: ${source}, grants: { net: [targets] } } }
backends: { app: { check: { use: probe }, servers: { one: 192.0.2.1:80 } } }
`,
    );
    const [path, ...rest] = tandemCommand(["check", this.file("tandem.yaml")]);
    const { code, stderr } = await new Deno.Command(path, { args: rest, stdin: "null", env: { NO_COLOR: "1" } })
      .output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  }
}

Deno.test("plugin add of a plugin that is named like what every object has is of a new one", async () => {
  using shop = new Shop();
  writePlugin(shop.file("made"));
  const manifest = shop.file("made/plugin.yaml");
  Deno.writeTextFileSync(manifest, Deno.readTextFileSync(manifest).replace("acme/probe", "acme/constructor"));
  const { code, stdout } = await shop.plugin(["add", "./made"]);
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /Before|ANOTHER/);
  assert.equal(shop.lock().constructor.plugin, "acme/constructor");
});

Deno.test("plugin add takes no name that plugins: could not hold, and writes nothing", async () => {
  using shop = new Shop();
  writePlugin(shop.file("made"));
  for (const name of ["x: {}", "", "a b", "../x", "__proto__", "\u001b[31m"]) {
    const { code, stdout, stderr } = await shop.plugin(["add", "./made", `--name=${name}`]);
    assert.equal(code, 2, name);
    assert.match(stderr, /must be a name of letters, digits/);
    assert.equal(stdout, "");
  }
  assert.throws(() => shop.lock(), Deno.errors.NotFound);
  const { stdout } = await shop.plugin(["add", "./made", "--name", "true"]);
  assert.match(stdout, /plugins:\n {2}"true": \{/);
});

Deno.test("plugin add of what is neither a directory nor a file says so", async () => {
  using shop = new Shop();
  await command(["mkfifo", shop.file("fifo")]);
  const { code, stderr } = await shop.plugin(["add", "./fifo"]);
  assert.equal(code, 1);
  assert.match(stderr, /\.\/fifo: is neither a directory nor a file/);
});

/** `npm pack` of `directory` into `to`: the tarball's path. */
async function npmPack(directory: string, to: string): Promise<string> {
  const { stdout } = await command(["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", to, directory], {
    timeout: 60_000,
  });
  return `${to}/${JSON.parse(stdout)[0].filename}`;
}

/** A registry that knows these tarballs of "acme-probe", by version, and counts what it is asked. */
function registry(tarballs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, origin } = new URL(request.url);
    asked.push(pathname);
    const version = /^\/acme-probe\/-\/acme-probe-(.+)\.tgz$/.exec(pathname)?.[1];
    if (version !== undefined && tarballs[version]) return new Response(tarballs[version]);
    if (pathname !== "/acme-probe") return new Response("{}", { status: 404 });
    const versions = Object.fromEntries(
      Object.entries(tarballs).map(([version, bytes]) => {
        const tarball = `${origin}/acme-probe/-/acme-probe-${version}.tgz`;
        const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
        return [version, { name: "acme-probe", version, dist: { tarball, integrity } }];
      }),
    );
    const latest = Object.keys(tarballs).at(-1);
    return Response.json({ name: "acme-probe", "dist-tags": { latest }, versions });
  });
  return { server, asked, url: `http://127.0.0.1:${server.addr.port}/` };
}

Deno.test("plugin add locks a directory, shows what an upgrade asks for, and what was changed afterwards is refused", async () => {
  using shop = new Shop();
  writePlugin(shop.file("probe"));
  const first = await shop.plugin(["add", "./probe"]);
  assert.equal(first.code, 0, first.stderr);
  const { sha256 } = shop.lock().probe;
  assert.equal(
    first.stdout,
    `acme/probe 1.0.0: checker by Acme, MIT
3 files, sha256 ${sha256}
It asks for:
  connections to the servers it checks, and to nothing else
  64 MiB of memory, and 2000 ms for an answer

Locked in tandem.lock. Grant what you agree to, in tandem.yaml:

plugins:
  probe: { source: "./probe", grants: { net: [targets] } }

There is no tandem.yaml here: tandem.lock belongs beside it, and sources are relative to it.
`,
  );
  assert.deepEqual(await shop.check("./probe"), { code: 0, stderr: "" });
  const again = await shop.plugin(["add", "./probe"]);
  assert.match(again.stdout, /It is locked already, with the same content\./);
  assert.doesNotMatch(again.stdout, /no tandem\.yaml/);

  writePlugin(shop.file("probe"), { word: "changed" });
  const refused = await shop.check("./probe");
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    new RegExp(
      `plugins\\.probe\\.source: its files are not those of tandem\\.lock: sha256 [0-9a-f]{64}, locked is ${sha256}; if they may run, tandem plugin add \\./probe`,
    ),
  );
  const drifted = await shop.plugin(["list"]);
  assert.equal(drifted.code, 1);
  assert.match(drifted.stdout, /^probe +acme\/probe 1\.0\.0 +\.\/probe +CHANGED: 1\.0\.0, sha256 [0-9a-f]{64}$/m);

  writePlugin(shop.file("probe"), { version: "1.1.0", requests: "{ endpoints: [hook], store: 1KiB }" });
  const upgraded = await shop.plugin(["add", "./probe"]);
  assert.match(
    upgraded.stdout,
    new RegExp(`Before: acme/probe 1\\.0\\.0, sha256 ${sha256}
  now asks for    requests to the endpoint "hook", wherever you say that is
  now asks for    1024 bytes that survive restarts
  no longer for   connections to the servers it checks, and to nothing else
`),
  );
  assert.equal(shop.lock().probe.version, "1.1.0");
  assert.match((await shop.check("./probe")).stderr, /plugins\.probe\.grants: .*add endpoints: \{ hook/);
  const listed = await shop.plugin(["list"]);
  assert.deepEqual([listed.code, listed.stdout.trim()], [0, "probe  acme/probe 1.1.0  ./probe  as locked"]);
  assert.equal((await shop.plugin(["remove", "probe"])).code, 0);
  assert.deepEqual(shop.lock(), {});
});

Deno.test("plugin add takes a packed file and a tarball, and what is in them is what is locked", async () => {
  using shop = new Shop();
  writePlugin(shop.file("src"));
  const packed = await shop.plugin(["pack", "./src", "--output", "probe.tandem"]);
  assert.equal(packed.code, 0, packed.stderr);
  await shop.plugin(["add", "./src"]);
  const fromDirectory = shop.lock().probe.sha256;
  assert.equal((await shop.plugin(["add", "./probe.tandem"])).code, 0);
  assert.deepEqual([shop.lock().probe.source, shop.lock().probe.sha256], ["./probe.tandem", fromDirectory]);
  assert.equal((await shop.check("./probe.tandem")).code, 0);

  const tarball = await npmPack(shop.file("src"), shop.path);
  const added = await shop.plugin(["add", tarball]);
  assert.equal(added.code, 0, added.stderr);
  assert.deepEqual([shop.lock().probe.source, shop.lock().probe.sha256], ["./acme-probe-1.0.0", fromDirectory]);
  assert.equal((await shop.check("./acme-probe-1.0.0")).code, 0);
  // A newer one of the same name: nothing of the older stays behind.
  Deno.writeTextFileSync(shop.file("acme-probe-1.0.0/left.ts"), "");
  assert.equal((await shop.plugin(["add", tarball])).code, 0);
  assert.equal(shop.lock().probe.sha256, fromDirectory);
});

Deno.test("plugin add of an archive touches nothing that is not its own, and nothing at all when it holds no plugin", async () => {
  using shop = new Shop();
  writePlugin(shop.file("src"));
  const tarball = await npmPack(shop.file("src"), shop.path);
  Deno.mkdirSync(shop.file("acme-probe-1.0.0"));
  Deno.writeTextFileSync(shop.file("acme-probe-1.0.0/mine.txt"), "mine");
  const refused = await shop.plugin(["add", tarball]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /"\.\/acme-probe-1\.0\.0" exists, and is of no plugin in the lock; move it away/);
  assert.equal(Deno.readTextFileSync(shop.file("acme-probe-1.0.0/mine.txt")), "mine");
  await command(["tar", "-C", shop.path, "-czf", shop.file("none.tgz"), "acme-probe-1.0.0"]);
  const none = await shop.plugin(["add", "./none.tgz"]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /has no plugin\.yaml/);
  const names = [...Deno.readDirSync(shop.path)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["acme-probe-1.0.0", "acme-probe-1.0.0.tgz", "none.tgz", "src"]);
});

Deno.test("plugin add of an archive makes no FIFO and no device, and stops where a plugin must be smaller", async () => {
  using shop = new Shop();
  writePlugin(shop.file("package"));
  const archive = async () => {
    await command(["tar", "-C", shop.path, "-czf", shop.file("hostile.tgz"), "package"]);
    return await shop.plugin(["add", "./hostile.tgz"]);
  };
  await command(["mkfifo", shop.file("package/.door")]);
  const fifo = await archive();
  assert.equal(fifo.code, 1);
  assert.match(fifo.stderr, /Cannot unpack "\.\/hostile\.tgz": it holds "package\/\.door", which is a FIFO/);
  Deno.removeSync(shop.file("package/.door"));
  // Nothing but zeros: a small archive, and a thousand times as much on the disk.
  const bomb = Deno.openSync(shop.file("package/.bomb"), { write: true, create: true });
  bomb.truncateSync(200 * 2 ** 20);
  bomb.close();
  const large = await archive();
  assert.equal(large.code, 1);
  assert.match(large.stderr, /it has more than 512 files or 16 MiB/);
  const names = [...Deno.readDirSync(shop.path)].map(({ name }) => name).sort();
  assert.deepEqual(names, ["hostile.tgz", "package"]);
});

Deno.test("plugin add npm:NAME@VERSION asks the operator's own registry, and nothing asks it afterwards", async () => {
  using shop = new Shop();
  const tarballs: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (
    const [version, requests] of [["1.0.0", "{ net: [targets] }"], ["1.1.0", "{ net: [targets], commands: [hook] }"]]
  ) {
    writePlugin(shop.file("src"), { version, requests });
    tarballs[version] = await Deno.readFile(await npmPack(shop.file("src"), shop.path));
    await Deno.remove(shop.file(`acme-probe-${version}.tgz`));
  }
  const { server, asked, url } = registry(tarballs);
  try {
    const env = { npm_config_registry: url, npm_config_cache: shop.file("cache") };
    const added = await shop.plugin(["add", "npm:acme-probe@1.0.0"], env);
    assert.equal(added.code, 0, added.stderr);
    assert.deepEqual([...new Set(asked)], ["/acme-probe", "/acme-probe/-/acme-probe-1.0.0.tgz"]);
    const { source, plugin, version } = shop.lock().probe;
    assert.deepEqual([source, plugin, version], ["./acme-probe-1.0.0", "acme/probe", "1.0.0"]);
    asked.length = 0;
    assert.equal((await shop.check("./acme-probe-1.0.0")).code, 0);
    assert.deepEqual(asked, []);

    const upgraded = await shop.plugin(["add", "npm:acme-probe"], env);
    assert.equal(upgraded.code, 0, upgraded.stderr);
    assert.match(
      upgraded.stdout,
      /Before: acme\/probe 1\.0\.0, sha256 [0-9a-f]+\n +now asks for +running the command "hook"/,
    );
    assert.equal(shop.lock().probe.source, "./acme-probe-1.1.0");

    const unknown = await shop.plugin(["add", "npm:acme-probe@9.9.9"], env);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /"npm" failed: [\s\S]*9\.9\.9/);
    assert.equal((await shop.plugin(["add", "npm:--registry=http://x"], env)).code, 1);
    const left = [...Deno.readDirSync(shop.path)].map(({ name }) => name).filter((name) => name.endsWith(".tgz"));
    assert.deepEqual(left, []);
  } finally {
    await server.shutdown();
  }
});
