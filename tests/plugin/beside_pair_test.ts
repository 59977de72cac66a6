/**
 * The worst plugins at once beside a running pair under load: no transition, adverts on time, no request lost. Control is not
 * asked: the sandboxes are in this process, the pair in its namespaces, and what they share is the machine.
 */
import assert from "node:assert/strict";
import { soundAdverts } from "../interop/vrrp_capture.ts";
import { Client } from "../support/client.ts";
import { Pair } from "../support/pair.ts";
import { startCapture } from "../support/peers.ts";
import { interopNeeds, missing } from "../support/requirements.ts";
import { explain } from "../../runtime/demo/measure.ts";
import { Arena, checkerWith } from "./arena.ts";

const burners: readonly [name: string, body: string][] = [
  ["loop-1", "for (;;);"],
  ["loop-2", "for (;;);"],
  ["loop-3", "for (;;);"],
  ["regular-expression", `/^(a+)+$/.test("a".repeat(60) + "!");`],
  ["heap", "const all: any[] = []; for (;;) all.push({ a: [all.length] });"],
  [
    "buffers",
    "const all: any[] = []; for (;;) { try { all.push(new Uint8Array(1 << 20).fill(1)); } catch { all.length = 0; } }",
  ],
  [
    "workers",
    `for (let i = 0; i < 50; i++) new Worker("data:application/javascript,for(;;);", { type: "module" }); for (;;);`,
  ],
  ["log", `for (;;) { ctx.log.info("x".repeat(4000)); await new Promise((r) => setTimeout(r, 0)); }`],
  ["stderr", `const bytes = new Uint8Array(65536).fill(120); for (;;) Deno.stderr.writeSync(bytes);`],
];
const INTERVAL = 100, SECONDS = 12;

Deno.test({
  name: "plugins that burn all they can get move no address, delay no advert and fail no request",
  ignore: missing(interopNeeds) !== null,
  async fn() {
    await using pair = await Pair.start({ version: 3, advertInterval: `${INTERVAL}ms` });
    const client = await pair.client();
    await client.requests(50);
    const before = await Promise.all([pair.node("dlp1").status(), pair.node("dlp2").status()]);
    await using capture = await startCapture(pair.lan.host("client"), pair.scratch.path, "ip proto 112");
    const from = Client.now();
    {
      await using arena = new Arena();
      const plugins = await Promise.all(burners.map(([name, body]) => arena.plugin(name, checkerWith(body))));
      const end = performance.now() + SECONDS * 1000;
      // Killed or crashed, each is asked again as soon as it is back.
      await Promise.all(plugins.map(async (plugin) => {
        while (performance.now() < end) {
          await plugin.check("burn", 1000).catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }));
      const used = plugins.map((plugin) => plugin.sandbox.status());
      assert.ok(used.some(({ restarts, state }) => restarts > 0 || state === "quarantined"), "Nobody was killed");
    }
    const window = await client.since(from);
    const after = await Promise.all([pair.node("dlp1").status(), pair.node("dlp2").status()]);
    for (const index of [0, 1]) {
      assert.equal(after[index].vrrp[0].state, before[index].vrrp[0].state);
      assert.equal(after[index].vrrp[0].counters.transitions, before[index].vrrp[0].counters.transitions);
    }
    assert.deepEqual(client.failures(window).map(explain), []);
    await capture.stop();
    const adverts = (await soundAdverts(capture, [pair.lan.host("dlp1").address])).map(({ at }) => at);
    const late = adverts.slice(1).map((at, index) => at - adverts[index] - INTERVAL).sort((a, b) => a - b);
    const p99 = late[Math.floor(late.length * 0.99) - 1];
    assert.ok(late.length > SECONDS * 1000 / INTERVAL * 0.9, `${late.length} adverts`);
    assert.ok(p99 < 5, `Adverts were ${p99.toFixed(1)} ms late (p99), at most ${late.at(-1)!.toFixed(1)} ms`);
  },
});
