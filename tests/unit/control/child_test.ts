import assert from "node:assert/strict";
import { afterDeath, clean } from "../../../runtime/control/backoff.ts";
import { type Child, superviseChild } from "../../../runtime/control/child.ts";
import type { Exit, RoleListener, RoleProcess } from "../../../runtime/os/process.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

Deno.test("afterDeath() restarts at once, then doubles from 100 ms, and forgives a long life", () => {
  const lives = [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 20_000, 5];
  const waits: number[] = [];
  let record = clean;
  for (const lived of lives) {
    let wait: number;
    [record, wait] = afterDeath(record, lived);
    waits.push(wait);
  }
  assert.deepEqual(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 0, 100]);
});

/** A process that records what it is told and ends when told to. */
function fakeProcess(pid: number, told: string[]) {
  const exited = Promise.withResolvers<Exit>();
  const process: RoleProcess & { die(exit?: Exit): void } = {
    pid,
    send: (message) => void told.push(`${pid} ${JSON.stringify(message)}`),
    end: () => void told.push(`${pid} end`),
    kill(signal) {
      told.push(`${pid} ${signal}`);
      process.die({ code: 137, signal });
    },
    exited: exited.promise,
    die: (exit = { code: 1, signal: null }) => exited.resolve(exit),
  };
  return process;
}

function fixture() {
  const clock = fakeClock();
  const told: string[] = [];
  const happened: string[] = [];
  const processes: { process: ReturnType<typeof fakeProcess>; listener: RoleListener }[] = [];
  const child: Child<unknown> = superviseChild<unknown, unknown>({
    name: "vrrp",
    clock,
    log: createLogger({ role: "test", write: () => {} }),
    silence: 4000,
    spawn(listener) {
      const process = fakeProcess(processes.length + 1, told);
      processes.push({ process, listener });
      return process;
    },
    started: () => happened.push("started"),
    reported: (report) => happened.push(`reported ${JSON.stringify(report)}`),
    died: (exit, wait) => happened.push(`died ${exit.signal ?? exit.code} wait ${wait}`),
  });
  child.start();
  return { clock, told, happened, processes, child };
}

Deno.test("superviseChild() starts a dead child again, the first time at once", async () => {
  const { clock, processes, child, happened } = fixture();
  processes[0].process.die();
  await clock.advance(0);
  assert.deepEqual([child.pid, child.restarts], [2, 1]);
  processes[1].process.die({ code: 139, signal: "SIGSEGV" });
  await clock.advance(99);
  assert.deepEqual([child.pid, child.restarts], [null, 1]);
  await clock.advance(1);
  assert.deepEqual([child.pid, child.restarts], [3, 2]);
  assert.deepEqual(happened, ["started", "died 1 wait 0", "started", "died SIGSEGV wait 100", "started"]);
});

Deno.test("superviseChild() kills a child that falls silent", async () => {
  const { clock, processes, told, child } = fixture();
  for (let second = 0; second < 10; second++) {
    await clock.advance(1000);
    processes[0].listener.message({ type: "status" });
  }
  assert.deepEqual(told, []);
  await clock.advance(5000);
  assert.deepEqual(told, ["1 SIGKILL"]);
  assert.equal(child.pid, 2);
});

Deno.test("superviseChild() does not take its own stall for the child's silence", async () => {
  const { clock, processes, told } = fixture();
  await clock.advance(900);
  clock.stall(20_000);
  // The watch runs before what the child said in the meantime is read.
  await clock.advance(0);
  assert.deepEqual(told, []);
  processes[0].listener.message({ type: "status" });
  await clock.advance(3900);
  assert.deepEqual(told, []);
  await clock.advance(2000);
  assert.deepEqual(told, ["1 SIGKILL"], "and one that is silent is found all the same");
});

Deno.test("superviseChild() hears nothing from a child that is gone", async () => {
  const { clock, processes, happened } = fixture();
  processes[0].process.die();
  await clock.advance(0);
  processes[0].listener.message("late");
  processes[1].listener.message("now");
  assert.deepEqual(happened.slice(-1), ['reported "now"']);
});

Deno.test("stop() asks, then insists, then kills, and nothing is started again", async () => {
  const { clock, told, processes, child } = fixture();
  const stopped = child.stop("stop", 500, "now");
  await clock.advance(2500);
  await stopped;
  assert.deepEqual(told, ['1 "stop"', '1 "now"', "1 end", "1 SIGKILL"]);
  assert.equal(processes.length, 1);
});

Deno.test("stop() is over when the child is, and hurry() ends the patience", async () => {
  const obedient = fixture();
  const stopped = obedient.child.stop("stop", 60_000, "now");
  obedient.processes[0].process.die({ code: 0, signal: null });
  await stopped;
  const slow = fixture();
  const hurried = slow.child.stop("stop", 60_000, "now");
  slow.child.hurry();
  await slow.clock.advance(2000);
  await hurried;
  assert.deepEqual(slow.told, ['1 "stop"', '1 "now"', "1 end", "1 SIGKILL"]);
});
