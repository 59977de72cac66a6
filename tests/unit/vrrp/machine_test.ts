import { deepEqual, equal, match } from "node:assert/strict";
import { parseAddress } from "../../../runtime/bytes/address.ts";
import { deadline, initial, transition } from "../../../runtime/vrrp/machine.ts";
import type { Effect, Event, Parameters, State } from "../../../runtime/vrrp/state.ts";

/** Priority 100, 192.0.2.5, 1 s, version 3, preempting: MDI 3609.375 ms, skew 609.375 ms. */
const parameters: Parameters = {
  version: 3,
  priority: 100,
  advertInterval: 1000,
  preempt: true,
  preemptDelay: 0,
  primary: parseAddress("192.0.2.5"),
  held: false,
};
const lower = "192.0.2.2";
const higher = "192.0.2.9";

/** An event without its time: rows happen at `at`. */
type Happening = Event extends infer E ? E extends Event ? Omit<E, "now"> : never : never;

const advert = (priority: number, source = higher, interval = 1000): Happening => ({
  type: "advert",
  source: parseAddress(source),
  priority,
  interval,
});
const incompatible = (priority: number, source = higher): Happening => ({
  type: "incompatible",
  source: parseAddress(source),
  priority,
  interval: 1000,
});
const timer: Happening = { type: "timer" };
const start: Happening = { type: "start", vouched: false };
const fault: Happening = { type: "fault", reason: "link down", transmit: true };
const leave = (cause: "failover" | "yield" | "preemption" | "stop"): Happening => ({
  type: "leave",
  cause,
  reason: "asked",
});

type Story = readonly [at: number, happening: Happening, parameters?: Partial<Parameters>][];

function play(story: Story, given: State = initial): { state: State; effects: readonly Effect[] } {
  let state = given;
  let effects: readonly Effect[] = [];
  for (const [now, happening, other] of story) {
    [state, effects] = transition(state, { ...happening, now } as Event, { ...parameters, ...other });
  }
  return { state, effects };
}

/** "advertise 100", "release", "settle moved": what a row compares. */
function brief(effect: Effect): string {
  if (effect.type === "advertise") return `advertise ${effect.priority}`;
  if (effect.type === "request") return `request ${effect.cause}`;
  if (effect.type === "settle") return `settle ${effect.outcome}`;
  if (effect.type === "transition") return `${effect.from}→${effect.to}`;
  return effect.type;
}

const taken = "advertise 100, acquire, backup→active";
const backup: Story = [[0, start]];
const following: Story = [[0, start], [100, advert(150)]];
const active: Story = [[0, start], [3610, timer]];
const offering: Story = [...active, [4000, leave("failover")]];
const relinquishing: Story = [...offering, [4010, { type: "proceed" }]];
const stopping: Story = [...active, [4000, leave("stop")], [4010, { type: "proceed" }]];
const stalled: Story = [[0, start, { preempt: false }], [3610, timer, { preempt: false }], [9000, timer, {
  preempt: false,
}]];
const faulty: Story = [[0, fault]];
const rivalled: Story = [[0, start], [100, incompatible(150)]];

interface Row {
  readonly name: string;
  readonly given: Story;
  readonly at: number;
  readonly event: Happening;
  readonly with?: Partial<Parameters>;
  readonly then: State["state"];
  readonly effects?: string;
  /** Deadline afterwards, absolute. */
  readonly wake?: number;
  /** Reason or text of the last effect that has one. */
  readonly because?: RegExp;
}

