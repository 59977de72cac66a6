/** The example policy on a whole node: what the engine measures of servers moves their load, and `status` and metrics tell it. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { pause } from "../http/wire.ts";
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type Status } from "../support/tandem.ts";
import { freePort, get, Origin } from "./proxy_support.ts";

/** This machine, as it is. */
const here = { name: "n1", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;
const source = fileURLToPath(new URL("../../plugins/examples/zone_latency", import.meta.url));

/** An origin whose manner is asked for anew with each request. */
function origin(manner: () => { readonly letter: string; readonly after?: number; readonly status?: number }): Origin {
  return new Origin(async (wire) => {
    for (;;) {
      await wire.message();
      const { letter, after = 0, status = 200 } = manner();
      if (after > 0) await pause(after);
      await wire.send(`HTTP/1.1 ${status} X\r\nContent-Length: 1\r\n\r\n${letter}`);
    }
  });
}

/** Asks `count` times, four at a time; the part of the answers that `letter` gave. */
async function share(port: number, letter: string, count = 200): Promise<number> {
  let left = count;
  let given = 0;
  const client = async () => {
    while (left-- > 0) if ((await get(port)).endsWith(letter)) given++;
  };
  await Promise.all([client(), client(), client(), client()]);
  return given / count;
}

Deno.test("zone_latency: load leaves the server that answers late or with 5xx, and comes back", async (t) => {
  let slow = 0;
  let status = 200;
  await using a = origin(() => ({ letter: "a" }));
  await using b = origin(() => ({ letter: "b", after: slow, status }));
  using scratch = new Scratch();
  // Plugins have uids of their own: what they run from must be where those may go.
  await Deno.chmod(scratch.path, 0o755);
  await cp(source, `${scratch.path}/zone_latency`, { recursive: true });
  const port = freePort();
  const file = `${scratch.path}/tandem.yaml`;
  await Deno.writeTextFile(
    file,
    `version: 1
admin: { bind: none, socket: ${scratch.path}/n1.sock }
proxy: { threads: 2 }
plugins: { zones: { source: ./zone_latency } }
frontends:
  in: { bind: "127.0.0.1:${port}", default_backend: web }
backends:
  web:
    balance: { use: zones }
    servers: { one: "127.0.0.1:${a.port}", two: "127.0.0.1:${b.port}" }
`,
  );
  const node = await startTandem(here, { file, directory: scratch.path });
  try {
    const two = ({ backends: [{ servers: [, two] }] }: Status) => two;
    /** Serves until the second server's part, and what is measured of it, are as wanted. */
    const until = async (what: string, is: (part: number, server: ReturnType<typeof two>) => boolean) => {
      let said = "";
      for (const end = performance.now() + 40_000; performance.now() < end;) {
        const part = await share(port, "b");
        const server = two(await node.status());
        if (is(part, server)) return;
        said = `${part} of the requests go to ${JSON.stringify(server)}`;
      }
      assert.fail(`${what}: ${said}`);
    };
    await node.waitFor("the policy has a plan", ({ backends: [{ plan }] }) => typeof plan?.explain === "string");

    await t.step("both get their part while both are fast", () => until("fast", (part) => part > 0.35 && part < 0.65));
    await t.step("a server that answers 60 ms late gets little", async () => {
      slow = 60;
      await until("slow", (part, { response_ms: ms, responses }) => {
        assert.ok(responses["2xx"] > 0 && responses["5xx"] === 0, JSON.stringify(responses));
        return part < 0.2 && ms !== null && ms > 30;
      });
    });
    await t.step("it gets its part back when it is fast again", async () => {
      slow = 0;
      await until("fast again", (part) => part > 0.38);
    });
    await t.step("a server that answers with 503 gets little", async () => {
      status = 503;
      await until("failing", (part, { error_rate: rate, responses }) => {
        return part < 0.2 && rate > 0.5 && responses["5xx"] > 0;
      });
    });
    const { body } = await node.api("GET", "/metrics");
    for (const sample of ['server="two",code="5xx"', 'backend="web",code="2xx"']) {
      assert.match(body, new RegExp(`_responses_total\\{[^}]*${sample}\\} [1-9]`));
    }
    const [, seconds] = /tandem_server_response_seconds_total\{backend="web",server="two"\} (\S+)/.exec(body) ?? [];
    assert.ok(Number(seconds) > 1, `${seconds} s`);
  } finally {
    await node.stop();
  }
});
