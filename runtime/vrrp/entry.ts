/** How a virtual router enters backup and active. */
import type { Address } from "../bytes/address.ts";
import type { Active, Backup, Effect, Event, Parameters, State, Step } from "./state.ts";
import { downInterval } from "./timing.ts";

export type Advert = Extract<Event, { type: "advert" | "incompatible" }>;

/** Follows nobody yet: waits the whole Active_Down_Interval for somebody to speak. */
export function enterBackup(now: number, parameters: Parameters): Backup {
  return {
    state: "backup",
    downAt: now + downInterval(parameters.version, parameters.priority, parameters.advertInterval),
    activeInterval: parameters.advertInterval,
    active: null,
    since: now,
    granted: false,
    lowerSince: null,
    asked: null,
    agreedUntil: null,
    summoned: false,
    rival: null,
  };
}

/** Takes `advert` as that of the active router: learns its interval and starts the timer anew. */
export function follow(backup: Backup, advert: Advert, parameters: Parameters): Backup {
  return {
    ...backup,
    downAt: advert.now + downInterval(parameters.version, parameters.priority, advert.interval),
    activeInterval: advert.interval,
    active: { address: advert.source, priority: advert.priority, at: advert.now },
    granted: false,
  };
}

/** Believes that an incompatible peer holds the addresses, for as long as silence would take to prove it gone. */
export function waitBehind(backup: Backup, advert: Advert, parameters: Parameters): Backup {
  const until = advert.now + downInterval(parameters.version, parameters.priority, advert.interval);
  return { ...backup, rival: { address: advert.source, until } };
}

/**
 * Advertises first, so that nobody else starts; then come the addresses and the announcement of where they are.
 *
 * `behind`: the incompatible peer whose silence made us active. We know it to be one and give in when it comes back.
 */
export function becomeActive(
  from: State["state"],
  now: number,
  parameters: Parameters,
  reason: string,
  behind: Address | null = null,
): Step {
  const active: Active = {
    state: "active",
    since: now,
    advertAt: now + parameters.advertInterval,
    announceAt: Infinity,
    announcedAt: now,
    doubtUntil: null,
    leaving: null,
    rival: behind === null ? null : { address: behind, patience: now },
  };
  const effects: Effect[] = [
    { type: "advertise", priority: parameters.priority },
    { type: "acquire" },
    { type: "transition", from, to: "active", reason },
  ];
  if (parameters.held) effects.push({ type: "endHold", text: `Hold is over: ${reason}` });
  return [active, effects];
}
