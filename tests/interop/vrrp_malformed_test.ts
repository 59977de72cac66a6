/** A thousand malformed advertisements a second of every kind: counted, told once a minute, and nothing else. */
import assert from "node:assert/strict";
import type { DropReason, InstanceStatus } from "../../runtime/vrrp/protocol.ts";
import { Lan } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { type Kind, kinds } from "./vrrp_flood.ts";
import { instanceOf, VrrpRole, type Wanted } from "./vrrp_role.ts";

const hosts = { dlp1: "192.0.2.1/24", dlp2: "192.0.2.2/24", mallory: "192.0.2.66/24" };
const rate = 1000;
const seconds = 2;

const versions: readonly { readonly version: 2 | 3; readonly wanted: Wanted; readonly kinds: readonly Kind[] }[] = [
  {
    version: 2,
    wanted: { version: 2, authentication: { type: "pass", password: "1111", alsoAccept: [] } },
    kinds: Object.keys(kinds) as Kind[],
  },
  {
    version: 3,
    wanted: { version: 3 },
    // What version 3 has not: a password, an interval to agree on.
    kinds: (Object.keys(kinds) as Kind[]).filter((kind) => !/password|other-interval/.test(kind)),
  },
];

for (const { version, wanted, kinds: wrong } of versions) {
  Deno.test(`malformed advertisements of version ${version} move nothing`, async (t) => {
    using scratch = new Scratch();
    await using lan = await Lan.create(hosts);
    const [one, two, mallory] = [lan.host("dlp1"), lan.host("dlp2"), lan.host("mallory")];
    await using active = await VrrpRole.start(one, scratch.path, [instanceOf(one, { ...wanted, priority: 200 })]);
    await active.reaches("active");
    await using backup = await VrrpRole.start(two, scratch.path, [instanceOf(two, { ...wanted, priority: 100 })]);
    await wait(2500);
    const before = [active, backup].map((role) => role.transitions);
    const cpuBefore = await cpuSeconds(active.pid);
    const begin = performance.now();

    for (const kind of wrong) {
      await t.step(`${kind}: counted as "${kinds[kind]}"`, async () => {
        const roles = kind === "unicast" ? [active] : [active, backup];
        const counted = roles.map((role) => dropped(role.status[0], kinds[kind]));
        const argv = ["deno", "run", "-A", "--quiet", new URL("./vrrp_flood.ts", import.meta.url).pathname];
        const facts = [mallory.device, mallory.address, version, seconds, rate, one.address, kind].map(String);
        const sent = Number((await mallory.run([...argv, ...facts])).stdout);
        assert.ok(sent > 0.8 * rate * seconds, `${sent} were sent`);
        await wait(1200);
        for (const [index, role] of roles.entries()) {
          const more = dropped(role.status[0], kinds[kind]) - counted[index];
          assert.equal(more, sent, `${role.host.name} counted ${more} of ${sent}`);
        }
      });
    }

    await t.step("no transition, one line a minute a cause, little CPU", async () => {
      assert.deepEqual([active, backup].map((role) => role.transitions), before);
      assert.deepEqual(await lan.holders("192.0.2.100"), ["dlp1"]);
      const minutes = Math.ceil((performance.now() - begin) / 60_000);
      for (const role of [active, backup]) {
        for (const reason of new Set(wrong.map((kind) => kinds[kind]))) {
          const lines = role.log.split("\n").filter((line) => line.includes(`"reason":"${reason}"`));
          assert.ok(
            lines.length <= minutes,
            `${role.host.name}: ${lines.length} lines about ${reason}:\n${lines.join("\n")}`,
          );
        }
        const told = role.events.filter(({ type }) => type === "dropped").length;
        assert.ok(told <= minutes * new Set(Object.values(kinds)).size, `${told} events`);
      }
      const share = (await cpuSeconds(active.pid) - cpuBefore) / (wrong.length * seconds);
      assert.ok(share < 0.15, `${(share * 100).toFixed(1)} % of a core while ${rate} came a second`);
    });
  });
}

function dropped(status: InstanceStatus, reason: DropReason): number {
  return status.counters.dropped[reason];
}

/** User and system time of a process. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
