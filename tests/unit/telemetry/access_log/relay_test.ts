/** The relay: whole lines from pieces, to where they are kept; complaints once a minute; the last lines for who asks. */
import assert from "node:assert/strict";
import { type Relay, startRelay } from "../../../../runtime/telemetry/access_log/relay.ts";
import { RecentLines } from "../../../../runtime/telemetry/access_log/recent_lines.ts";
import { createLogger } from "../../../../runtime/telemetry/log.ts";

/** A source that is fed by the test. */
class Feed {
  readonly #waiting: ((bytes: Uint8Array | null) => void)[] = [];
  readonly #ready: (Uint8Array | null)[] = [];

  put(text: string | null): void {
    const bytes = text === null ? null : new TextEncoder().encode(text);
    const reader = this.#waiting.shift();
    if (reader === undefined) this.#ready.push(bytes);
    else reader(bytes);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const bytes = this.#ready.length > 0
      ? this.#ready.shift() ?? null
      : await new Promise<Uint8Array | null>((resolve) => this.#waiting.push(resolve));
    if (bytes === null) return null;
    buffer.set(bytes);
    return bytes.length;
  }

  [Symbol.dispose](): void {
    this.put(null);
  }
}

async function rig(
  act: (rig: { feed: Feed; relay: Relay; told: string[]; path: string; time: { now: number } }) => Promise<void>,
) {
  const directory = await Deno.makeTempDir();
  const feed = new Feed();
  const told: string[] = [];
  const time = { now: 0 };
  const log = createLogger({ role: "test", format: "json", write: (line) => told.push(JSON.parse(line).text) });
  const relay = startRelay({ source: feed, origin: { hostname: "dlp1", process: 1 }, log, now: () => time.now });
  try {
    await act({ feed, relay, told, path: `${directory}/log`, time });
  } finally {
    await relay[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
}

/** What was put has been kept, or lost. */
async function passed(relay: Relay, text: string): Promise<void> {
  const seen = new Promise<void>((resolve) => {
    const subscription = relay.subscribe((lines) => {
      if (!lines.includes(text)) return;
      subscription[Symbol.dispose]();
      resolve();
    });
  });
  await seen;
  // Behind the write that the line is in.
  await relay.configure(relay.sink);
}

Deno.test("startRelay() keeps whole lines, whatever the pieces", async () => {
  await rig(async ({ feed, relay, path }) => {
    await relay.configure({ type: "file", path, rotate: null });
    const last = passed(relay, "last");
    for (const piece of ["a", "b\nc", "\n", "d\ne\nf", "\nlast\nhalf"]) feed.put(piece);
    await last;
    assert.equal(await Deno.readTextFile(path), "ab\nc\nd\ne\nf\nlast\n");
    assert.deepEqual(await relay.list({ limit: 2 }), ["f", "last"]);
    assert.deepEqual(await relay.list({ limit: 0 }), []);
    assert.deepEqual(await relay.list({ limit: 9, fits: (line) => line < "d" }), ["ab", "c"]);
  });
});

Deno.test("startRelay() goes from one place to another without losing a line", async () => {
  await rig(async ({ feed, relay, path }) => {
    await relay.configure({ type: "file", path, rotate: null });
    const one = passed(relay, "one");
    feed.put("one\n");
    await one;
    await relay.configure({ type: "file", path: `${path}2`, rotate: null });
    const two = passed(relay, "two");
    feed.put("two\n");
    await two;
    assert.deepEqual([await Deno.readTextFile(path), await Deno.readTextFile(`${path}2`)], ["one\n", "two\n"]);
    await assert.rejects(relay.configure({ type: "file", path: "/nowhere/log", rotate: null }), /Cannot open/);
    // What cannot be had changes nothing.
    assert.deepEqual(relay.sink, { type: "file", path: `${path}2`, rotate: null });
  });
});

Deno.test("startRelay() counts what is lost and complains once a minute", async () => {
  await rig(async ({ feed, relay, told, path, time }) => {
    // Nobody receives there.
    await relay.configure({ type: "syslog", address: path, transport: "udp", facility: 16 });
    const first = passed(relay, "b");
    feed.put("a\nb\n");
    await first;
    assert.equal(relay.lost, 2);
    assert.deepEqual(told, [
      `Lines of the access log were lost: 2 because they could not be kept: Cannot send to "${path}": connect answered ENOENT`,
    ]);
    const second = passed(relay, "c");
    feed.put("c\n");
    await second;
    relay.observeDropped(7);
    assert.equal(told.length, 1);
    time.now = 60_000;
    relay.observeDropped(9);
    assert.match(
      told[1] ?? "",
      /^Lines of the access log were lost: 9 because it is read too slowly, 1 because they could not be kept: /,
    );
    relay.observeDropped(9);
    assert.equal(told.length, 2);
  });
});

Deno.test("RecentLines keeps the last pieces, in bounded memory", () => {
  const recent = new RecentLines(10);
  for (const piece of ["one\n", "two\n", "three\n", "4\n"]) recent.add(new TextEncoder().encode(piece));
  assert.equal(recent.text(), "three\n4\n");
  recent.add(new TextEncoder().encode("longer than all of it\n"));
  assert.equal(recent.text(), "longer than all of it\n");
});
