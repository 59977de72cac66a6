import assert from "node:assert/strict";
import { prestart } from "../../../runtime/control/prestart.ts";
import type { Exit, RoleListener, RoleProcess } from "../../../runtime/os/process.ts";

function fixture() {
  const processes: { readonly listener: RoleListener; readonly exit: (exit: Exit) => void; ended: boolean }[] = [];
  const early = prestart((listener) => {
    const exited = Promise.withResolvers<Exit>();
    const made = { listener, exit: exited.resolve, ended: false };
    processes.push(made);
    const process: RoleProcess = {
      pid: processes.length,
      send: () => {},
      end: () => made.ended = true,
      kill: () => {},
      exited: exited.promise,
    };
    return process;
  });
  const heard: unknown[] = [];
  const listener: RoleListener = { message: (value) => heard.push(value), garbage: (line) => heard.push(`? ${line}`) };
  return { processes, early, heard, listener };
}

Deno.test("prestart() keeps what the process says until somebody takes it", async () => {
  const { processes, early, heard, listener } = fixture();
  processes[0].listener.message("ready");
  processes[0].listener.garbage("oops");
  assert.equal(early.spawn(listener).pid, 1);
  await Promise.resolve();
  processes[0].listener.message("later");
  assert.deepEqual(heard, ["ready", "? oops", "later"]);
});

Deno.test("prestart() gives its process away once, then starts new ones", () => {
  const { processes, early, listener } = fixture();
  assert.deepEqual([early.spawn(listener).pid, early.spawn(listener).pid], [1, 2]);
  early.discard();
  assert.deepEqual(processes.map(({ ended }) => ended), [false, false]);
});

Deno.test("prestart() does not give away a process that died, and ends one that nobody took", async () => {
  const dead = fixture();
  dead.processes[0].exit({ code: 1, signal: null });
  await Promise.resolve();
  assert.equal(dead.early.spawn(dead.listener).pid, 2);
  const unwanted = fixture();
  unwanted.early.discard();
  assert.equal(unwanted.processes[0].ended, true);
});
