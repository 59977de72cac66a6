/** The offline bundle: one file that plays the whole demo where there is no source, no network and no Deno. */
import assert from "node:assert/strict";
import { command } from "../support/command.ts";
import { compile } from "../support/compile.ts";
import { Scratch } from "../support/scratch.ts";

Deno.test("the one binary stands alone", async (t) => {
  using scratch = new Scratch();
  const binary = scratch.file("tandem");
  assert.equal(await compile(binary, { bundle: true }), "bundle");
  await Deno.mkdir(scratch.file("empty"));
  await Deno.mkdir(scratch.file("bin"));
  // What a bare machine has; above all no Deno.
  const programs = ["sh", "id", "umask", "mkdir", "mktemp", "tail", "head", "gzip", "chmod", "mv", "rm", "unshare"];
  for (const program of programs) {
    const found = ["/usr/bin", "/bin", "/usr/sbin"].map((directory) => `${directory}/${program}`).find(isFile);
    if (found) await Deno.symlink(found, scratch.file(`bin/${program}`));
  }
  const options = {
    cwd: scratch.file("empty"),
    clearEnv: true,
    env: { PATH: scratch.file("bin"), TANDEM_CACHE_DIR: scratch.file("cache"), NO_COLOR: "1" },
    allowFailure: true,
    timeout: 150_000,
  };
  /** In a network namespace with nothing in it but a loopback that is down: there is no network to use. */
  const alone = (...args: string[]) => command(["/usr/bin/unshare", "--net", "--", binary, ...args], options);

  await t.step("started by several at once for the first time, it unpacks once", async () => {
    const runs = await Promise.all([alone("--version"), alone("--version"), alone("--version")]);
    for (const { code, stdout, stderr } of runs) {
      assert.equal(code, 0, stderr);
      assert.match(stdout, /\d+\.\d+\.\d+/);
    }
    const unpacked = [...Deno.readDirSync(scratch.file("cache"))].map(({ name }) => name).filter((name) =>
      name !== "deno"
    );
    assert.equal(unpacked.length, 1, unpacked.join(", "));
    assert.equal((Deno.statSync(`${scratch.file("cache")}/${unpacked[0]}/deno`).mode ?? 0) & 0o777, 0o755);
  });

  await t.step("exit codes and arguments pass through", async () => {
    const wrong = await alone("check", "no such file.yaml");
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /no such file\.yaml/);
    assert.doesNotMatch(wrong.stderr, /^ {4}at /m, "no stack trace");
  });

  await t.step("demo --once from an empty directory", async () => {
    const played = await alone("demo", "--once");
    assert.equal(played.code, 0, played.stdout + played.stderr);
    assert.match(played.stdout, /^7 of 7 steps held$/m);
    assert.deepEqual([...Deno.readDirSync(scratch.file("empty"))], []);
  });
});

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
