/** `demo --once` from the source tree: as root, and as a user without rights through util-linux `unshare`. */
import assert from "node:assert/strict";
import { command } from "../support/command.ts";
import { tandemCommand } from "../support/tandem.ts";
import { publicCopy, unprivileged } from "../support/unprivileged.ts";

const timeout = 120_000;

Deno.test("demo --once holds every step as root, and leaves nothing behind", async () => {
  const before = await traces();
  const played = await command(tandemCommand(["demo", "--once"]), { timeout, allowFailure: true });
  assert.equal(played.code, 0, played.stdout + played.stderr);
  assert.match(played.stdout, /^7 of 7 steps held$/m);
  assert.deepEqual((await traces()).filter((trace) => !before.includes(trace)), []);
});

Deno.test("demo --once holds every step without root", async () => {
  using copy = await publicCopy();
  const argv = unprivileged([copy.deno, "run", "-A", "--no-prompt", `${copy.source}/mod.ts`, "demo", "--once"]);
  const played = await command(argv, { timeout, allowFailure: true, env: copy.env, clearEnv: true, cwd: "/" });
  assert.equal(played.code, 0, played.stdout + played.stderr);
  assert.match(played.stdout, /^7 of 7 steps held$/m);
});

Deno.test("the bare command without a configuration runs the demo, and Ctrl-C cleans up", async () => {
  using copy = await publicCopy();
  const before = await traces();
  const [file, ...args] = tandemCommand([]);
  const child = new Deno.Command(file, { args, cwd: copy.directory, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  const errors = new Response(child.stderr).text();
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!/start: /.test(said) && /start: /.test(said + text)) {
      // The admin APIs are on the host while it runs.
      for (const [port, name] of [[9700, "dlp1"], [9701, "dlp2"]] as const) {
        const status = await (await fetch(`http://127.0.0.1:${port}/api/v1/status`)).json();
        assert.equal(status.node, name);
      }
      child.kill("SIGINT");
    }
    said += text;
  }
  const { code, signal } = await child.status;
  assert.equal(signal, null);
  assert.ok(code === 0 || code === 130, `exit code ${code}: ${said}${await errors}`);
  assert.match(said, /start: VIP on dlp1/);
  assert.deepEqual((await traces()).filter((trace) => !before.includes(trace)), []);
});

/** What a demo could leave on this machine: processes, directories, links. */
async function traces(): Promise<string[]> {
  const processes = await command(["ps", "-e", "-o", "pid=,stat=,args="]);
  const links = await command(["ip", "-br", "link"]);
  return [
    ...processes.stdout.split("\n").filter((line) => /\bdemo (part|inside)\b/.test(line) && !/^\s*\d+ Z/.test(line)),
    ...[...Deno.readDirSync("/tmp")].map(({ name }) => name).filter((name) => name.startsWith("tandem-demo-")),
    ...links.stdout.split("\n").map((line) => line.split(" ")[0]).filter((name) => /^(br0|dlp|node0|ens32)/.test(name)),
  ];
}
