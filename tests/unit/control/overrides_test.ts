import assert from "node:assert/strict";
import {
  changeServer,
  expire,
  loadOverrides,
  nextExpiry,
  none,
  type Overrides,
  saveOverrides,
  type ServerChange,
  serverWords,
  setHold,
} from "../../../runtime/control/overrides.ts";

const said = { by: "ann", reason: "disk", since: 1000, until: null };

Deno.test("changeServer() changes what is named and takes back what is as configured", () => {
  const rows: [string, Partial<ServerChange>[], [state: string | null, weight: number | null] | null][] = [
    ["drain", [{ state: "drain" }], ["drain", null]],
    ["maintenance after drain", [{ state: "drain" }, { state: "maint" }], ["maint", null]],
    ["ready takes it back", [{ state: "maint" }, { state: "ready" }], null],
    ["ready leaves the weight", [{ state: "maint", weight: 9 }, { state: "ready" }], [null, 9]],
    ["a weight leaves the state", [{ state: "drain" }, { weight: 0 }], ["drain", 0]],
    ["the configured weight takes it back", [{ weight: 9 }, { weight: 1 }], null],
    ["ready of what was never overridden", [{ state: "ready" }], null],
  ];
  for (const [name, changes, expected] of rows) {
    const all = changes.reduce<Overrides>(
      (all, change) => changeServer(all, "web", "a", { ...said, ...change }, 1),
      none,
    );
    const { state, weight } = serverWords(all, "web", "a");
    assert.equal(all.servers.length, Number(state !== null) + Number(weight !== null), name);
    assert.deepEqual(all.servers.length === 0 ? null : [state?.state ?? null, weight?.weight ?? null], expected, name);
  }
});

Deno.test("state and weight of a server have their own reasons and ends", () => {
  const maint = { ...said, state: "maint" } as const;
  const light = { ...said, weight: 50, reason: "less" };
  const rows: [string, readonly ServerChange[], readonly [left: string, reason: string][]][] = [
    ["a weight that ends leaves a maintenance that does not", [maint, { ...light, until: 2000 }], [["maint", "disk"]]],
    ["a maintenance that ends leaves a weight that does not", [{ ...maint, until: 2000 }, light], [["50", "less"]]],
    ["and the other way round", [light, { ...maint, until: 2000 }], [["50", "less"]]],
    ["ready leaves the weight its end", [{ ...light, until: 2000 }, maint, { ...said, state: "ready" }], []],
    ["a new weight has a new end", [{ ...light, until: 2000 }, light], [["50", "less"]]],
    ["both at once end at once", [{ ...maint, weight: 50, until: 2000 }], []],
  ];
  for (const [name, changes, expected] of rows) {
    const all = changes.reduce<Overrides>((all, change) => changeServer(all, "web", "a", change, 1), none);
    const left = expire(all, 2000).servers.map(({ state, weight, reason }) => [String(state ?? weight), reason]);
    assert.deepEqual(left, expected, name);
  }
});

Deno.test("expire() ends what is over, and only that", () => {
  const hold = { ...said, until: 3000 };
  const drained = changeServer(none, "web", "a", { ...said, state: "drain", until: 2000 }, 1);
  const all = setHold(changeServer(drained, "web", "b", { ...said, state: "maint" }, 1), "VI_1", hold);
  assert.equal(nextExpiry(all), 2000);
  assert.equal(expire(all, 1999), all);
  const later = expire(all, 2000);
  assert.deepEqual(later.servers.map(({ server }) => server), ["b"]);
  assert.deepEqual(later.holds, { VI_1: hold });
  assert.deepEqual(expire(all, 3000).holds, {});
  assert.equal(nextExpiry(expire(all, 3000)), null);
});

Deno.test("loadOverrides() reads what saveOverrides() wrote, and refuses damage", async () => {
  const directory = await Deno.makeTempDir();
  try {
    assert.equal(await loadOverrides(directory), none);
    const all = setHold(changeServer(none, "web", "a", { ...said, state: "drain", weight: 3 }, 1), "VI_1", said);
    await saveOverrides(directory, all);
    assert.deepEqual(await loadOverrides(directory), all);
    // One entry for both, as earlier versions wrote it.
    const both = { backend: "web", server: "a", state: "maint", weight: 5, ...said };
    const neither = { ...both, state: null, weight: null };
    await Deno.writeTextFile(`${directory}/overrides.json`, JSON.stringify({ servers: [both, neither], holds: {} }));
    assert.deepEqual((await loadOverrides(directory)).servers, [{ ...both, weight: null }, { ...both, state: null }]);
    const one = { backend: "web", server: "a", state: "drain", weight: null, ...said };
    const damaged: readonly unknown[] = [
      null,
      [],
      { servers: {}, holds: {} },
      { servers: [] },
      { servers: [], holds: [] },
      { servers: [null], holds: {} },
      { servers: ["a"], holds: {} },
      { servers: [{ ...one, server: undefined }], holds: {} },
      { servers: [{ ...one, state: "ready" }], holds: {} },
      { servers: [{ ...one, weight: "5" }], holds: {} },
      { servers: [{ ...one, weight: 1000 }], holds: {} },
      { servers: [{ ...one, by: null }], holds: {} },
      { servers: [{ ...one, since: "now" }], holds: {} },
      { servers: [{ ...one, until: 1e300 }], holds: {} },
      { servers: [], holds: { VI_1: null } },
      { servers: [], holds: { VI_1: { ...said, reason: 1 } } },
    ];
    for (const text of ["{", "", ...damaged.map((value) => JSON.stringify(value))]) {
      await Deno.writeTextFile(`${directory}/overrides.json`, text);
      await assert.rejects(loadOverrides(directory), /is damaged; remove it to go on without them$/, text);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