const rows: readonly Row[] = [
  // §6.4.1 Initialize
  {
    name: "6.4.1 startup",
    given: [],
    at: 0,
    event: start,
    then: "backup",
    effects: "initialize→backup",
    wake: 3609.375,
  },
  {
    name: "6.4.1 startup, version 2 at 2 s",
    given: [],
    at: 0,
    event: start,
    with: { version: 2, advertInterval: 2000 },
    then: "backup",
    effects: "initialize→backup",
    wake: 6609.375,
  },
  {
    name: "6.4.1 startup, owner",
    given: [],
    at: 0,
    event: start,
    with: { priority: 255 },
    then: "active",
    effects: "advertise 255, acquire, initialize→active",
    wake: 1000,
    because: /address owner/,
  },
  {
    name: "startup, owner whose addresses were moved away",
    given: [],
    at: 0,
    event: start,
    with: { priority: 255, held: true },
    then: "backup",
    effects: "initialize→backup",
  },
  {
    name: "startup, vouched for",
    given: [],
    at: 0,
    event: { type: "start", vouched: true },
    then: "active",
    effects: "advertise 100, acquire, initialize→active",
    because: /resumed/,
  },
  { name: "initialize ignores adverts", given: [], at: 5, event: advert(150), then: "initialize" },
  { name: "initialize ignores timer", given: [], at: 5, event: timer, then: "initialize", wake: Infinity },
  { name: "initialize, fault", given: [], at: 5, event: fault, then: "fault", effects: "initialize→fault" },
  { name: "initialize, stop", given: [], at: 5, event: leave("stop"), then: "initialize", effects: "settle left" },

  // Fault
  { name: "fault is over", given: faulty, at: 5, event: start, then: "backup", effects: "fault→backup" },
  { name: "fault ignores adverts", given: faulty, at: 5, event: advert(0), then: "fault", wake: Infinity },
  { name: "fault, another cause", given: faulty, at: 5, event: { ...fault, reason: "other" }, then: "fault" },
  {
    name: "fault, stop",
    given: faulty,
    at: 5,
    event: leave("stop"),
    then: "initialize",
    effects: "fault→initialize, settle left",
  },

  // §6.4.2 Backup
  { name: "6.4.2 too early", given: backup, at: 3600, event: timer, then: "backup", wake: 3609.375 },
  {
    name: "6.4.2 active is down",
    given: backup,
    at: 3610,
    event: timer,
    then: "active",
    effects: taken,
    wake: 4610,
    because: /^no advert for 3\.61 s$/,
  },
  {
    name: "6.4.2 active fell silent",
    given: following,
    at: 3710,
    event: timer,
    then: "active",
    effects: taken,
    because: /^no advert from 192\.0\.2\.9 for 3\.61 s$/,
  },
  { name: "6.4.2 relinquished", given: following, at: 200, event: advert(0), then: "backup", wake: 809.375 },
  {
    name: "6.4.2 relinquished, skew over",
    given: [...following, [200, advert(0)]],
    at: 810,
    event: timer,
    then: "active",
    effects: taken,
    because: /192\.0\.2\.9 gave it up/,
  },
  {
    name: "6.4.2 relinquished, version 2: the skew is a fraction of a second",
    given: [[0, start, { version: 2, advertInterval: 4000 }]],
    at: 200,
    event: advert(0),
    with: { version: 2, advertInterval: 4000 },
    then: "backup",
    wake: 809.375,
  },
  { name: "6.4.2 higher priority", given: backup, at: 200, event: advert(150), then: "backup", wake: 3809.375 },
  { name: "6.4.2 equal priority", given: backup, at: 200, event: advert(100, lower), then: "backup", wake: 3809.375 },
  {
    name: "6.4.2 learns the active router's interval",
    given: backup,
    at: 200,
    event: advert(150, higher, 100),
    then: "backup",
    wake: 200 + 300 + 100 * 156 / 256,
  },
  {
    name: "6.4.2 lower priority, no preempt",
    given: backup,
    at: 200,
    event: advert(50),
    with: { preempt: false },
    then: "backup",
    wake: 3809.375,
  },
  {
    name: "6.4.2 lower priority, preempt: asked to hand over first",
    given: backup,
    at: 200,
    event: advert(50),
    then: "backup",
    effects: "request preemption",
    wake: 3809.375,
  },
  {
    name: "6.4.2 lower priority, request under way",
    given: [...backup, [200, advert(50, higher, 100)]],
    at: 300,
    event: advert(50, higher, 100),
    then: "backup",
    wake: 300 + 300 + 100 * 156 / 256,
  },
  {
    name: "6.4.2 lower priority, request unanswered: discarded",
    given: [...backup, [200, advert(50)]],
    at: 1200,
    event: advert(50),
    then: "backup",
    wake: 3809.375,
  },
  {
    name: "6.4.2 lower priority, request refused: discarded",
    given: [...backup, [200, advert(50)], [201, { type: "refused" }]],
    at: 300,
    event: advert(50),
    then: "backup",
    wake: 3809.375,
  },
  {
    name: "6.4.2 preempts",
    given: [...backup, [200, advert(50)], [1200, advert(50)], [2200, advert(50)], [3200, advert(50)]],
    at: 3810,
    event: timer,
    then: "active",
    effects: taken,
    because: /preempts 192\.0\.2\.9 \(priority 50, ours is 100\)/,
  },
  {
    name: "preempt_delay counts from the first lower priority",
    given: [[0, start], [200, advert(50), { preemptDelay: 5000 }]],
    at: 5100,
    event: advert(50),
    with: { preemptDelay: 5000 },
    then: "backup",
    wake: 8709.375,
  },
  {
    name: "preempt_delay is over",
    given: [[0, start], [200, advert(50), { preemptDelay: 5000 }]],
    at: 5200,
    event: advert(50),
    with: { preemptDelay: 5000 },
    then: "backup",
    effects: "request preemption",
  },
  {
    name: "preempt_delay starts anew after a higher priority",
    given: [[0, start], [200, advert(50), { preemptDelay: 5000 }], [3000, advert(150)]],
    at: 5300,
    event: advert(50),
    with: { preemptDelay: 5000 },
    then: "backup",
  },
  {
    name: "preempt_delay, the peer dies",
    given: [[0, start], [200, advert(50), { preemptDelay: 5000 }]],
    at: 3810,
    event: timer,
    with: { preemptDelay: 5000 },
    then: "active",
    effects: taken,
    because: /no advert from/,
  },
  {
    name: "no preempt, the peer yields",
    given: backup,
    at: 200,
    event: advert(1),
    with: { preempt: false },
    then: "backup",
    effects: "request rescue",
    wake: 3809.375,
  },
  {
    name: "no preempt, the peer yields and was asked",
    given: [...backup, [200, advert(1), { preempt: false }], [201, { type: "refused" }, { preempt: false }]],
    at: 1200,
    event: advert(1),
    with: { preempt: false },
    then: "backup",
    wake: 4809.375,
  },
  {
    name: "no preempt, priority 1 may be all that the peer was given: asked as a rescue, which it may refuse",
    given: backup,
    at: 200,
    event: advert(1),
    with: { preempt: false, priority: 2 },
    then: "backup",
    effects: "request rescue",
  },
  {
    name: "preempt_delay is none against a peer that yields",
    given: [[0, start], [200, advert(50), { preemptDelay: 300_000 }]],
    at: 1200,
    event: advert(1),
    with: { preemptDelay: 300_000 },
    then: "backup",
    effects: "request rescue",
    wake: 4809.375,
  },
  {
    name: "preempt_delay, the peer of priority 1 can serve and said so: not asked at each advertisement",
    given: [[0, start], [200, advert(1), { preemptDelay: 300_000 }], [201, { type: "refused" }, {
      preemptDelay: 300_000,
    }]],
    at: 1200,
    event: advert(1),
    with: { preemptDelay: 300_000 },
    then: "backup",
    wake: 4809.375,
  },
  {
    name: "preempt_delay, asked again after a while: now it may yield",
    given: [[0, start], [200, advert(1), { preemptDelay: 300_000 }], [201, { type: "refused" }, {
      preemptDelay: 300_000,
    }]],
    at: 10_200,
    event: advert(1),
    with: { preemptDelay: 300_000 },
    then: "backup",
    effects: "request rescue",
  },
  {
    name: "preempt_delay is over: asked at once, whatever was refused",
    given: [[0, start], [200, advert(1), { preemptDelay: 1000 }], [201, { type: "refused" }, { preemptDelay: 1000 }]],
    at: 1200,
    event: advert(1),
    with: { preemptDelay: 1000 },
    then: "backup",
    effects: "request preemption",
  },
  {
    name: "yielding: equal to a peer that yields",
    given: backup,
    at: 200,
    event: advert(1, lower),
    with: { priority: 1 },
    then: "backup",
  },
  {
    name: "agreed, priority 0",
    given: [...following, [150, { type: "agreed", until: 5150 }]],
    at: 200,
    event: advert(0),
    then: "active",
    effects: taken,
    because: /192\.0\.2\.9 handed it over/,
  },
  {
    name: "agreed, too late",
    given: [...following, [150, { type: "agreed", until: 180 }]],
    at: 200,
    event: advert(0),
    then: "backup",
    wake: 809.375,
  },
  {
    name: "agreed: no plain preemption meanwhile",
    given: [...backup, [150, { type: "agreed", until: 5150 }]],
    at: 1200,
    event: advert(50),
    then: "backup",
    wake: 4809.375,
  },
  {
    name: "hold: a lower priority stays",
    given: backup,
    at: 200,
    event: advert(50),
    with: { held: true },
    then: "backup",
    wake: 3809.375,
  },
  {
    name: "hold ends with the peer",
    given: following,
    at: 3710,
    event: timer,
    with: { held: true },
    then: "active",
    effects: `${taken}, endHold`,
  },
  {
    name: "failback asks for the addresses at once",
    given: [...backup, [200, advert(50), { held: true }]],
    at: 300,
    event: { type: "failback" },
    with: { preempt: false },
    then: "backup",
    effects: "request failback",
  },
  {
    name: "failback preempts without preempt",
    given: [...backup, [200, advert(50), { held: true }], [300, { type: "failback" }]],
    at: 1200,
    event: advert(50),
    with: { preempt: false, preemptDelay: 9000 },
    then: "backup",
    wake: 3809.375,
  },
  { name: "failback under a higher priority", given: following, at: 300, event: { type: "failback" }, then: "backup" },
  {
    name: "backup woke late: the silence may be ours",
    given: following,
    at: 5000,
    event: timer,
    then: "backup",
    wake: 5000 + 1609.375,
  },
  {
    name: "backup woke late and still nobody speaks",
    given: [...following, [5000, timer]],
    at: 9000,
    event: timer,
    then: "active",
    effects: taken,
  },
  {
    name: "backup, fault",
    given: following,
    at: 200,
    event: fault,
    then: "fault",
    effects: "backup→fault",
    because: /link/,
  },
  {
    name: "6.4.2 shutdown",
    given: following,
    at: 200,
    event: leave("stop"),
    then: "initialize",
    effects: "backup→initialize, settle left",
  },
  { name: "backup, nothing to move", given: following, at: 200, event: leave("failover"), then: "backup" },
  {
    name: "backup changed to owner",
    given: following,
    at: 200,
    event: { type: "changed" },
    with: { priority: 255 },
    then: "active",
    effects: "advertise 255, acquire, backup→active",
  },
  {
    name: "backup changed to a shorter interval",
    given: [...backup],
    at: 100,
    event: { type: "changed" },
    with: { priority: 200 },
    then: "backup",
    wake: 100 + 3000 + 1000 * 56 / 256,
  },
  // an incompatible peer is a peer (contract 2.4)
  { name: "incompatible holds back", given: rivalled, at: 3610, event: timer, then: "backup", wake: 3709.375 },
  {
    name: "incompatible fell silent",
    given: [...rivalled, [3610, timer]],
    at: 3710,
    event: timer,
    then: "active",
    effects: taken,
    because: /incompatible 192\.0\.2\.9 fell silent/,
  },
  { name: "incompatible gives it up", given: rivalled, at: 200, event: incompatible(0), then: "backup", wake: 809.375 },

  // §6.4.3 Active
  { name: "6.4.3 too early", given: active, at: 4000, event: timer, then: "active", wake: 4610 },
  {
    name: "6.4.3 Adver_Timer",
    given: active,
    at: 4611,
    event: timer,
    then: "active",
    effects: "advertise 100",
    wake: 5610,
  },
  {
    name: "6.4.3 Adver_Timer, a beat missed",
    given: active,
    at: 5900,
    event: timer,
    then: "active",
    effects: "advertise 100",
    wake: 6900,
  },
  {
    name: "stall: advertises and announces",
    given: active,
    at: 6610,
    event: timer,
    then: "active",
    effects: "advertise 100, announce",
    wake: 7610,
  },
  {
    name: "stall without preempt: listens",
    given: stalled.slice(0, 2),
    at: 9000,
    event: timer,
    with: { preempt: false },
    then: "active",
    wake: 10500,
  },
  {
    name: "stall without preempt: somebody took over",
    given: stalled,
    at: 9100,
    event: advert(50, lower),
    with: { preempt: false },
    then: "backup",
    effects: "release, active→backup",
    because: /192\.0\.2\.2 took over while this process was stalled/,
  },
  {
    name: "stall without preempt: the advert comes before the timer",
    given: stalled.slice(0, 2),
    at: 9000,
    event: advert(50, lower),
    with: { preempt: false },
    then: "backup",
    effects: "release, active→backup",
  },
  {
    name: "stall without preempt: nobody did",
    given: stalled,
    at: 10500,
    event: timer,
    with: { preempt: false },
    then: "active",
    effects: "advertise 100, announce",
    wake: 11500,
  },
  {
    name: "stall without preempt: what changes before anything is heard changes no doubt",
    given: stalled.slice(0, 2),
    at: 9000,
    event: { type: "changed" },
    with: { preempt: false },
    then: "active",
    wake: 4610,
  },
  {
    name: "stall without preempt: changed, then the advert of whoever took over",
    given: [...stalled.slice(0, 2), [9000, { type: "changed" }, { preempt: false }]],
    at: 9000,
    event: advert(50, lower),
    with: { preempt: false },
    then: "backup",
    effects: "release, active→backup",
  },
  {
    name: "stall without preempt: what changes in doubt is told after it",
    given: stalled,
    at: 9100,
    event: { type: "changed" },
    with: { preempt: false },
    then: "active",
    wake: 10500,
  },
  {
    name: "6.4.3 priority 0",
    given: active,
    at: 4000,
    event: advert(0),
    then: "active",
    effects: "advertise 100",
    wake: 5000,
  },
  {
    name: "6.4.3 higher priority",
    given: active,
    at: 4000,
    event: advert(150),
    then: "backup",
    effects: "release, advertise 100, active→backup",
    wake: 7609.375,
    because: /192\.0\.2\.9 advertises priority 150, ours is 100/,
  },
  {
    name: "6.4.3 equal, higher address",
    given: active,
    at: 4000,
    event: advert(100),
    then: "backup",
    effects: "release, advertise 100, active→backup",
  },
  {
    name: "6.4.3 equal, lower address",
    given: active,
    at: 4000,
    event: advert(100, lower),
    then: "active",
    effects: "advertise 100",
    wake: 4610,
  },
  {
    name: "6.4.3 equal, addresses are unsigned",
    given: active,
    at: 4000,
    event: advert(100, "200.0.0.1"),
    then: "backup",
    effects: "release, advertise 100, active→backup",
  },
  {
    name: "6.4.3 equal, same address",
    given: active,
    at: 4000,
    event: advert(100, "192.0.2.5"),
    then: "active",
    effects: "warn",
    because: /two machines/,
  },
  {
    name: "6.4.3 losing, soon after an announcement",
    given: active,
    at: 4000,
    event: advert(50),
    then: "active",
    effects: "advertise 100",
    wake: 4610,
  },
  {
    name: "6.4.3 losing, later: announced again",
    given: [...active, [4611, timer]],
    at: 5000,
    event: advert(50),
    then: "active",
    effects: "advertise 100, announce",
    wake: 5610,
  },
  {
    name: "losing: the last evidence is announced too",
    given: [...active, [4000, advert(50)]],
    at: 4610,
    event: timer,
    then: "active",
    effects: "advertise 100, announce",
  },
  {
    name: "erratum 8298: two owners, higher address",
    given: [[0, start, { priority: 255 }]],
    at: 500,
    event: advert(255),
    with: { priority: 255 },
    then: "backup",
    effects: "release, advertise 255, active→backup",
  },
  {
    name: "erratum 8298: two owners, lower address",
    given: [[0, start, { priority: 255 }]],
    at: 500,
    event: advert(255, lower),
    with: { priority: 255 },
    then: "active",
    effects: "advertise 255",
  },
  {
    name: "6.4.3 fault",
    given: active,
    at: 4000,
    event: fault,
    then: "fault",
    effects: "advertise 0, release, active→fault",
  },
  {
    name: "fault of the interface itself",
    given: active,
    at: 4000,
    event: { ...fault, transmit: false } as Happening,
    then: "fault",
    effects: "release, active→fault",
  },
  {
    name: "active changed",
    given: active,
    at: 4000,
    event: { type: "changed" },
    with: { priority: 1 },
    then: "active",
    effects: "advertise 1",
    wake: 5000,
  },
  { name: "incompatible does not move it", given: active, at: 9000, event: incompatible(200), then: "active" },
  {
    name: "incompatible, both began in this moment, we lose",
    given: active,
    at: 3620,
    event: incompatible(200),
    then: "backup",
    effects: "release, active→backup",
  },
  {
    name: "incompatible, both began in this moment, we win",
    given: active,
    at: 3620,
    event: incompatible(50),
    then: "active",
  },
  {
    name: "incompatible that does not step down",
    given: [...active, [3620, incompatible(50)], [4620, incompatible(50)]],
    at: 5620,
    event: incompatible(50),
    then: "backup",
    effects: "release, active→backup",
  },
  {
    name: "incompatible that we waited behind is back",
    given: [...rivalled, [3610, timer], [3710, timer]],
    at: 90_000,
    event: incompatible(50),
    then: "backup",
    effects: "release, active→backup",
    because: /incompatible 192\.0\.2\.9 is active/,
  },

  // planned moves
  {
    name: "move: offers first",
    given: active,
    at: 4000,
    event: leave("failover"),
    then: "active",
    effects: "offer",
    wake: 4610,
  },
  {
    name: "move: advertises while it offers",
    given: offering,
    at: 4611,
    event: timer,
    then: "active",
    effects: "advertise 100",
    wake: 5500,
  },
  {
    name: "move: nobody answers",
    given: [...offering, [4611, timer]],
    at: 5500,
    event: timer,
    then: "active",
    effects: "advertise 0",
    wake: 5520,
  },
  {
    name: "move: ready",
    given: offering,
    at: 4010,
    event: { type: "proceed" },
    then: "active",
    effects: "advertise 0",
    wake: 4030,
  },
  {
    name: "move: second priority 0",
    given: relinquishing,
    at: 4030,
    event: timer,
    then: "active",
    effects: "advertise 0",
    wake: 4050,
  },
  {
    name: "move: third priority 0",
    given: [...relinquishing, [4030, timer]],
    at: 4050,
    event: timer,
    then: "active",
    effects: "advertise 0",
    wake: 5260,
  },
  {
    name: "move: taken",
    given: relinquishing,
    at: 4020,
    event: advert(50),
    then: "backup",
    effects: "release, active→backup, settle moved",
    wake: 7629.375,
    because: /Moved to 192\.0\.2\.9: asked/,
  },
  {
    name: "move: taken by an incompatible peer",
    given: relinquishing,
    at: 4020,
    event: incompatible(50),
    then: "backup",
    effects: "release, active→backup, settle moved",
  },
  {
    name: "move: nobody takes it",
    given: relinquishing,
    at: 5260,
    event: timer,
    then: "active",
    effects: "advertise 100, announce, settle kept",
    because: /Nobody took it/,
  },
  {
    name: "move: the other gives it up too",
    given: relinquishing,
    at: 4020,
    event: advert(0),
    then: "active",
    effects: "advertise 100, settle kept",
  },
  {
    name: "move: refused",
    given: offering,
    at: 4010,
    event: { type: "cancel", reason: "yields too" },
    then: "active",
    effects: "settle kept",
    because: /yields too/,
  },
  {
    name: "move: outranked meanwhile",
    given: offering,
    at: 4010,
    event: advert(150),
    then: "backup",
    effects: "release, advertise 100, active→backup, settle moved",
  },
  {
    name: "move: fault meanwhile",
    given: offering,
    at: 4010,
    event: fault,
    then: "fault",
    effects: "advertise 0, release, active→fault, settle left",
  },
  { name: "move: a second one changes nothing", given: offering, at: 4010, event: leave("yield"), then: "active" },
  { name: "stop: offers first", given: active, at: 4000, event: leave("stop"), then: "active", effects: "offer" },
  {
    name: "stop: refused",
    given: [...active, [4000, leave("stop")]],
    at: 4010,
    event: { type: "cancel", reason: "no" },
    then: "active",
    effects: "advertise 0",
  },
  {
    name: "stop: taken",
    given: stopping,
    at: 4020,
    event: advert(50),
    then: "initialize",
    effects: "release, active→initialize, settle moved",
  },
  {
    name: "stop: nobody takes it",
    given: stopping,
    at: 5260,
    event: timer,
    then: "initialize",
    effects: "release, active→initialize, settle left",
  },
  {
    name: "stop: outranked meanwhile",
    given: [...active, [4000, leave("stop")]],
    at: 4010,
    event: advert(150),
    then: "initialize",
    effects: "release, active→initialize, settle moved",
  },
  {
    name: "stop: during a move",
    given: [...relinquishing, [4015, leave("stop")]],
    at: 5260,
    event: timer,
    then: "initialize",
    effects: "release, active→initialize, settle left",
  },
];

