import assert from "node:assert/strict";
import { type Happening, openJournal } from "../../../runtime/telemetry/events.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";

const down: Happening = { type: "server.state", severity: "warning", about: "web/a", text: "web/a is down" };
const up: Happening = { ...down, severity: "notice", text: "web/a is up" };
const options = { node: "n1", cluster: "edge", directory: null, now: () => Date.UTC(2026, 0, 2, 3, 4, 5) };

Deno.test("openJournal() numbers events and stamps node, cluster and time", async () => {
  await using journal = await openJournal(options);
  const event = journal.add({ ...down, fields: { to: "down" } });
  assert.deepEqual(event, {
    v: 1,
    id: "n1-1",
    seq: 1,
    at: "2026-01-02T03:04:05.000Z",
    node: "n1",
    cluster: "edge",
    type: "server.state",
    severity: "warning",
    about: "web/a",
    resolves: null,
    text: "web/a is down",
    fields: { to: "down" },
  });
});

Deno.test("openJournal() names the trouble that an event ends, once", async () => {
  await using journal = await openJournal(options);
  const trouble = journal.add(down);
  assert.equal(journal.add({ ...up, about: "web/b" }).resolves, null);
  assert.equal(journal.add(up).resolves, trouble.id);
  assert.equal(journal.add(up).resolves, null);
});

Deno.test("list() answers by number and by count", async () => {
  await using journal = await openJournal({ ...options, capacity: 4 });
  for (let i = 1; i <= 6; i++) journal.add(down);
  const rows: [string, Parameters<typeof journal.list>[0], number[]][] = [
    ["everything that is kept", undefined, [3, 4, 5, 6]],
    ["the newest two", { limit: 2 }, [5, 6]],
    ["what follows 4", { after: 4 }, [5, 6]],
    ["the first two after 3", { after: 3, limit: 2 }, [4, 5]],
    ["none asked for", { limit: 0 }, []],
    ["nothing follows the last", { after: 6 }, []],
  ];
  for (const [name, query, expected] of rows) {
    assert.deepEqual(journal.list(query).map((event) => event.seq), expected, name);
  }
});

Deno.test("subscribe() tells of every event until disposed", async () => {
  await using journal = await openJournal(options);
  const seen: number[] = [];
  const subscription = journal.subscribe((event) => seen.push(event.seq));
  journal.add(down);
  subscription[Symbol.dispose]();
  journal.add(up);
  assert.deepEqual(seen, [1]);
});

Deno.test("openJournal() goes on where the last run stopped, past a half-written line", async () => {
  const directory = await Deno.makeTempDir();
  try {
    {
      await using journal = await openJournal({ ...options, directory });
      journal.add(down);
    }
    await Deno.writeTextFile(`${directory}/events.ndjson`, `{"v":1,"se`, { append: true });
    await using journal = await openJournal({ ...options, directory });
    assert.equal(journal.add(up).resolves, "n1-1");
    assert.deepEqual(journal.list().map((event) => event.seq), [1, 2]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("openJournal() starts a new file when the old one is full", async () => {
  const directory = await Deno.makeTempDir();
  try {
    {
      await using journal = await openJournal({ ...options, directory, maxBytes: 400 });
      for (let i = 0; i < 3; i++) journal.add(down);
    }
    assert.equal((await Deno.stat(`${directory}/events.ndjson`)).size < 400, true);
    await using journal = await openJournal({ ...options, directory });
    assert.equal(journal.add(up).seq, 4);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("openJournal() says what the file does not have, once in the log, and writes it when it can", async () => {
  const top = await Deno.makeTempDir();
  const directory = `${top}/state`;
  const path = `${directory}/events.ndjson`;
  const lines: string[] = [];
  const log = createLogger({ role: "test", format: "json", write: (line) => void lines.push(JSON.parse(line).text) });
  const problem = `Events are lost at a restart: they cannot be kept in "${path}" (No such file or directory); ` +
    "see to that directory, it is tried again with the next event";
  try {
    await Deno.mkdir(directory);
    {
      await using journal = await openJournal({ ...options, directory, log });
      await Deno.remove(directory, { recursive: true });
      journal.add(down);
      journal.add(down);
      // The first write and its complaint lie before this line.
      while (journal.problem === null) await Deno.stat(top);
      assert.equal(journal.problem, problem);
      await Deno.mkdir(directory);
      journal.add(up);
      while (journal.problem !== null) await Deno.stat(top);
    }
    assert.deepEqual(lines, [problem, `Events are kept in "${path}" again`]);
    await using journal = await openJournal({ ...options, directory });
    assert.deepEqual(journal.list().map((event) => event.seq), [1, 2, 3]);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
});

Deno.test("openJournal() survives a rotation that fails", async () => {
  const directory = await Deno.makeTempDir();
  try {
    // Nothing can be renamed onto a directory.
    await Deno.mkdir(`${directory}/events.ndjson.1`);
    {
      await using journal = await openJournal({ ...options, directory, maxBytes: 400 });
      for (let i = 0; i < 3; i++) journal.add(down);
      while (journal.problem === null) await Deno.stat(directory);
      assert.match(journal.problem, /cannot be kept in ".*" \(.*directory.*\)/i);
      await Deno.remove(`${directory}/events.ndjson.1`);
      journal.add(up);
    }
    await using journal = await openJournal({ ...options, directory });
    assert.deepEqual(journal.list().map((event) => event.seq), [1, 2, 3, 4]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
