/**
 * The machine against a hostile network, in virtual time: loss, delay, partitions, stalls, crashes, moves. Whatever
 * happened, a healed network has exactly one active router.
 */
import { equal } from "node:assert/strict";
import { compareAddresses } from "../../../runtime/bytes/address.ts";
import { deadline, initial, transition } from "../../../runtime/vrrp/machine.ts";
import type { Effect, Event, Parameters, State } from "../../../runtime/vrrp/state.ts";

type Happening = Event extends infer E ? E extends Event ? Omit<E, "now"> : never : never;

/** Mulberry32: the same story for the same seed. */
function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

class SimulatedRouter {
  state: State = initial;
  alive = true;
  holds = false;
  /** Not scheduled until then; what it is told waits. */
  stalledUntil = 0;
  held = false;
  readonly inbox: { readonly at: number; readonly happening: Happening }[] = [];

  constructor(readonly world: World, readonly parameters: Parameters) {}

  get due(): number {
    if (!this.alive) return Infinity;
    const mail = Math.min(Infinity, ...this.inbox.map(({ at }) => at));
    return Math.max(this.stalledUntil, Math.min(mail, deadline(this.state)));
  }

  /** As the real loop: what has arrived first, then the timer. */
  run(now: number): void {
    for (const letter of this.inbox.filter(({ at }) => at <= now)) {
      this.inbox.splice(this.inbox.indexOf(letter), 1);
      this.step(letter.happening, now);
    }
    if (deadline(this.state) <= now) this.step({ type: "timer" }, now);
  }

  step(happening: Happening, now: number): void {
    const parameters = { ...this.parameters, held: this.held };
    const [state, effects] = transition(this.state, { ...happening, now } as Event, parameters);
    this.state = state;
    for (const effect of effects) this.#carryOut(effect, now);
  }

  #carryOut(effect: Effect, now: number): void {
    switch (effect.type) {
      case "advertise":
        return this.world.broadcast(this, effect.priority, now);
      case "acquire":
        this.holds = true;
        return;
      case "release":
        this.holds = false;
        return;
      case "offer":
        return this.world.offer(this, now);
      case "request":
        return this.world.request(this, now);
      case "endHold":
        this.held = false;
        return;
      case "settle":
      case "transition":
      case "announce":
      case "warn":
        return;
    }
  }
}

class World {
  now = 0;
  loss = 0;
  readonly routers: SimulatedRouter[] = [];
  /** Routers on the same side hear each other. */
  readonly side = new Map<SimulatedRouter, number>();

  constructor(readonly random: () => number, readonly version: 2 | 3) {}

  broadcast(from: SimulatedRouter, priority: number, now: number): void {
    const interval = from.parameters.advertInterval;
    for (const to of this.routers) {
      if (to === from || this.side.get(to) !== this.side.get(from) || this.random() < this.loss) continue;
      const at = now + 0.1 + this.random() * 2;
      to.inbox.push({ at, happening: { type: "advert", source: from.parameters.primary, priority, interval } });
    }
  }

  /** The hand-over channel in short: sometimes there is a Tandem peer that agrees, sometimes nobody. */
  offer(from: SimulatedRouter, now: number): void {
    const peers = this.routers.filter((to) => to !== from && this.side.get(to) === this.side.get(from));
    if (peers.length > 0 && this.random() < 0.6) {
      const peer = peers[Math.floor(this.random() * peers.length)];
      peer.inbox.push({ at: now + 0.5, happening: { type: "agreed", until: now + 5000 } });
    }
    from.inbox.push({ at: now + 1 + this.random() * 200, happening: { type: "proceed" } });
  }

  request(from: SimulatedRouter, now: number): void {
    const active = this.routers.find((to) => to.state.state === "active" && this.side.get(to) === this.side.get(from));
    const reason = "asked";
    if (active !== undefined && this.random() < 0.5) {
      active.inbox.push({ at: now + 1, happening: { type: "leave", cause: "preemption", reason } });
    } else {
      from.inbox.push({ at: now + 200, happening: { type: "refused" } });
    }
  }

  advance(until: number): void {
    for (let steps = 0;; steps++) {
      const next = this.routers.reduce((first, one) => one.due < first.due ? one : first);
      if (next.due > until) break;
      if (steps > 200_000) throw new Error("The routers spin");
      this.now = Math.max(this.now, next.due);
      next.run(this.now);
    }
    this.now = until;
  }

