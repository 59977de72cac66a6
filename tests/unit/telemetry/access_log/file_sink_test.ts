/** File sink: rotation by size and by others, no line lost or cut. */
import assert from "node:assert/strict";
import { openFileSink } from "../../../../runtime/telemetry/access_log/file_sink.ts";
import { tailOf } from "../../../../runtime/telemetry/access_log/file_tail.ts";

const encoder = new TextEncoder();

async function inDirectory(act: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(`${directory}/access.log`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const numbered = (from: number, to: number) =>
  encoder.encode(Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join(""));
const read = (path: string) => Deno.readTextFile(path).catch(() => "");

Deno.test("openFileSink() rotates by size and keeps as many files as asked, each of whole lines", async () => {
  await inDirectory(async (path) => {
    const sink = await openFileSink({ path, rotate: { size: 1000, keep: 3 } });
    for (let i = 0; i < 1000; i += 10) assert.equal(await sink.write(numbered(i, i + 10)), null);
    await sink[Symbol.asyncDispose]();
    const files = await Promise.all([`${path}.3`, `${path}.2`, `${path}.1`, path].map(read));
    for (const text of files) assert.ok(text.length <= 1000 && text.endsWith("\n"), String(text.length));
    const lines = files.join("").split("\n").slice(0, -1).map(Number);
    // The newest, without a gap.
    assert.deepEqual(lines, Array.from({ length: lines.length }, (_, i) => 1000 - lines.length + i));
    assert.ok(lines.length > 600);
    assert.equal(await read(`${path}.4`), "");
  });
});

Deno.test("openFileSink() loses no line where all files are kept", async () => {
  await inDirectory(async (path) => {
    const sink = await openFileSink({ path, rotate: { size: 500, keep: 100 } });
    for (let i = 0; i < 1000; i += 25) await sink.write(numbered(i, i + 25));
    await sink[Symbol.asyncDispose]();
    let text = await read(path);
    for (let number = 1; number <= 100; number++) text = await read(`${path}.${number}`) + text;
    assert.equal(text, new TextDecoder().decode(numbered(0, 1000)));
  });
});

Deno.test("openFileSink() with keep: 0 begins anew, and goes on in a file of an earlier run", async () => {
  await inDirectory(async (path) => {
    await Deno.writeTextFile(path, "before\n");
    const sink = await openFileSink({ path, rotate: { size: 20, keep: 0 } });
    await sink.write(encoder.encode("0123456789\n"));
    assert.equal(await read(path), "before\n0123456789\n");
    await sink.write(encoder.encode("new\n"));
    assert.equal(await read(path), "new\n");
    await sink[Symbol.asyncDispose]();
  });
});

Deno.test("openFileSink() follows a rotation by others at reopen(), and by itself", async () => {
  await inDirectory(async (path) => {
    let now = 0;
    const sink = await openFileSink({ path, rotate: null }, () => now);
    await sink.write(encoder.encode("a\n"));
    await Deno.rename(path, `${path}.old`);
    await sink.write(encoder.encode("b\n"));
    await sink.reopen();
    await sink.write(encoder.encode("c\n"));
    assert.deepEqual([await read(`${path}.old`), await read(path)], ["a\nb\n", "c\n"]);
    await Deno.remove(path);
    now = 999;
    await sink.write(encoder.encode("gone\n"));
    assert.equal(await read(path), "");
    now = 1000;
    await sink.write(encoder.encode("d\n"));
    assert.equal(await read(path), "d\n");
    await sink[Symbol.asyncDispose]();
  });
});

Deno.test("openFileSink() says what cannot be opened", async () => {
  await assert.rejects(
    openFileSink({ path: "/nowhere/at/all.log", rotate: null }),
    { message: 'Cannot open the access log "/nowhere/at/all.log": No such file or directory' },
  );
});

Deno.test("tailOf() reads whole lines from the end", async () => {
  await inDirectory(async (path) => {
    assert.equal(await tailOf(path), "");
    await Deno.writeTextFile(path, "one\ntwo\nthr");
    assert.equal(await tailOf(path), "one\ntwo\n");
    assert.equal(await tailOf(path, 8), "two\n");
    assert.equal(await tailOf(path, 2), "");
  });
});
