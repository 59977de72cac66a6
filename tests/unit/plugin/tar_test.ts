/** Archives of packages that strangers made: what is taken from them, and what is refused by its name. */
import assert from "node:assert/strict";
import { readSource } from "../../../runtime/plugin/source.ts";
import { readTar } from "../../../runtime/plugin/tar.ts";
import { Scratch } from "../../support/scratch.ts";

interface Entry {
  readonly name: string;
  readonly kind?: string;
  readonly content?: string | Uint8Array;
  readonly size?: number;
  readonly prefix?: string;
}

const encoder = new TextEncoder();

/** Entries as POSIX writes them; those that lie about their size have no content. */
function tar(entries: readonly Entry[], end = 1024): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap(({ name, kind = "0", content = "", size, prefix = "" }) => {
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    const block = new Uint8Array(512);
    const put = (at: number, text: string) => block.set(encoder.encode(text), at);
    put(0, name);
    put(100, "0000644\0");
    put(124, `${(size ?? bytes.length).toString(8).padStart(11, "0")}\0`);
    put(148, " ".repeat(8));
    put(156, kind);
    put(257, "ustar\x0000");
    put(345, prefix);
    put(148, `${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
    const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    padded.set(bytes);
    return [block, padded];
  });
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, end));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function stream(bytes: Uint8Array, piece = 700): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at += piece));
    },
  });
}

async function names(entries: readonly Entry[]): Promise<string[]> {
  return [...(await readTar(stream(tar(entries)))).keys()];
}

const pax = (record: string) => `${record.length + 4} ${record}\n`;
const taken: readonly [name: string, entries: readonly Entry[], paths: readonly string[]][] = [
  ["files in npm's directory", [{ name: "package/main.ts" }, { name: "package/lib/a.ts" }], ["main.ts", "lib/a.ts"]],
  ["tar of a directory's content", [{ name: "./", kind: "5" }, { name: "./main.ts" }], ["main.ts"]],
  ["an old archive's kind", [{ name: "package/main.ts", kind: "\0" }], ["main.ts"]],
  ["a name in two parts", [{ name: "main.ts", prefix: "package/lib" }], ["lib/main.ts"]],
  ["a name of GNU", [{ name: "././@LongLink", kind: "L", content: "package/long.ts\0" }, { name: "x" }], ["long.ts"]],
  ["a name of pax", [{ name: "x", kind: "x", content: pax("path=package/p.ts") }, { name: "package/x" }], ["p.ts"]],
  ["facts of pax about the whole", [{ name: "x", kind: "g", content: pax("comment=abcdefgh") }], []],
  ["no hidden files", [{ name: "package/.npmrc" }, { name: "package/.git/config" }, { name: "package/a.ts" }], [
    "a.ts",
  ]],
];
for (const [name, entries, paths] of taken) {
  Deno.test(`readTar() takes ${name}`, async () => assert.deepEqual(await names(entries), paths));
}

const refused: readonly [name: string, entries: readonly Entry[], reason: RegExp][] = [
  ["a character device", [{ name: "package/null", kind: "3" }], /"package\/null", which is a character device/],
  ["a block device", [{ name: "package/sda", kind: "4" }], /"package\/sda", which is a block device/],
  ["a FIFO", [{ name: "package/f", kind: "6" }], /"package\/f", which is a FIFO/],
  ["a link", [{ name: "package/l", kind: "2" }], /"package\/l", which is a symbolic link/],
  ["a hard link", [{ name: "package/l", kind: "1" }], /"package\/l", which is a hard link/],
  ["what nobody knows", [{ name: "package/s", kind: "S" }], /"package\/s", which is of kind "S"/],
  ["a hidden device", [{ name: "package/.d", kind: "3" }], /"package\/\.d", which is a character device/],
  ["a link in node_modules", [{ name: "package/node_modules/l", kind: "2" }], /node_modules\/l", which is a symbolic/],
  ["a path that leaves", [{ name: "package/../../x" }], /"package\/\.\.\/\.\.\/x", which is no path inside/],
  ["a path from the top", [{ name: "/etc/passwd" }], /"\/etc\/passwd", which is no path inside/],
  ["a pax path that leaves", [{ name: "x", kind: "x", content: pax("path=a/../../x") }, { name: "a/b" }], /no path in/],
  ["a name that steers", [{ name: "package/\x1b[2J.ts" }], /"package\/\\u001b\[2J\.ts", which is no path inside/],
  ["a file beside the directory", [{ name: "main.ts" }], /"main\.ts" beside the one directory/],
  ["a file twice", [{ name: "package/a" }, { name: "package/a" }], /"a" twice/],
  ["a size of pax", [{ name: "x", kind: "x", content: pax("size=0000000001") }], /not understood/],
  ["a file that is too large", [{ name: "package/a", size: 17 * 2 ** 20 }], /more than 512 files or 16 MiB/],
  [
    "too much in all",
    Array.from({ length: 22 }, (_, i) => ({ name: `package/.h${i}`, content: new Uint8Array(2 ** 20) })),
    /16 MiB/,
  ],
  ["too many files", Array.from({ length: 513 }, (_, i) => ({ name: `package/f${i}` })), /more than 512 files/],
  [
    "too many hidden files",
    Array.from({ length: 1025 }, (_, i) => ({ name: `package/.f${i}` })),
    /more than 512 files/,
  ],
  ["endless facts", [{ name: "x", kind: "x", size: 2 ** 20 }], /in more than 65536 bytes/],
];
for (const [name, entries, reason] of refused) {
  Deno.test(`readTar() refuses ${name}`, async () => {
    await assert.rejects(names(entries), { name: "SyntaxError", message: reason });
  });
}

Deno.test("readTar() refuses what is no archive, and what is cut off", async () => {
  await assert.rejects(readTar(stream(encoder.encode("x".repeat(2000)))), /is no tar archive/);
  const cut = tar([{ name: "package/a", content: "x".repeat(2000) }], 0).subarray(0, 1500);
  await assert.rejects(readTar(stream(cut)), /is cut off in "package\/a"/);
});

const manifest = `name: acme/probe
version: 1.0.0
kind: checker
api: 1
entry: main.ts
publisher: { name: Acme }
config: { type: object, properties: {}, required: [], additionalProperties: false }
`;

Deno.test("readSource() refuses by name what is no file", async () => {
  using scratch = new Scratch();
  Deno.writeTextFileSync(scratch.file("plugin.yaml"), manifest);
  Deno.writeTextFileSync(scratch.file("main.ts"), "");
  const { files } = await readSource(scratch.path);
  assert.deepEqual([...files.keys()].sort(), ["main.ts", "plugin.yaml"]);
  const socket = Deno.listen({ transport: "unix", path: scratch.file("door") });
  try {
    await assert.rejects(readSource(scratch.path), /door: is a FIFO, a socket or a device, and a plugin may hold none/);
  } finally {
    socket.close();
  }
  // Sparse: nobody reads it to find out that it is too large.
  const large = Deno.openSync(scratch.file("large"), { write: true, create: true });
  large.truncateSync(2 ** 40);
  large.close();
  await assert.rejects(readSource(scratch.path), /more than 512 files or 16 MiB/);
  await assert.rejects(readSource("/dev/zero"), /is neither a directory nor a file/);
});
