import assert from "node:assert/strict";
import { TICK, Timed, TimerWheel } from "../../../runtime/proxy/timer_wheel.ts";

class Entry extends Timed {
  fired: number[] = [];
  constructor(readonly clock: { now: number }, readonly then: (entry: Entry) => void = () => {}) {
    super();
  }
  expired(): void {
    this.fired.push(this.clock.now);
    this.then(this);
  }
}

/** Advances in small steps, as an engine does. */
function run(wheel: TimerWheel, clock: { now: number }, until: number, step = 7): void {
  while (clock.now < until) wheel.advance(clock.now = Math.min(until, clock.now + step));
}

Deno.test("TimerWheel is never early and late by less than a tick and a step", () => {
  for (const deadline of [1, 31, 32, 33, 1000, 5000, 32_700, 40_000, 200_000]) {
    const clock = { now: 0 };
    const wheel = new TimerWheel(0);
    const entry = new Entry(clock);
    wheel.arm(entry, deadline);
    run(wheel, clock, deadline + 2 * TICK + 14);
    assert.equal(entry.fired.length, 1, `${deadline}`);
    const late = entry.fired[0] - deadline;
    assert.ok(late >= 0 && late <= TICK + 7, `${deadline} was late by ${late}`);
  }
});

Deno.test("TimerWheel moves a deadline away without losing it", () => {
  const clock = { now: 0 };
  const wheel = new TimerWheel(0);
  const entry = new Entry(clock);
  for (let at = 0; at < 5000; at += 50) {
    wheel.arm(entry, at + 100);
    run(wheel, clock, at + 50);
  }
  assert.deepEqual(entry.fired, []);
  run(wheel, clock, 6000);
  assert.equal(entry.fired.length, 1);
});

Deno.test("TimerWheel moves a deadline nearer", () => {
  const clock = { now: 0 };
  const wheel = new TimerWheel(0);
  const entry = new Entry(clock);
  const [before, after] = [new Entry(clock), new Entry(clock)];
  for (const each of [before, entry, after]) wheel.arm(each, 20_000);
  wheel.arm(entry, 300);
  run(wheel, clock, 400);
  assert.equal(entry.fired.length, 1);
  run(wheel, clock, 20_100);
  assert.deepEqual([before.fired.length, entry.fired.length, after.fired.length], [1, 1, 1]);
});

Deno.test("TimerWheel forgets what was disarmed, and takes it again", () => {
  const clock = { now: 0 };
  const wheel = new TimerWheel(0);
  const entry = new Entry(clock);
  wheel.arm(entry, 100);
  wheel.disarm(entry);
  run(wheel, clock, 1000);
  assert.deepEqual(entry.fired, []);
  wheel.arm(entry, 1200);
  run(wheel, clock, 1300);
  assert.equal(entry.fired.length, 1);
});

Deno.test("TimerWheel lets an expiry arm and disarm others of the same tick", () => {
  const clock = { now: 0 };
  const wheel = new TimerWheel(0);
  const entries: Entry[] = [];
  for (let i = 0; i < 20; i++) {
    entries.push(
      new Entry(clock, () => {
        wheel.disarm(entries[(i + 1) % 20]);
        wheel.arm(entries[(i + 5) % 20], clock.now + 500);
        wheel.arm(entries[i], clock.now + 1000);
      }),
    );
  }
  for (const entry of entries) wheel.arm(entry, 100);
  run(wheel, clock, 150);
  const first = entries.reduce((sum, entry) => sum + entry.fired.length, 0);
  assert.ok(first > 0 && first < 20);
  run(wheel, clock, 10_000);
  assert.ok(entries.every((entry) => entry.fired.length > 0));
});

Deno.test("TimerWheel survives a pause longer than its round", () => {
  const clock = { now: 0 };
  const wheel = new TimerWheel(0);
  const entries = [50, 10_000, 32_000, 100_000].map((deadline) => {
    const entry = new Entry(clock);
    wheel.arm(entry, deadline);
    return entry;
  });
  wheel.advance(clock.now = 150_000);
  assert.deepEqual(entries.map(({ fired }) => fired.length), [1, 1, 1, 1]);
});

Deno.test("TimerWheel tells how long nothing is due", () => {
  const wheel = new TimerWheel(0);
  const entry = new Entry({ now: 0 });
  assert.equal(wheel.idle(0, 200), 200);
  wheel.arm(entry, 90);
  assert.equal(wheel.idle(10, 200), 3 * TICK - 10);
  assert.equal(wheel.idle(10, 50), 50);
});
