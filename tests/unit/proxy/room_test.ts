import assert from "node:assert/strict";
import { Room } from "../../../runtime/proxy/room.ts";
import { allocateShared, FrontendCounter, SharedState } from "../../../runtime/proxy/shared_state.ts";

function rooms(threads: number, most: number) {
  const shared = allocateShared(threads, 16);
  const woken: number[] = [];
  const all = Array.from({ length: threads }, (_, thread) => {
    const room = new Room(new SharedState(shared, thread), (other) => void woken.push(other));
    room.most = most;
    return room;
  });
  return { shared, woken, all };
}

Deno.test("Room counts connections of all threads, by frontend and of the process", () => {
  const { all: [a, b] } = rooms(2, 3);
  assert.ok(a.admit(0, 2) && b.admit(0, 2));
  assert.ok(!a.admit(0, 2) && !b.has(0, 2), "the frontend is full");
  assert.ok(a.has(1, 2) && a.admit(1, 2));
  assert.ok(!b.has(1, 2) && !b.admit(1, 2), "the process is full");
  a.release(0);
  assert.ok(b.admit(1, 2));
  b.enter(1);
  assert.ok(!b.has(5, 9), "over the limit is full too");
});

Deno.test("Room wakes threads that want it, and no others", () => {
  const { all: [a, b], woken } = rooms(3, 1);
  a.admit(0, 9);
  b.wanted = true;
  a.wanted = true;
  a.release(0);
  assert.deepEqual(woken.splice(0), [1], "itself it need not wake");
  b.wanted = false;
  b.admit(0, 9);
  b.release(0);
  assert.deepEqual(woken.splice(0), [0]);
});

Deno.test("Room of a thread that died is free again", () => {
  const { all: [a, b], shared } = rooms(2, 2);
  const state = new SharedState(shared, 1);
  for (let i = 0; i < 2; i++) {
    b.admit(3, 9);
    state.frontends[3 * FrontendCounter.stride + FrontendCounter.current]++;
  }
  assert.ok(!a.has(3, 9));
  state.forgetConnections();
  assert.ok(a.admit(3, 9) && a.admit(3, 9) && !a.admit(3, 9));
});

Deno.test("Room counts a frontend that is apart for itself only, also when its thread dies", () => {
  const { all: [a, b], shared } = rooms(2, 1);
  const states = [0, 1].map((thread) => new SharedState(shared, thread));
  for (const { frontends } of states) frontends[7 * FrontendCounter.stride + FrontendCounter.apart] = 1;
  assert.ok(b.admit(7, 3) && b.admit(7, 3));
  a.enter(7);
  assert.ok(!a.has(7, 3) && !a.admit(7, 3), "it is full");
  assert.ok(a.has(0, 9) && a.admit(0, 9), "and nobody else is");
  a.release(7);
  assert.ok(a.has(7, 3), "though the process is full now");
  assert.ok(!a.has(0, 9));
  states[1].frontends[7 * FrontendCounter.stride + FrontendCounter.current] = 2;
  states[1].forgetConnections();
  assert.ok(a.admit(7, 1));
  assert.ok(!a.has(0, 9), "the one of the process is still there");
});
