/** The access log of a whole node: where its lines go, over rotations and reloads, and who can ask for them. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { Scratch } from "../support/scratch.ts";
import { Running, until } from "../support/command.ts";
import { tandem, tandemCommand } from "../support/tandem.ts";
import { answering, freePort, get, Origin, Wire } from "./proxy_support.ts";

/** A node on this machine, without virtual routers. */
class NodeUnderTest implements AsyncDisposable {
  readonly port = freePort();
  readonly #admin = freePort();
  readonly #scratch = new Scratch();
  #child: Deno.ChildProcess | null = null;

  constructor(readonly origin: number, readonly log: string, readonly top = "") {}

  get directory(): string {
    return this.#scratch.path;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  readonly reach = ["--admin", `http://127.0.0.1:${this.#admin}`];

  async write(log: string): Promise<void> {
    await Deno.writeTextFile(
      `${this.directory}/tandem.yaml`,
      `version: 1
frontends: { in: { bind: "127.0.0.1:${this.port}", default_backend: web } }
backends: { web: { servers: { a: "127.0.0.1:${this.origin}" } } }
proxy: { threads: 2 }
admin: { bind: "127.0.0.1:${this.#admin}", socket: none }
log: ${log.replaceAll("DIRECTORY", this.directory)}
${this.top}
`,
    );
  }

  /** `stdout` is the caller's to read. */
  async start(): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    await this.write(this.log);
    const [program, ...args] = tandemCommand(["run", "--config", `${this.directory}/tandem.yaml`]);
    this.#child = new Deno.Command(program, {
      args,
      env: { TANDEM_STATE_DIR: `${this.directory}/state` },
      stdin: "null",
      stdout: "piped",
      stderr: Deno.env.get("TANDEM_TEST_LOG") ? "inherit" : "null",
    }).spawn();
    await until("the node serves", async () => {
      const status = await this.api("/api/v1/status").catch(() => null);
      return status !== null && (await status.json()).phase === "running";
    });
    return this.#child.stdout;
  }

  api(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#admin}${path}`);
  }

  async reload(log: string): Promise<string> {
    await this.write(log);
    return (await tandem(["reload", ...this.reach])).stdout;
  }

  /** Sends `count` requests, numbered from `from`. */
  async requests(from: number, count: number): Promise<void> {
    using wire = await Wire.to(this.port);
    for (let i = from; i < from + count; i++) {
      await wire.send(`GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await wire.message();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    child.kill("SIGTERM");
    await child.status;
    this.#scratch[Symbol.dispose]();
  }
}

const discard = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => void stream.pipeTo(new WritableStream());
const targets = (text: string) =>
  text.split("\n").filter((line) => line !== "").map((line) => Number(JSON.parse(line).target.slice(1)));
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

Deno.test("a file rotated by size, by others and by reloads under load has every line once", async () => {
  await using origin = new Origin(answering("ok"));
  const log = "{ access: { to: { file: DIRECTORY/access.log, rotate: { size: 64KiB, keep: 100 } } } }";
  await using node = new NodeUnderTest(origin.port, log);
  discard(await node.start());
  const path = `${node.directory}/access.log`;
  await node.requests(0, 1000);
  // As logrotate does.
  await Deno.rename(path, `${path}.moved`);
  Deno.kill(node.pid, "SIGHUP");
  await node.requests(1000, 500);
  await Deno.rename(path, `${path}.moved2`);
  await node.requests(1500, 500);
  const all = async () => {
    let text = "";
    for await (const { name } of Deno.readDir(node.directory)) {
      if (name.startsWith("access.log")) text += await Deno.readTextFile(`${node.directory}/${name}`);
    }
    return targets(text).sort((a, b) => a - b);
  };
  await until("all lines are there", async () => (await all()).length >= 2000);
  assert.deepEqual(await all(), numbers(2000));
  assert.deepEqual((await (await node.api("/api/v1/status")).json()).access_log, {
    format: "json",
    to: path,
    dropped: 0,
    lost: 0,
  });
  // Of the file, whatever is in it by now.
  const { lines } = await (await node.api("/api/v1/logs?limit=3")).json();
  assert.deepEqual(targets(lines.join("\n")), [1997, 1998, 1999]);
});

Deno.test("lines on stdout; `logs` shows the last ones, by status, and those that come", async () => {
  await using origin = new Origin(async (wire) => {
    for (;;) {
      const head = await wire.message();
      const status = head.startsWith("GET /1") ? "500 No" : "200 OK";
      await wire.send(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    }
  });
  await using node = new NodeUnderTest(origin.port, "{ access: {} }");
  const stdout = await node.start();
  let text = "";
  const reading = stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (chunk) => void (text += chunk) }),
  );
  await node.requests(0, 15);
  await until("all lines are there", () => Promise.resolve(text.split("\n").length === 16));
  assert.deepEqual(targets(text), numbers(15));
  const shown = async (...args: string[]) => targets((await tandem(["logs", ...node.reach, ...args])).stdout);
  assert.deepEqual(await shown("--limit", "2"), [13, 14]);
  assert.deepEqual(await shown("--status", "5xx"), [1, 10, 11, 12, 13, 14]);
  assert.deepEqual(await shown("--status", "4xx"), []);
  const refused = await tandem(["logs", "--status", "bad", ...node.reach], { allowFailure: true });
  assert.deepEqual([refused.code, refused.stderr.includes('"status" must be such as 5xx')], [2, true]);
  {
    const argv = tandemCommand(["logs", "--follow", "--limit", "0", "--status", "500", ...node.reach]);
    await using following = new Running("logs", argv);
    // Until it listens nothing can be missed, behind that nothing is.
    await until("it follows", async () => {
      await node.requests(1, 2);
      return following.output.includes('"target":"/1"');
    });
    assert.ok(!following.output.includes('"target":"/2"'));
  }
  assert.match(await node.reload("{ access: { to: none } }"), /^updated log\.access\n$/);
  const before = text;
  await node.requests(0, 5);
  const off = await node.api("/api/v1/logs");
  assert.deepEqual([off.status, /not logged: set log\.access/.test((await off.json()).error)], [409, true]);
  assert.equal(text, before);
  await node[Symbol.asyncDispose]();
  await reading;
});

Deno.test("a stdout that nobody reads holds up neither requests nor the node", async () => {
  await using origin = new Origin(answering("ok"));
  const port = freePort();
  await using deaf = new NodeUnderTest(
    origin.port,
    "{ access: { format: text } }",
    `metrics: { bind: "127.0.0.1:${port}" }`,
  );
  const stdout = await deaf.start();
  const began = performance.now();
  await Promise.all(numbers(8).map((i) => deaf.requests(i * 1000, 1500)));
  assert.ok(performance.now() - began < 20_000);
  const dropped = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^tandem_access_log_dropped_lines_total\{by="reader"\} (\d+)$/m.exec(text)?.[1]);
  };
  await until("losses are counted", async () => (await dropped()) > 100);
  assert.match(await get(deaf.port), /^HTTP\/1\.1 200 /);
  discard(stdout);
});

Deno.test("syslog: each request is one RFC 5424 datagram; metrics go to who may ask", async () => {
  await using origin = new Origin(answering("ok"));
  const socket = createSocket("udp4");
  const received: string[] = [];
  socket.on("message", (message) => received.push(message.toString()));
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const port = freePort();
  await using node = new NodeUnderTest(
    origin.port,
    `{ access: { to: { syslog: "127.0.0.1:${socket.address().port}" } } }`,
    `metrics: { bind: "127.0.0.1:${port}", allow: [10.0.0.0/8] }`,
  );
  discard(await node.start());
  await node.requests(0, 200);
  await until("all datagrams are there", () => Promise.resolve(received.length >= 200));
  const messages = received.map((text) => /^<134>1 \S+Z \S+ tandem \d+ access - (\{.*\})$/.exec(text)?.[1] ?? text);
  assert.deepEqual(targets(messages.join("\n")), numbers(200));
  const denied = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.deepEqual([denied.status, await denied.text()], [403, "Not for this address\n"]);
  await new Promise<void>((resolve) => socket.close(resolve));
});
