import { deepEqual, equal, match } from "node:assert/strict";
import { identityOf } from "../../../runtime/os/process_identity.ts";
import type { NetworkPort } from "../../../runtime/vip/holding.ts";
import { Retainer } from "../../../runtime/vip/retainer.ts";

/** Only `lo`, with one address of an earlier run on it. */
function loopback(address: string) {
  const removed: string[] = [];
  const lo = { index: 1, name: "lo", mac: new Uint8Array(6), up: true, mtu: 65_536, flags: 1 };
  const found = {
    family: 4,
    index: 1,
    address,
    prefix: 32,
    label: null,
    flags: 0,
    validFor: 3000,
    protocol: 0,
  } as const;
  const network: NetworkPort = {
    keepsProtocol: false,
    link: (name) => name === "lo" ? lo : undefined,
    addresses: (index) => index === 1 && removed.length === 0 ? [found] : [],
    addAddress: () => {},
    removeAddress: (key) => void removed.push(key.address),
    promoteSecondaries: () => {},
  };
  return { network, removed };
}

Deno.test("Retainer: what an earlier run still needs stays until it has ended, then it is cleaned", async () => {
  const file = await Deno.makeTempFile();
  const earlier = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const settings = [["net/ipv4/conf/none/arp_ignore", "0"]];
  await Deno.writeTextFile(file, JSON.stringify({ process: identityOf(earlier.pid), settings }));
  const { network, removed } = loopback("192.0.2.100");
  const said: string[] = [];
  const retainer = new Retainer({ network, ledger: file, report: () => {}, said: (text) => said.push(text) });

  const [sentence, ...others] = retainer.clean(["192.0.2.100"]);
  match(sentence, new RegExp(`pid ${earlier.pid}\\) still serves`));
  deepEqual(others, []);
  for (const now of [0, 1000]) {
    equal(retainer.deadline() <= now, true, "it looks again");
    retainer.run(now);
    equal(retainer.deadline(), now + 1000);
  }
  deepEqual([removed, said], [[], []]);

  earlier.kill("SIGKILL");
  await earlier.status;
  retainer.run(2000);
  deepEqual(removed, ["192.0.2.100"]);
  deepEqual(said, [
    "Setting net/ipv4/conf/none/arp_ignore of an earlier run restored",
    'Copy of 192.0.2.100 on "lo" of an earlier run removed',
  ]);
  equal(retainer.deadline(), Infinity);
  retainer.close();
});
