import assert from "node:assert/strict";
import { choose, type Names, openNames, retryAfter } from "../../../runtime/control/names.ts";
import type { Resolution } from "../../../runtime/control/resolve_name.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

interface World {
  readonly clock: ReturnType<typeof fakeClock>;
  readonly names: Names;
  /** When which name was asked for. */
  readonly asked: string[];
  changes: number;
  /** null = silence. */
  answer: Resolution | Error | null;
}

async function world(answer: World["answer"], directory: string | null = null): Promise<World> {
  const clock = fakeClock(0);
  const asked: string[] = [];
  const names = await openNames({
    directory,
    clock,
    log: createLogger({ role: "test", write: () => {} }),
    resolve(name) {
      asked.push(`${name}@${clock.monotonic()}`);
      const { answer } = made;
      if (answer === null) return new Promise(() => {});
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    changed: () => void made.changes++,
  });
  const made: World = { clock, names, asked, changes: 0, answer };
  return made;
}

const one = { addresses: ["192.0.2.1"], ttl: 5000 };

Deno.test("Names asks again when the answer's time is over, and tells of another address", async () => {
  const made = await world(one);
  const { clock, names, asked } = made;
  names.watch(["web.example", "192.0.2.9", "2001:db8::1"]);
  assert.equal(names.addressOf("web.example"), null);
  assert.equal(names.addressOf("192.0.2.9"), "192.0.2.9");
  assert.ok(!names.settled());
  await clock.advance(0);
  assert.equal(names.addressOf("web.example"), "192.0.2.1");
  assert.ok(names.settled());
  await clock.advance(9999);
  assert.deepEqual([asked, made.changes], [["web.example@0", "web.example@5000"], 1]);
  made.answer = { addresses: ["192.0.2.2", "192.0.2.1"], ttl: 0 };
  await clock.advance(1);
  assert.deepEqual([names.addressOf("web.example"), made.changes], ["192.0.2.1", 1], "the one in use is used on");
  made.answer = { addresses: ["192.0.2.3", "192.0.2.2"], ttl: 10_000_000 };
  await clock.advance(1000);
  assert.deepEqual([names.addressOf("web.example"), made.changes], ["192.0.2.2", 2]);
  await clock.advance(3_600_000);
  assert.deepEqual(asked.slice(2), ["web.example@10000", "web.example@11000", "web.example@3611000"]);
  await names[Symbol.asyncDispose]();
});

Deno.test("Names keeps the last address while nobody answers, and asks more and more rarely", async () => {
  const made = await world(one);
  const { clock, names, asked } = made;
  names.watch(["web.example"]);
  await clock.advance(4999);
  made.answer = new Error("ETIMEOUT");
  await clock.advance(20_001);
  assert.deepEqual(asked.map((each) => Number(each.split("@")[1])), [0, 5000, 6000, 8000, 12_000, 20_000]);
  assert.equal(names.addressOf("web.example"), "192.0.2.1");
  made.answer = null;
  await clock.advance(100_000);
  assert.equal(names.addressOf("web.example"), "192.0.2.1");
  assert.deepEqual([1, 2, 5, 6, 99].map(retryAfter), [1000, 2000, 16_000, 30_000, 30_000]);
  await names[Symbol.asyncDispose]();
});

Deno.test("Names says why there is no address, and forgets names that nobody wants", async () => {
  const { clock, names, asked } = await world(new Error("ENOTFOUND"));
  names.watch(["web.example"]);
  assert.equal(names.problemOf("web.example"), '"web.example" is not resolved yet');
  await clock.advance(0);
  assert.equal(names.problemOf("web.example"), 'cannot resolve "web.example": ENOTFOUND');
  assert.ok(names.settled(), "nobody waits for a name that cannot be had");
  names.watch([]);
  await clock.advance(10_000);
  assert.equal(asked.length, 1);
  await names[Symbol.asyncDispose]();
});

Deno.test("Names starts with what an earlier run learnt, and survives a damaged file", async () => {
  const directory = await Deno.makeTempDir();
  const before = await world(one, directory);
  before.names.watch(["web.example"]);
  await before.clock.advance(0);
  await before.names[Symbol.asyncDispose]();
  const after = await world(null, directory);
  after.names.watch(["web.example", "other.example"]);
  assert.equal(after.names.addressOf("web.example"), "192.0.2.1");
  assert.equal(after.names.addressOf("other.example"), null);
  await after.names[Symbol.asyncDispose]();
  await Deno.writeTextFile(`${directory}/names.json`, "{");
  const damaged = await world(null, directory);
  damaged.names.watch(["web.example"]);
  assert.equal(damaged.names.addressOf("web.example"), null);
  await damaged.names[Symbol.asyncDispose]();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("choose() takes the first in order, so that both nodes come to the same", () => {
  assert.equal(choose(["192.0.2.9", "192.0.2.10"], null), choose(["192.0.2.10", "192.0.2.9"], null));
  assert.equal(choose([], "192.0.2.1"), null);
});