  /** Something goes wrong, or somebody gives an order. */
  disturb(): void {
    const { random, routers } = this;
    const one = routers[Math.floor(random() * routers.length)];
    const pick = Math.floor(random() * 8);
    if (pick === 0) this.loss = random() * 0.6;
    if (pick === 1) { for (const router of routers) this.side.set(router, Math.floor(random() * 2)); }
    if (pick === 2) one.stalledUntil = this.now + random() * 10 * one.parameters.advertInterval;
    if (pick === 3 && one.alive) Object.assign(one, { alive: false, holds: false, state: initial, inbox: [] });
    if (pick === 4 && !one.alive) this.revive(one);
    if (pick === 5 && one.alive) one.step({ type: "leave", cause: "failover", reason: "test" }, this.now);
    if (pick === 6 && one.alive) one.step({ type: "fault", reason: "test", transmit: random() < 0.5 }, this.now);
    if (pick === 7 && one.alive) one.step({ type: "start", vouched: random() < 0.1 }, this.now);
  }

  revive(one: SimulatedRouter): void {
    one.alive = true;
    one.inbox.length = 0;
    one.step({ type: "start", vouched: false }, this.now);
  }

  heal(): void {
    this.loss = 0;
    for (const router of this.routers) {
      this.side.set(router, 0);
      router.stalledUntil = 0;
      if (router.alive) router.step({ type: "start", vouched: false }, this.now);
    }
    if (!this.routers.some(({ alive }) => alive)) this.revive(this.routers[0]);
  }
}

function worldOf(seed: number): World {
  const random = randomOf(seed);
  const version = random() < 0.5 ? 2 : 3;
  const world = new World(random, version);
  const count = 2 + Math.floor(random() * 2);
  const advertInterval = version === 2 ? 1000 : [10, 100, 1000][Math.floor(random() * 3)];
  const preempt = random() < 0.6;
  const equal = random() < 0.3;
  for (let i = 0; i < count; i++) {
    const priority = equal ? 100 : 1 + Math.floor(random() * 255);
    const router = new SimulatedRouter(world, {
      version,
      priority,
      advertInterval,
      preempt,
      preemptDelay: random() < 0.3 ? 5000 : 0,
      primary: Uint8Array.of(192, 0, 2, i + 1),
      held: false,
    });
    world.routers.push(router);
    world.side.set(router, 0);
  }
  for (const router of world.routers) {
    world.advance(world.now + random() * 50);
    router.step({ type: "start", vouched: false }, world.now);
  }
  return world;
}

Deno.test("a healed network has exactly one active router, and it holds the addresses", () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const world = worldOf(seed);
    const { advertInterval, preempt } = world.routers[0].parameters;
    for (let i = 0; i < 12; i++) {
      world.disturb();
      world.advance(world.now + world.random() * 6 * Math.max(advertInterval, 100));
    }
    world.heal();
    // A move that is under way, the longest skew, preempt_delay, preemption, and some rounds to settle.
    world.advance(world.now + 12_000 + 20 * advertInterval);

    const where = `seed ${seed}`;
    const live = world.routers.filter(({ alive }) => alive);
    const active = live.filter(({ state }) => state.state === "active");
    equal(active.length, 1, `${where}: ${live.map(({ state }) => state.state).join(", ")}`);
    equal(live.filter(({ holds }) => holds)[0], active[0], where);
    equal(live.filter(({ holds }) => holds).length, 1, where);
    equal(live.some(({ state }) => state.state === "initialize"), false, where);
    if (!preempt) continue;
    const best = live.reduce((one, other) => outranks(other.parameters, one.parameters) ? other : one);
    equal(active[0].parameters.priority, best.parameters.priority, `${where}: the best one is active`);
  }
});

/** Without disturbance nothing moves: one transition to backup each, one to active in all. */
Deno.test("an undisturbed network keeps the router that it has", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const world = worldOf(seed);
    const { advertInterval } = world.routers[0].parameters;
    world.advance(world.now + 12_000 + 12 * advertInterval);
    const [before] = world.routers.filter(({ state }) => state.state === "active");
    const since = before.state.state === "active" ? before.state.since : NaN;
    world.loss = 0.01;
    world.advance(world.now + 300 * advertInterval);
    equal(before.state.state === "active" ? before.state.since : NaN, since, `seed ${seed}`);
  }
});

function outranks(one: Parameters, other: Parameters): boolean {
  return (one.priority - other.priority || compareAddresses(one.primary, other.primary)) > 0;
}
