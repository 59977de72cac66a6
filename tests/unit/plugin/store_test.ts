/** A plugin's memory: what survives, what it costs, and what a crash or a full disk leaves. */
import assert from "node:assert/strict";
import { openStore } from "../../../runtime/plugin/store.ts";
import { fakeClock } from "../../support/fake_clock.ts";
import { Scratch } from "../../support/scratch.ts";

function world() {
  const scratch = new Scratch();
  const path = scratch.file("store.json");
  const lines = () => Deno.readTextFileSync(path).split("\n").slice(0, -1);
  return { path, lines, clock: fakeClock(), [Symbol.dispose]: () => scratch[Symbol.dispose]() };
}

Deno.test("openStore() keeps what was set over a restart, and no more bytes than granted", async () => {
  using at = world();
  const store = openStore(at.path, 20);
  await Promise.all([store.set("a", "12345"), store.set("__proto__", "x")]);
  await assert.rejects(store.set("b", "x".repeat(10)), /The store is full: 27 bytes wanted, 20 granted/);
  await store.set("a", "1");
  await store.flush();
  const again = openStore(at.path, 20);
  assert.deepEqual([again.get("a"), again.get("__proto__"), again.get("b")], ["1", "x", null]);
  await again.set("a", null);
  await again.flush();
  assert.equal(openStore(at.path, 20).get("a"), null);
});

Deno.test("openStore() counts what JSON makes of a value, and takes a new grant without losing anything", async () => {
  using at = world();
  const store = openStore(at.path, 20);
  await assert.rejects(store.set("a", "\u0001\u0001\u0001\u0001"), /25 bytes wanted, 20 granted/);
  store.limit(25);
  await store.set("a", "\u0001\u0001\u0001\u0001");
  store.limit(5);
  await assert.rejects(store.set("b", "1"), /27 bytes wanted, 5 granted/);
  await store.set("a", null);
  await store.set("b", "1");
  await store.flush();
});

Deno.test("openStore() writes what changed in a second once, and nothing that did not", async () => {
  using at = world();
  const store = openStore(at.path, 1000, at.clock);
  await store.set("first", "1");
  await store.flush();
  for (let i = 0; i < 50; i++) await store.set("hot", String(i));
  await at.clock.advance(900);
  assert.deepEqual(at.lines(), ['["first","1"]']);
  await at.clock.advance(200);
  await store.flush();
  assert.deepEqual(at.lines(), ['["first","1"]', '["hot","49"]']);
  await store.set("first", null);
  await store.flush();
  assert.deepEqual(at.lines().at(-1), '["first",null]');
});

Deno.test("openStore() writes a file anew when most of it was replaced", async () => {
  using at = world();
  const store = openStore(at.path, 2 ** 20, at.clock);
  for (let i = 0; i < 40; i++) {
    await store.set("hot", `${i}`.padStart(10_000));
    await store.flush();
  }
  assert.ok(Deno.statSync(at.path).size < 110_000, String(Deno.statSync(at.path).size));
  assert.equal(openStore(at.path, 2 ** 20).get("hot")?.trim(), "39");
});

Deno.test("openStore() keeps what is set while a large file is being written", async () => {
  using at = world();
  const store = openStore(at.path, 2 ** 22);
  for (let i = 0; i < 200; i++) await store.set(`k${i}`, "x".repeat(10_000));
  const written = store.flush();
  await store.set("k0", "late");
  await store.set("k199", null);
  await written;
  await store.flush();
  const again = openStore(at.path, 2 ** 22);
  assert.deepEqual([again.get("k0"), again.get("k1")?.length, again.get("k199")], ["late", 10_000, null]);
});

const files: readonly [name: string, text: string, entries: Readonly<Record<string, string>>][] = [
  ["as earlier versions wrote it", '{"a":"1","b":"2","n":3}', { a: "1", b: "2" }],
  ["whose last line was cut off", '["a","1"]\n["b","2"]\n["c","', { a: "1", b: "2" }],
  ["with a line that is none", '["a","1"]\nnothing\n["b","2"]\n', { a: "1", b: "2" }],
  ["of nonsense", "{broken", {}],
  ["that is empty", "", {}],
];
for (const [name, text, entries] of files) {
  Deno.test(`openStore() takes a file ${name}, and goes on with it`, async () => {
    using at = world();
    Deno.writeTextFileSync(at.path, text);
    const store = openStore(at.path, 100);
    for (const key of ["a", "b", "c", "n"]) assert.equal(store.get(key), entries[key] ?? null, key);
    await store.set("new", "x");
    await store.flush();
    const again = openStore(at.path, 100);
    for (const [key, value] of Object.entries({ ...entries, new: "x" })) assert.equal(again.get(key), value, key);
  });
}

Deno.test("openStore() says when the disk took nothing, and tries again", async () => {
  using at = world();
  const gone = `${at.path}.d/store.json`;
  const store = openStore(gone, 100);
  await store.set("a", "1");
  await store.flush();
  await assert.rejects(store.set("b", "2"), { name: "NotFound" });
  Deno.mkdirSync(`${at.path}.d`);
  await store.flush();
  await store.set("c", "3");
  await store.flush();
  const again = openStore(gone, 100);
  assert.deepEqual(["a", "b", "c"].map((key) => again.get(key)), ["1", "2", "3"]);
});
