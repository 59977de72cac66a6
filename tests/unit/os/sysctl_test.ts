import { deepEqual, equal } from "node:assert/strict";
import { readSysctl, SysctlLedger } from "../../../runtime/os/sysctl.ts";

Deno.test("SysctlLedger: only ARP settings are restored from a file, whatever stands in it", async () => {
  const file = await Deno.makeTempFile();
  const rows: readonly unknown[] = [
    "",
    "null",
    { "net/ipv4/conf/eth0/arp_ignore": "1" },
    [["kernel/hostname", "taken"]],
    [["net/ipv4/conf/../../../kernel/hostname", "taken"]],
    [["net/ipv4/conf/eth0/../arp_ignore", "1"]],
    [["net/ipv4/conf/eth0/arp_ignore", 1], ["net/ipv4/conf/eth0/forwarding", "1"], "arp_ignore"],
  ];
  for (const row of rows) {
    await Deno.writeTextFile(file, typeof row === "string" ? row : JSON.stringify(row));
    deepEqual(new SysctlLedger(file).recover(), [], JSON.stringify(row));
  }
  deepEqual(new SysctlLedger(file).recover(), [], "the file is gone after that");
  deepEqual(new SysctlLedger(null).recover(), []);
});

Deno.test("SysctlLedger: what is as wanted is neither written nor remembered", async () => {
  const directory = await Deno.makeTempDir();
  const ledger = new SysctlLedger(`${directory}/ledger`);
  const path = "kernel/ostype";
  equal(readSysctl(path), "Linux");
  // Nobody may write this one.
  ledger.set(path, "Linux");
  ledger.restore();
  deepEqual([...Deno.readDirSync(directory)], []);
  await Deno.remove(directory, { recursive: true });
});
