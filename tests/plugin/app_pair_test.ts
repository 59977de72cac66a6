/** Hostile applications at routes of a running pair, asked all the time beside what it serves: VRRP does not notice, nor a client. */
import assert from "node:assert/strict";
import { soundAdverts } from "../interop/vrrp_capture.ts";
import { explain } from "../../runtime/demo/measure.ts";
import { Client } from "../support/client.ts";
import { Pair } from "../support/pair.ts";
import { startCapture } from "../support/peers.ts";
import { request } from "../support/request.ts";
import { interopNeeds, missing } from "../support/requirements.ts";
import { pairAddress } from "../support/tandem.ts";
import { hostileApps } from "./app_attacks.ts";

const INTERVAL = 50;
/** ms an advert may be late, 99 of 100 times. */
const LATE = 5;
/** How often each is asked. */
const TIMES = 12;

Deno.test({
  name: "hostile applications move no address, delay no advert and fail no other request",
  ignore: missing(interopNeeds) !== null,
  async fn() {
    // Whose responses are cut off has a test of its own: the client here takes only whole ones.
    const names = Object.keys(hostileApps).filter((name) => name !== "garbage");
    const routes = names.map((name) => `  - { match: { path: /${name} }, app: ${name}, timeouts: { server: 1s } }`);
    await using pair = await Pair.prepare({
      version: 3,
      advertInterval: `${INTERVAL}ms`,
      frontend: ["routes:", ...routes],
      top: ["plugins:", ...names.map((name) => `  ${name}: { source: ./${name} }`)],
    });
    for (const [name, { code }] of Object.entries(hostileApps)) {
      await Deno.mkdir(pair.scratch.file(name));
      const manifest = `name: acme/${name}\nversion: 1.0.0\nkind: app\nentry: main.ts\npublisher: { name: Acme }\n`;
      await Deno.writeTextFile(pair.scratch.file(`${name}/plugin.yaml`), manifest);
      await Deno.writeTextFile(pair.scratch.file(`${name}/main.ts`), code);
    }
    await Promise.all([pair.startNode("dlp1"), pair.startNode("dlp2")]);
    await pair.converged("dlp1", 15_000);
    const node = pair.node("dlp1");
    await node.waitFor("all run", ({ plugins }) => plugins.every(({ state }) => state === "running"), 30_000);
    const client = await pair.client();
    await client.requests(50);
    const transitions = async () =>
      (await Promise.all([node.status(), pair.node("dlp2").status()])).map(({ vrrp: [{ state, counters }] }) =>
        `${state}, ${counters.transitions} transitions`
      ).join("; ");
    const before = await transitions();
    await using capture = await startCapture(pair.lan.host("client"), pair.scratch.path, "ip proto 112");
    const from = Client.now();
    const asked = await Promise.all(
      names.map(async (name) =>
        (await request(pair.lan.host("client"), { address: pairAddress, path: `/${name}`, times: TIMES })).length
      ),
    );
    const window = await client.since(from);
    assert.equal(await transitions(), before, await pair.explain());
    assert.deepEqual(client.failures(window).map(explain), []);
    assert.deepEqual(asked, names.map(() => TIMES));
    await capture.stop();
    const adverts = (await soundAdverts(capture, [pair.lan.host("dlp1").address])).map(({ at }) => at);
    const late = adverts.slice(1).map((at, index) => at - adverts[index] - INTERVAL).sort((a, b) => a - b);
    assert.ok(late.length > 50, `${late.length} adverts`);
    const p99 = late[Math.ceil(late.length * 0.99) - 1];
    assert.ok(p99 < LATE, `Adverts were ${p99.toFixed(1)} ms late (p99), at most ${late.at(-1)!.toFixed(1)} ms`);
    for (const { name, restarts, state, last_error: error } of (await node.status()).plugins) {
      const { ends } = hostileApps[name];
      if (ends !== null) assert.ok(restarts > 0 || state === "quarantined", `${name} was never ended: ${error}`);
    }
  },
});