Deno.test("transition() follows RFC 9568 §6.4 and the contract, row by row", () => {
  for (const row of rows) {
    const given = play(row.given).state;
    const [state, effects] = transition(given, { ...row.event, now: row.at } as Event, { ...parameters, ...row.with });
    equal(state.state, row.then, row.name);
    equal(effects.map(brief).join(", "), row.effects ?? "", row.name);
    if (row.wake !== undefined) equal(deadline(state), row.wake, row.name);
    if (row.because !== undefined) {
      const texts = effects.map((effect) => "text" in effect ? effect.text : "reason" in effect ? effect.reason : "");
      match(texts.findLast((text) => text !== "") ?? "", row.because, row.name);
    }
  }
});

const states: Record<string, Story> = {
  initialize: [],
  fault: faulty,
  backup,
  following,
  rivalled,
  active,
  offering,
  relinquishing,
  stopping,
  stalled,
};
const events: readonly Happening[] = [
  start,
  { type: "start", vouched: true },
  timer,
  advert(0),
  advert(1),
  advert(100),
  advert(100, lower),
  advert(255),
  incompatible(0),
  incompatible(200),
  fault,
  { type: "changed" },
  leave("failover"),
  leave("yield"),
  leave("preemption"),
  leave("stop"),
  { type: "proceed" },
  { type: "cancel", reason: "no" },
  { type: "agreed", until: 99_999 },
  { type: "refused" },
  { type: "failback" },
];

