import { deepEqual, equal } from "node:assert/strict";
import { identityOf } from "../../../runtime/os/process_identity.ts";
import { readSysctl, SysctlLedger } from "../../../runtime/os/sysctl.ts";

Deno.test("SysctlLedger: only ARP settings are restored from a file, whatever stands in it", async () => {
  const file = await Deno.makeTempFile();
  const rows: unknown[] = [
    { "net/ipv4/conf/eth0/arp_ignore": "1" },
    [["kernel/hostname", "taken"]],
    [["net/ipv4/conf/../../../kernel/hostname", "taken"]],
    [["net/ipv4/conf/eth0/../arp_ignore", "1"]],
    [["net/ipv4/conf/eth0/arp_ignore", 1], ["net/ipv4/conf/eth0/forwarding", "1"], "arp_ignore"],
  ].map((settings) => ({ process: null, settings }));
  rows.push("", "null", 7, [], { settings: {} }, { process: 7 }, { process: { pid: "1" }, settings: [] });
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

Deno.test("SysctlLedger: a file belongs to the process that it names, until that has ended", async () => {
  const file = await Deno.makeTempFile();
  const path = "net/ipv4/conf/none/arp_ignore";
  const sleeper = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const alive = identityOf(sleeper.pid);
  const write = (process: unknown) =>
    Deno.writeTextFileSync(file, JSON.stringify({ process, settings: [[path, "0"]] }));
  const ledger = new SysctlLedger(file);
  const rows: [string, unknown, number | null][] = [
    ["nobody", null, null],
    ["another", alive, sleeper.pid],
    ["another with the same id, which ended before this one began", { pid: sleeper.pid, started: 1 }, null],
    ["this process, before a reboot", { pid: Deno.pid, started: 1 }, null],
  ];
  for (const [name, process, pid] of rows) {
    write(process);
    equal(ledger.heldBy(), pid, name);
  }
  write(alive);
  ledger.claim();
  ledger.release();
  equal(ledger.heldBy(), sleeper.pid, "what another needs is not written over");
  sleeper.kill("SIGKILL");
  await sleeper.status;
  equal(ledger.heldBy(), null);
  deepEqual(ledger.recover(), [path]);
  ledger.claim();
  deepEqual([ledger.heldBy(), new SysctlLedger(file).heldBy(), ledger.recover()], [null, null, []]);
  equal(JSON.parse(Deno.readTextFileSync(file)).process.pid, Deno.pid);
  ledger.release();
  deepEqual(await Deno.stat(file).catch(() => "gone"), "gone");
});
