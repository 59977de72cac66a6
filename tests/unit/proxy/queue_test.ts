import assert from "node:assert/strict";
import { Queue, type Waiter } from "../../../runtime/proxy/queue.ts";
import type { Server } from "../../../runtime/proxy/server.ts";
import { packVerdict } from "../../../runtime/proxy/server_verdict.ts";
import { allocateShared, MAX_BACKENDS, SharedState } from "../../../runtime/proxy/shared_state.ts";
import { isOlder, WaitingLines } from "../../../runtime/proxy/waiting_lines.ts";

/** A server with `maxconn` places, as all threads see it. */
class Place {
  readonly slot = 3;
  retired = false;
  verdict = packVerdict("up", 1);
  taken = 0;
  constructor(readonly maxconn: number) {}

  tryEnter(): boolean {
    if (this.taken >= this.maxconn) return false;
    this.taken++;
    return true;
  }

  leave(): void {
    this.taken--;
  }
}

/** Threads that wait for one server, and what became of their requests. */
function world(threads: number, maxconn: number) {
  const shared = allocateShared(threads, 16);
  const place = new Place(maxconn);
  const server = place as unknown as Server;
  const served: string[] = [];
  const woken: number[] = [];
  const queues = Array.from(
    { length: threads },
    (_, thread) =>
      new Queue(new WaitingLines(new SharedState(shared, thread)), 0, {
        claim: () => place.verdict === 0 ? null : place.tryEnter() ? server : "full",
        wake: (other) => void woken.push(other),
      }),
  );
  const waiter = (name: string): Waiter => ({
    tried: [],
    key: null,
    admitted: () => void served.push(name),
    abandoned: () => void served.push(`-${name}`),
  });
  /** A place is given back by `thread`; whoever is woken takes its turn. */
  const free = (thread: number) => {
    place.taken--;
    queues[thread].freed(server);
    queues[thread].dispatch();
    for (let next = woken.shift(); next !== undefined; next = woken.shift()) queues[next].dispatch();
  };
  return { shared, place, server, served, woken, queues, waiter, free };
}

Deno.test("Queue serves in the order of arrival, whichever thread was asked and whichever frees a place", () => {
  const { queues, waiter, served, free, place } = world(3, 2);
  place.taken = 2;
  for (const [index, name] of [..."abcdefgh"].entries()) {
    queues[index * 2 % 3].join(waiter(name), null);
    queues[index * 2 % 3].dispatch();
  }
  assert.deepEqual(served, []);
  assert.ok(queues.every((queue) => queue.crowded));
  for (const thread of [0, 0, 1, 2, 2, 0, 1, 1]) free(thread);
  assert.equal(served.join(""), "abcdefgh");
  assert.ok(queues.every((queue) => !queue.crowded && queue.length === 0));
});

Deno.test("Queue wakes the next thread when two places were freed before the first one woke", () => {
  const { queues, waiter, served, woken, place, server } = world(2, 2);
  place.taken = 2;
  queues[1].join(waiter("a"), null);
  queues[0].join(waiter("b"), null);
  place.taken = 0;
  queues[0].freed(server);
  queues[0].freed(server);
  queues[0].dispatch();
  assert.deepEqual(served, [], "the oldest is another thread's");
  assert.deepEqual(woken.splice(0), [1, 1]);
  queues[1].dispatch();
  assert.deepEqual([served.join(""), woken.splice(0)], ["a", [0]]);
  queues[0].dispatch();
  assert.equal(served.join(""), "ab");
});

Deno.test("Queue serves who came between a look at the servers and the queue", () => {
  const { queues, waiter, served, place } = world(1, 1);
  place.taken = 0;
  queues[0].join(waiter("a"), null);
  queues[0].dispatch();
  assert.deepEqual(served, ["a"]);
});

Deno.test("Queue lets those go who leave, and those behind them come forward", () => {
  const { queues, waiter, served, place, free, woken } = world(2, 1);
  place.taken = 1;
  const [a, b, c] = ["a", "b", "c"].map(waiter);
  queues[0].join(a, null);
  queues[1].join(b, null);
  queues[0].join(c, null);
  queues[0].leave(a);
  assert.deepEqual(woken.splice(0), [1]);
  free(0);
  free(0);
  assert.equal(served.join(""), "bc");
});

Deno.test("Queue keeps a line for each server, and the oldest of both lines is first", () => {
  const { queues, waiter, served, place, server, free } = world(2, 1);
  place.taken = 1;
  queues[0].join(waiter("a"), server);
  queues[1].join(waiter("b"), null);
  queues[1].join(waiter("c"), server);
  free(1);
  free(1);
  free(1);
  assert.equal(served.join(""), "abc");
  // Who waits for a server that went down takes any other, and where there is none, nobody waits.
  place.taken = 1;
  queues[0].join(waiter("d"), server);
  place.verdict = packVerdict("down", 1);
  queues[0].dispatch();
  assert.equal(served.join(""), "abc");
  place.verdict = 0;
  queues[0].dispatch();
  assert.equal(served.join(""), "abc-d");
});

Deno.test("Queue forgets the waiters of a thread that died", () => {
  const { queues, waiter, served, place, shared, free } = world(2, 1);
  place.taken = 1;
  queues[1].join(waiter("a"), null);
  queues[0].join(waiter("b"), null);
  new SharedState(shared, 1).forgetConnections();
  free(0);
  assert.equal(served.join(""), "b");
});

Deno.test("isOlder() compares tickets that wrap", () => {
  assert.ok(isOlder(1, 2) && !isOlder(2, 1) && !isOlder(5, 5));
  assert.ok(isOlder(0x7fffffff, -0x80000000), "the largest is followed by the smallest");
  const lines = new WaitingLines(new SharedState(allocateShared(1, 16), 0));
  assert.deepEqual([lines.draw(0), lines.draw(0), lines.draw(1)], [1, 2, 1]);
  assert.equal(lines.oldestThread(MAX_BACKENDS), -1);
});
