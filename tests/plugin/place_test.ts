/** What a killed node leaves in the temporary directory, and what the next one may take for it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Scratch } from "../support/scratch.ts";

const program = fileURLToPath(new URL("fixtures/place_program.ts", import.meta.url));
const nobody = 65534;

class Control implements AsyncDisposable {
  private constructor(private readonly child: Deno.ChildProcess, readonly place: string) {}

  static async start(temporary: string): Promise<Control> {
    const args = ["run", "-A", "--quiet", "--no-check", program];
    const child = new Deno.Command(Deno.execPath(), {
      args,
      env: { TMPDIR: temporary },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return new Control(child, new TextDecoder().decode(value).trim());
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stdin.close().catch(() => {});
    await this.child.status;
    await this.child.stdout.cancel();
  }
}

Deno.test("a node removes what killed ones left, and nothing else", async () => {
  using scratch = new Scratch();
  const make = async (name: string, files: readonly string[]) => {
    await Deno.mkdir(scratch.file(name));
    for (const file of files) await Deno.writeTextFile(scratch.file(`${name}/${file}`), "");
  };
  await using killed = await Control.start(scratch.path);
  await Deno.mkdir(`${killed.place}/0123/runtime`, { recursive: true });
  await Deno.writeTextFile(`${killed.place}/0123/runtime/main.ts`, "", { mode: 0o444 });
  await killed.kill();
  await make("tandem-plugins-without-a-lock", ["main.ts"]);
  await make("tandem-plugins-of-another", ["lock"]);
  if (Deno.uid() === 0) await Deno.chown(scratch.file("tandem-plugins-of-another"), nobody, nobody);
  await make("elsewhere", ["lock", "kept"]);
  await Deno.symlink(scratch.file("elsewhere"), scratch.file("tandem-plugins-link"));
  await make("tandem-plugins-lock-is-a-link", []);
  await Deno.symlink(scratch.file("elsewhere/lock"), scratch.file("tandem-plugins-lock-is-a-link/lock"));
  await make("other-plugins-abc", ["lock"]);
  await using living = await Control.start(scratch.path);
  await using next = await Control.start(scratch.path);
  const left = [...Deno.readDirSync(scratch.path)].map(({ name }) => name).sort();
  const nameOf = ({ place }: Control) => place.slice(place.lastIndexOf("/") + 1);
  assert.deepEqual(
    left,
    [
      "elsewhere",
      "other-plugins-abc",
      "tandem-plugins-link",
      "tandem-plugins-lock-is-a-link",
      ...(Deno.uid() === 0 ? ["tandem-plugins-of-another"] : []),
      "tandem-plugins-without-a-lock",
      nameOf(living),
      nameOf(next),
    ].sort(),
  );
  assert.deepEqual([...Deno.readDirSync(scratch.file("elsewhere"))].map(({ name }) => name).sort(), ["kept", "lock"]);
});

Deno.test("a node that ends in order leaves nothing", async () => {
  using scratch = new Scratch();
  {
    await using _control = await Control.start(scratch.path);
  }
  assert.deepEqual([...Deno.readDirSync(scratch.path)], []);
});
