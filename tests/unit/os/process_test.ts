import assert from "node:assert/strict";
import { type Command, describeExit, selfCommand, spawnRole } from "../../../runtime/os/process.ts";

/** A child that runs `code`. */
function script(code: string): Command {
  return { path: Deno.execPath(), args: ["eval", code] };
}

/** Runs `code` to its end, sending `messages` and closing its stdin, and tells what was heard. */
async function play(code: string, messages: readonly unknown[] = []) {
  const heard: unknown[] = [];
  const child = spawnRole(script(code), {
    message: (value) => heard.push(value),
    garbage: (line) => heard.push(`garbage: ${line}`),
  }, { env: { TANDEM_TEST: "given" } });
  for (const message of messages) child.send(message);
  child.end();
  return { heard, exit: await child.exited };
}

Deno.test("spawnRole() speaks lines of JSON both ways, however they are cut", async () => {
  const { heard, exit } = await play(
    `const out = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text));
     let input = "";
     for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) input += chunk;
     out(JSON.stringify({ input })); out("\\n{\\"env\\":"); out(JSON.stringify(Deno.env.get("TANDEM_TEST")) + "}\\nnot JSON\\n\\n");`,
    [{ n: 1 }, { text: "zwei\n" }],
  );
  assert.deepEqual(heard, [{ input: '{"n":1}\n{"text":"zwei\\n"}\n' }, { env: "given" }, "garbage: not JSON"]);
  assert.equal(describeExit(exit), "exit code 0");
});

Deno.test("spawnRole() tells the end after the last words, and how it came", async () => {
  const { heard, exit } = await play(`console.log('"last"'); Deno.kill(Deno.pid, "SIGKILL")`);
  assert.deepEqual(heard, ["last"]);
  assert.equal(describeExit(exit), "SIGKILL");
  assert.equal(describeExit((await play("Deno.exit(7)")).exit), "exit code 7");
});

Deno.test("spawnRole() survives a child that does not listen", async () => {
  const { exit } = await play("Deno.stdin.close()", Array.from({ length: 100 }, () => "x".repeat(10_000)));
  assert.equal(exit.code, 0);
});

Deno.test("selfCommand() starts this program again", () => {
  const { path, args } = selfCommand(["role", "vrrp"], ["--cached-only"]);
  assert.equal(path, Deno.execPath());
  assert.deepEqual(args.slice(-2), ["role", "vrrp"]);
  assert.equal(args.indexOf("--cached-only") < args.indexOf(Deno.mainModule), true);
});