Deno.test("transition() keeps its promises in every state at every event", () => {
  for (const [name, story] of Object.entries(states)) {
    for (const happening of events) {
      for (const at of [0, 3000, 4020, 60_000]) {
        const given = play(story).state;
        const frozen = structuredClone(given);
        const [state, effects] = transition(given, { ...happening, now: at } as Event, parameters);
        const where = `${name} × ${JSON.stringify(happening)} at ${at}`;
        deepEqual(given, frozen, `${where}: the given state was changed`);
        const briefs = effects.map(brief);
        equal(briefs.includes("acquire"), state.state === "active" && given.state !== "active", `${where}: acquire`);
        equal(briefs.includes("release"), state.state !== "active" && given.state === "active", `${where}: release`);
        const moves = effects.filter((effect) => effect.type === "transition");
        equal(moves.length, state.state === given.state ? 0 : 1, `${where}: transition`);
        for (const move of moves) deepEqual([move.from, move.to], [given.state, state.state], where);
        // No machine sleeps for ever while it takes part, and none spins.
        if (state.state === "active" || state.state === "backup") {
          equal(Number.isFinite(deadline(state)), true, `${where}: deadline`);
        }
        if (happening.type === "timer") equal(deadline(state) > at, true, `${where}: spins`);
      }
    }
  }
});
