/**
 * Planned moves between two real vrrp processes, each with a web server on all addresses behind it: connections that
 * began on one node live on there while new ones begin on the other, whichever way and however often it moves.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { explain, succeeded, type Window } from "../../runtime/demo/measure.ts";
import { ahead } from "../support/ahead.ts";
import { Client } from "../support/client.ts";
import { type Running, until } from "../support/command.ts";
import { type Host, Lan } from "../support/namespaces.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const vip = "10.99.0.100";
const port = 8080;
const hosts = { one: "10.99.0.1/24", two: "10.99.0.2/24", client: "10.99.0.9/24" };

/** Two nodes: "one" has the higher priority and the address. */
class Pair implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly lan: Lan,
    readonly one: VrrpRole,
    readonly two: VrrpRole,
    private readonly servers: readonly Running[],
  ) {}

  static async start(wanted: Wanted = {}): Promise<Pair> {
    const directory = await Deno.makeTempDir();
    const lan = await Lan.create(hosts);
    const servers = [await startWeb(lan.host("one")), await startWeb(lan.host("two"))];
    const options = (host: Host, priority: number) =>
      instanceOf(host, {
        priority,
        addresses: [{ address: vip, prefix: 24, interface: host.device }],
        ports: [port],
        ...wanted,
      });
    const one = await VrrpRole.start(lan.host("one"), directory, [options(lan.host("one"), 101)]);
    await one.reaches("active");
    const two = await VrrpRole.start(lan.host("two"), directory, [options(lan.host("two"), 100)]);
    await until("two follows one, and both know that they are Tandem", () => two.status[0]?.peer?.tandem === true);
    return new Pair(directory, lan, one, two, servers);
  }

  client(
    kept: number,
    options: { readonly pause?: number; readonly pace?: number; readonly timeout?: number } = {},
  ): Client {
    return new Client(this.lan.host("client"), { address: vip, port, kept, pace: 10, timeout: 3000, ...options });
  }

  /** Moves to "two" and holds, or back; returns when the addresses are there. */
  async move(to: "one" | "two"): Promise<void> {
    const hold = { until: null, since: Date.now(), reason: "test", by: "test" };
    this.one.send(
      to === "two"
        ? { type: "failover", id: Date.now(), instance: "VI_1", hold }
        : { type: "failback", id: Date.now(), instance: "VI_1" },
    );
    const [taker, giver] = to === "two" ? [this.two, this.one] : [this.one, this.two];
    await taker.reaches("active");
    await giver.reaches("backup");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.one[Symbol.asyncDispose]();
    await this.two[Symbol.asyncDispose]();
    for (const server of this.servers) await server.stop("SIGKILL");
    await this.lan[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function startWeb(host: Host): Promise<Running> {
  const program = fileURLToPath(new URL("../support/web_program.ts", import.meta.url));
  const argv = [Deno.execPath(), "run", "-A", "--no-prompt", program, host.name, "0.0.0.0", String(port)];
  const server = host.spawn(ahead(argv));
  await server.said(/listening/);
  return server;
}

/** Copies on `lo`, rules, changed settings: what a move needs while it lasts. */
async function leftovers(host: Host): Promise<string> {
  const lo = (await host.addresses("lo")).filter((cidr) => cidr !== "127.0.0.1/8");
  const rules = (await host.run(["nft", "list", "ruleset"])).stdout;
  const base = `/proc/sys/net/ipv4/conf/${host.device}`;
  const settings = (await host.run(["cat", `${base}/arp_ignore`, `${base}/arp_announce`])).stdout;
  return [...lo, rules, settings.replaceAll(/\s+/g, "") === "00" ? "" : settings].join("");
}

async function assertClean(pair: Pair, timeout = 3000): Promise<void> {
  for (const name of ["one", "two"]) {
    const host = pair.lan.host(name);
    await until(`nothing is left on ${name}`, async () => await leftovers(host) === "", { timeout }).catch(
      async (error) => assert.fail(`${error.message}; there is ${await leftovers(host)}`),
    );
  }
}

function assertServed(client: Client, window: Window, what: string): void {
  const gap = client.gap(window);
  assert.ok(gap < 50, `${what}: nobody was served for ${gap.toFixed(1)} ms`);
}

Deno.test("handover: ten moves to and fro under load, no failed request, no reset, gaps under 50 ms", async () => {
  await using pair = await Pair.start();
  await using client = pair.client(20);
  await client.requests(300);
  const from = Client.now();
  for (let i = 0; i < 10; i++) {
    const to = i % 2 === 0 ? "two" : "one";
    const begun = Client.now();
    await pair.move(to);
    await client.requests(300);
    const window = await client.since(begun);
    assertServed(client, window, `move ${i + 1}`);
    assert.deepEqual(await pair.lan.holders(vip), [to]);
    const fresh = client.samples.filter(({ kind, started }) => kind === "new" && started > window.to - 200);
    assert.ok(fresh.every(({ outcome }) => outcome.type === "served" && outcome.server === to), "new ones begin there");
  }
  const window = await client.since(from);
  assert.deepEqual(client.failures(window).map(explain), []);
  const kept = client.samples.filter((sample) => sample.kind === "kept" && succeeded(sample));
  assert.ok(kept.every(({ outcome }) => outcome.type === "served" && outcome.server === "one"), "kept at their server");
  assert.equal(client.neighbours.at(-1)?.mac, await pair.lan.host("one").mac());
  // To backup and to active at the start, then the ten.
  assert.equal(pair.one.transitions, 12);
  await client.stop();
  await assertClean(pair);
});

Deno.test("handover: what still lives on the giver is told, and a move is over when it ended", async () => {
  await using pair = await Pair.start();
  const client = pair.client(7);
  await client.requests(100);
  await pair.move("two");
  await until("one counts what it keeps", () => pair.one.status[0].handover?.connections === 7);
  assert.equal(pair.one.status[0].handover?.phase, "draining");
  assert.equal(pair.two.status[0].handover?.phase, "forwarding");
  assert.notEqual(await leftovers(pair.lan.host("two")), "");
  await client.stop();
  await until("both are done", () => pair.one.status[0].handover === null && pair.two.status[0].handover === null);
  await assertClean(pair);
});

Deno.test("handover: the drain cuts what is left when its time is over, and both nodes are clean", async () => {
  await using pair = await Pair.start({ handover: { connections: "auto", drain: 2000 } });
  await using client = pair.client(3, { pause: 100 });
  await client.requests(50);
  await pair.move("two");
  await client.requests(50);
  await assertClean(pair, 4000);
  await client.requests(50);
  const last = client.samples.slice(-20);
  assert.ok(last.every(({ outcome }) => outcome.type === "served" && outcome.server === "two"));
  await client.stop();
});

Deno.test("handover: by preemption, and by stop, no request fails", async () => {
  await using pair = await Pair.start();
  await using client = pair.client(5);
  await client.requests(100);
  let from = Client.now();
  const stopped = pair.one.stop();
  await pair.two.reaches("active");
  await client.requests(200);
  let window = await client.since(from);
  assert.deepEqual(client.failures(window).map(explain), []);
  assertServed(client, window, "stop");

  // While the stopped one still drains it holds its connections; a drain without clients ends at once.
  await client.stop();
  assert.equal(await stopped, 0);
  await assertClean(pair);

  await using again = pair.client(5);
  await again.requests(100);
  from = Client.now();
  const host = pair.lan.host("one");
  const options = instanceOf(host, {
    priority: 101,
    addresses: [{ address: vip, prefix: 24, interface: host.device }],
    ports: [port],
  });
  await using back = await VrrpRole.start(host, pair.directory, [options]);
  await back.reaches("active");
  await again.requests(200);
  window = await again.since(from);
  assert.deepEqual(again.failures(window).map(explain), []);
  assertServed(again, window, "preemption");
  await again.stop();
  await assertClean(pair);
});

Deno.test("handover: the taker dies while the giver still drains, and the giver's connections live on", async () => {
  await using pair = await Pair.start();
  await using client = pair.client(5, { pace: 0, timeout: 15_000 });
  await client.requests(50);
  await pair.move("two");
  await client.requests(50);
  await pair.lan.port("two", "down");
  await pair.two.kill();
  await pair.one.reaches("active");
  await client.requests(200, 20_000);
  assert.deepEqual(client.failures({ from: 0, to: Infinity }).map(explain), []);
  assert.ok(client.samples.every(({ outcome }) => outcome.type === "served" && outcome.server === "one"));
  assert.equal(await leftovers(pair.lan.host("one")), "");
  await client.stop();
});

Deno.test("handover: killed in the middle, the next run cleans up and the address is on one node", async () => {
  await using pair = await Pair.start();
  await using client = pair.client(5);
  await client.requests(100);
  await pair.move("two");
  await pair.one.kill();
  await pair.two.kill();
  // The rules went with their process; leases and settings wait for the next run.
  assert.equal((await pair.lan.host("two").run(["nft", "list", "ruleset"])).stdout, "");
  await client.stop();
  const options = (name: string, priority: number) => {
    const host = pair.lan.host(name);
    const addresses = [{ address: vip, prefix: 24, interface: host.device }];
    return { host, options: instanceOf(host, { priority, addresses, ports: [port] }) };
  };
  const first = options("one", 101);
  const second = options("two", 100);
  await using one = await VrrpRole.start(first.host, pair.directory, [first.options]);
  await using _two = await VrrpRole.start(second.host, pair.directory, [second.options]);
  await assertClean(pair, 500);
  await one.reaches("active");
  assert.deepEqual(await pair.lan.holders(vip), ["one"]);
});

Deno.test("handover: whoever is started while the one before still drains leaves that one what it needs", async () => {
  await using pair = await Pair.start();
  await using client = pair.client(5);
  await client.requests(100);
  const stopped = pair.one.stop();
  await pair.two.reaches("active");
  await client.requests(50);

  const host = pair.lan.host("one");
  const addresses = [{ address: vip, prefix: 24, interface: host.device }];
  const options = instanceOf(host, { priority: 50, addresses, ports: [port] });
  await using back = await VrrpRole.start(host, pair.directory, [options]);
  await until("it says so", () => /still serves its connections/.test(back.log));
  const from = Client.now();
  // Copies are renewed each second: whoever removed one would see it come back, and ARP answered twice meanwhile.
  for (let look = 0; look < 10; look++) {
    await client.requests(20);
    assert.equal(await leftovers(host), `${vip}/321\n2\n`);
  }
  const window = await client.since(from);
  assert.deepEqual(client.failures(window).map(explain), []);
  const { samples } = client;
  assert.ok(samples.slice(-50).some(({ outcome }) => outcome.type === "served" && outcome.server === "one"));

  await client.stop();
  assert.equal(await stopped, 0);
  await assertClean(pair);
  // Its channel was taken until now, and no event of the network says that it is free.
  await until("two answers on the channel", () => back.status[0]?.peer?.tandem === true);
  const answers = await pair.two.move("failover", { reason: "test" });
  assert.deepEqual(answers.map(({ outcome }) => outcome), ["accepted", "moved", "drained"]);
  await back.reaches("active");
  assert.equal(pair.two.events.findLast(({ type }) => type === "vrrp.transition")?.fields.connections, "kept");
});
