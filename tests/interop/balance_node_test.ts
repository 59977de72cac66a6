/** A whole node, without virtual routers: what operators say of servers, what requests say of them, where their names lead. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type Status, type TandemNode } from "../support/tandem.ts";
import { answering, freePort, get, Origin } from "./proxy_support.ts";

/** This machine, as it is. */
const here = { name: "n1", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;

/** This machine with another resolv.conf, for whatever runs in it. */
function resolvingBy(file: string): Host {
  const script = `mount --bind ${file} /etc/resolv.conf && exec "$@"`;
  return {
    name: "n1",
    inside: (argv: readonly string[]) => ["unshare", "-m", "sh", "-c", script, "sh", ...argv],
  } as unknown as Host;
}

/** A name server that answers every question for an IPv4 address with `address`, good for a second; null = silence. */
class NameServer implements Disposable {
  address: string | null = null;
  questions = 0;
  readonly #socket = createSocket("udp4");

  static async start(ip: string): Promise<NameServer> {
    const server = new NameServer();
    await new Promise<void>((resolve) => server.#socket.bind(53, ip, () => resolve()));
    return server;
  }

  constructor() {
    this.#socket.on("message", (message, { port, address: from }) => {
      this.questions++;
      if (this.address === null) return;
      let end = 12;
      while (message[end] !== 0) end += message[end] + 1;
      const question = message.subarray(12, end + 5);
      const isA = message[end + 2] === 1;
      const head = Uint8Array.of(message[0], message[1], 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0);
      const record = isA
        ? Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...this.address.split(".").map(Number))
        : [];
      this.#socket.send(Uint8Array.from([...head, ...question, ...record]), port, from);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

interface World extends AsyncDisposable {
  readonly node: TandemNode;
  readonly port: number;
  readonly scratch: Scratch;
  /** Writes another configuration and reloads. */
  reload(backend: string): Promise<void>;
}

function configuration(directory: string, port: number, backend: string): string {
  return [
    "version: 1",
    `admin: { bind: none, socket: ${directory}/n1.sock }`,
    "proxy: { threads: 2 }",
    "frontends:",
    `  in: { bind: "127.0.0.1:${port}", default_backend: web }`,
    "backends:",
    "  web:",
    ...backend.trim().split("\n").map((line) => `    ${line}`),
  ].join("\n") + "\n";
}

async function start(backend: string, host = here, scratch = new Scratch()): Promise<World> {
  const port = freePort();
  const file = `${scratch.path}/tandem.yaml`;
  const write = (backend: string) => Deno.writeTextFile(file, configuration(scratch.path, port, backend));
  await write(backend);
  const node = await startTandem(host, { file, directory: scratch.path });
  await node.waitFor("it runs", ({ phase }) => phase === "running");
  return {
    node,
    port,
    scratch,
    async reload(backend) {
      await write(backend);
      assert.equal((await node.api("POST", "/api/v1/reload")).status, 200);
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
      if (host === here) scratch[Symbol.dispose]();
    },
  };
}

async function ask(port: number, count: number, fields = ""): Promise<string> {
  let letters = "";
  for (let i = 0; i < count; i++) letters += (await get(port, "/", fields)).slice(-1);
  return letters;
}

function states({ backends }: Status): string {
  return backends[0].servers.map(({ state }) => state).join(" ");
}

Deno.test("what the operator says of servers holds at once, over reloads, and is listed until it is taken back", async () => {
  await using a = new Origin(answering("a"));
  await using b = new Origin(answering("b"));
  const servers = (extra = "") => `
stickiness: { cookie: SRV, value: name }
${extra}
servers:
  one: 127.0.0.1:${a.port}
  two: 127.0.0.1:${b.port}`;
  await using world = await start(servers());
  const { node, port } = world;
  const say = async (server: string, change: unknown) => {
    const { status, body } = await node.api("PUT", `/api/v1/backends/web/servers/${server}`, change);
    assert.equal(status, 200, body);
  };
  assert.deepEqual([...await ask(port, 10)].sort().join(""), "aaaaabbbbb");

  await say("one", { state: "drain", reason: "disk" });
  assert.equal(await ask(port, 6), "bbbbbb");
  assert.equal(await ask(port, 4, "Cookie: SRV=one\r\n"), "aaaa", "who was there before may come back");
  await world.reload(servers("retries: 2"));
  assert.equal(await ask(port, 6), "bbbbbb");
  const listed = (await node.status()).overrides.map((one) =>
    one.kind === "server" && [one.about, one.state, one.reason]
  );
  assert.deepEqual(listed, [["web/one", "drain", "disk"]]);

  await say("one", { state: "maint", reason: "disk" });
  assert.equal(await ask(port, 4, "Cookie: SRV=one\r\n"), "bbbb", "maintenance is for everybody");
  await say("one", { state: "ready" });
  assert.deepEqual((await node.status()).overrides, []);
  assert.equal(await ask(port, 2, "Cookie: SRV=one\r\n"), "aa");

  await say("two", { weight: 3, reason: "stronger" });
  assert.equal([...await ask(port, 12)].filter((letter) => letter === "b").length, 9);
  await say("two", { weight: 0 });
  assert.equal(await ask(port, 6), "aaaaaa");
  await world.reload(servers());
  assert.equal(await ask(port, 6), "aaaaaa");
  await say("two", { weight: 1 });
  assert.equal([...await ask(port, 10)].filter((letter) => letter === "b").length, 5);
});

Deno.test("a server that fails requests is left alone, with a reason and an event, and comes back by itself", async () => {
  let broken = true;
  await using a = new Origin(answering("a"));
  await using b = new Origin(async (wire) => {
    for (;;) {
      await wire.message();
      if (broken) return;
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
    }
  });
  await using world = await start(`
passive: { errors: 3, eject: 1s }
check: { interval: 200ms }
servers: { one: "127.0.0.1:${a.port}", two: "127.0.0.1:${b.port}" }`);
  const { node, port } = world;
  // Its check connects and finds it well; only requests know better.
  const answers = [];
  for (let i = 0; i < 6; i++) answers.push((await get(port)).slice(9, 12));
  assert.equal(answers.filter((status) => status === "502").length, 3);
  await node.waitFor("it is ejected", (status) => states(status) === "up down");
  assert.equal(await ask(port, 6), "aaaaaa");
  const [, two] = (await node.status()).backends[0].servers;
  assert.match(two.reason, /^ejected for 1 s: 3 requests in a row failed, the last one: the connection ended without/);
  assert.equal(two.check?.ok, true);
  const events = JSON.parse((await node.api("GET", "/api/v1/events")).body);
  assert.ok(JSON.stringify(events).includes("web/two is down: ejected for 1 s"));
  broken = false;
  await node.waitFor("it is back", (status) => states(status) === "up up", 5000);
  assert.equal([...await ask(port, 10)].filter((letter) => letter === "b").length, 5);
});

Deno.test("each server may be checked in its own way, and what is expected of fields and bodies counts", async () => {
  const app = (letter: string, ready: string) =>
    new Origin(async (wire) => {
      for (;;) {
        const head = await wire.message();
        const body = head.startsWith("GET /ready ") ? ready : letter;
        await wire.send(`HTTP/1.1 200 OK\r\nX-Role: ${letter}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
  await using a = app("a", "ready");
  await using b = app("b", "starting");
  await using c = app("c", "starting");
  await using world = await start(`
check: { type: http, path: /ready, expect: { body: /^ready$/ }, interval: 200ms, rise: 1, fall: 1 }
servers:
  one: 127.0.0.1:${a.port}
  two: 127.0.0.1:${b.port}
  three: { address: "127.0.0.1:${c.port}", check: { path: /, expect: { headers: { x-role: c }, body: null } } }
  four: { address: "127.0.0.1:${freePort()}", check: none, weight: 0 }
  five: { address: "127.0.0.1:${freePort()}", check: { port: ${a.port} }, weight: 0 }`);
  const { node, port } = world;
  await node.waitFor("checks are done", (status) => states(status) === "up down up up up");
  const [, two, , four] = (await node.status()).backends[0].servers;
  assert.match(two.reason, /^got the body "starting", wanted \/\^ready\$\/, in /);
  assert.equal(four.check, null);
  assert.deepEqual(new Set(await ask(port, 6)), new Set(["a", "c"]));
});

Deno.test("a node starts whatever becomes of names, and serves where they lead", async () => {
  await using a = new Origin(answering("a"));
  await using world = await start(`
servers:
  one: localhost:${a.port}
  two: no-such-host.invalid:80`);
  const { node, port } = world;
  const two = await node.waitFor(
    "it was asked for",
    ({ backends: [{ servers: [, two] }] }) => two.reason.startsWith("cannot resolve") && two,
  );
  const [one] = (await node.status()).backends[0].servers;
  assert.deepEqual([one.state, one.address, one.resolved], ["up", `localhost:${a.port}`, "127.0.0.1"]);
  assert.deepEqual([two.state, two.resolved], ["unresolved", null]);
  assert.match(two.reason, /^cannot resolve "no-such-host\.invalid": /);
  assert.equal(await ask(port, 4), "aaaa");
  const kept = JSON.parse(await Deno.readTextFile(`${world.scratch.path}/n1/names.json`));
  assert.deepEqual(kept, { localhost: "127.0.0.1" });
  await world.reload(`servers: { two: "no-such-host.invalid:80", three: "localhost:${a.port}" }`);
  await node.waitFor("the reload is done", (status) => states(status) === "unresolved up");
  assert.equal(await ask(port, 4), "aaaa");
});

Deno.test("a name is followed at its time to live, kept while nobody answers, and known to the next run", async () => {
  const scratch = new Scratch();
  const serve = (hostname: string, letter: string, port: number) =>
    Deno.serve({ hostname, port, onListen: () => {} }, () => new Response(letter));
  await using a = serve("127.0.0.1", "a", 0);
  await using _ = serve("127.0.0.2", "b", a.addr.port);
  using names = await NameServer.start("127.0.0.77");
  names.address = "127.0.0.1";
  const resolv = `${scratch.path}/resolv.conf`;
  await Deno.writeTextFile(resolv, "nameserver 127.0.0.77\noptions timeout:1 attempts:1\n");
  const backend = `servers: { one: "web.example.org:${a.addr.port}" }`;
  const resolved = ({ backends: [{ servers: [one] }] }: Status) => `${one.state} ${one.resolved}`;
  {
    await using world = await start(backend, resolvingBy(resolv), scratch);
    const { node, port } = world;
    await node.waitFor("it is resolved", (status) => resolved(status) === "up 127.0.0.1");
    assert.equal(await ask(port, 2), "aa");
    names.address = "127.0.0.2";
    await node.waitFor("it has moved", (status) => resolved(status) === "up 127.0.0.2", 5000);
    assert.equal(await ask(port, 2), "bb");
    names.address = null;
    const before = names.questions;
    await node.waitFor("it was asked for in vain", () => names.questions > before, 5000);
    assert.equal(await ask(port, 2), "bb");
    await node.stop();
    const began = performance.now();
    await using again = await start(backend, resolvingBy(resolv), scratch);
    assert.ok(performance.now() - began < 5000, "nobody waits for names that are known");
    assert.equal(resolved(await again.node.status()), "up 127.0.0.2");
    assert.equal(await ask(again.port, 2), "bb");
  }
  scratch[Symbol.dispose]();
});
