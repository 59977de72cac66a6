import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { lockedPackages, prepareCache } from "../../../runtime/os/deno_cache.ts";

Deno.test("lockedPackages() reads names and versions", () => {
  const npm = { "hono@4.13.19": {}, "@scope/name@1.0.0": {}, "a@2.0.0-rc.1_b@3.0.0": {} };
  assert.deepEqual(lockedPackages(JSON.stringify({ version: "5", npm })), [
    { name: "hono", version: "4.13.19" },
    { name: "@scope/name", version: "1.0.0" },
    { name: "a", version: "2.0.0-rc.1" },
  ]);
  assert.deepEqual(lockedPackages('{ "version": "5" }'), []);
});

Deno.test("prepareCache() gives the locked packages, once, and says which one is not there", async () => {
  const directory = await Deno.makeTempDir();
  const before = Deno.env.get("DENO_DIR");
  const ids = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  try {
    Deno.env.set("DENO_DIR", `${directory}/own`);
    const packages = `${directory}/own/npm/registry.example`;
    await Deno.mkdir(`${packages}/@s/n/1.0.0/dist`, { recursive: true });
    await Deno.writeTextFile(`${packages}/@s/n/registry.json`, "{}");
    await Deno.writeTextFile(`${packages}/@s/n/1.0.0/dist/a.js`, "a", { mode: 0o644 });
    await Deno.writeTextFile(`${packages}/@s/n/1.0.0/secretive.js`, "b", { mode: 0o600 });
    const main = pathToFileURL(`${directory}/mod.ts`).href;
    const to = `${directory}/theirs`;
    prepareCache(to, ids, main);
    assert.deepEqual([...Deno.readDirSync(to)], [], "without a lock there are no packages");

    await Deno.writeTextFile(`${directory}/deno.lock`, '{ "npm": { "@s/n@1.0.0": {} } }');
    for (const _ of [1, 2]) prepareCache(to, ids, main);
    const given = `${to}/npm/registry.example/@s/n`;
    assert.equal(await Deno.readTextFile(`${given}/1.0.0/dist/a.js`), "a");
    assert.equal(((await Deno.stat(`${given}/1.0.0/secretive.js`)).mode ?? 0) & 0o777, 0o644);
    assert.deepEqual([...Deno.readDirSync(given)].map(({ name }) => name).sort(), ["1.0.0", "registry.json"]);

    await Deno.writeTextFile(`${directory}/deno.lock`, '{ "npm": { "gone@2.0.0": {} } }');
    assert.throws(() => prepareCache(to, ids, main), /has no package gone@2\.0\.0/);
  } finally {
    if (before === undefined) Deno.env.delete("DENO_DIR");
    else Deno.env.set("DENO_DIR", before);
    await Deno.remove(directory, { recursive: true });
  }
});
