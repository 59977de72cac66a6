/** Backup: follow the active router, take over when it is gone (RFC 9568 §6.4.2). */
import { type Address, formatAddress } from "../bytes/address.ts";
import { type Advert, becomeActive, follow, waitBehind } from "./entry.ts";
import type { Backup, Parameters, RequestCause, Step } from "./state.ts";
import { askAgainAfter, downInterval, formatTime, requestLimit, skewTime } from "./timing.ts";

/** The priority that says "I cannot serve, take it if you can" (contract 2.1), where it was not configured. */
const yielding = 1;

export function backupAdvert(backup: Backup, advert: Advert, parameters: Parameters): Step {
  const { now } = advert;
  if (advert.priority === 0) return relinquished(backup, advert, parameters);
  if (advert.priority >= parameters.priority) {
    return [{ ...follow(backup, advert, parameters), lowerSince: null, summoned: false }, []];
  }
  const lowerSince = backup.lowerSince ?? now;
  const followed = { ...follow(backup, advert, parameters), lowerSince };
  if (parameters.held || isAgreed(backup, now)) return [followed, []];
  const mayPreempt = backup.summoned || parameters.preempt && now - lowerSince >= parameters.preemptDelay;
  if (!mayPreempt) return advert.priority === yielding ? askRescue(followed, advert) : [followed, []];
  if (backup.asked === null || backup.asked.cause === "rescue") {
    const cause = backup.summoned ? "failback" : "preemption";
    return ask(followed, advert.source, cause, now + requestLimit);
  }
  if (now < backup.asked.until) return [followed, []];
  // §6.4.2 (450): discarded, so that the timer runs out. Who is active is worth knowing all the same.
  return [{ ...backup, lowerSince, active: followed.active }, []];
}

/** Neither `preempt: false` nor preempt_delay keeps the addresses where nobody is served, if that is so. */
function askRescue(followed: Backup, { now, source }: Advert): Step {
  if (followed.asked !== null && now < followed.asked.until) return [followed, []];
  return ask(followed, source, "rescue", now + askAgainAfter);
}

function ask(followed: Backup, active: Address, cause: RequestCause, until: number): Step {
  return [{ ...followed, asked: { cause, until } }, [{ type: "request", active, cause }]];
}

/** Priority 0: at once where we said that we are ready, else after the skew, so that the best backup is first. */
function relinquished(backup: Backup, advert: Advert, parameters: Parameters): Step {
  const { now } = advert;
  const from = formatAddress(advert.source);
  if (isAgreed(backup, now)) return becomeActive("backup", now, parameters, `${from} handed it over`);
  const skew = skewTime(parameters.version, parameters.priority, backup.activeInterval);
  const active = { address: advert.source, priority: 0, at: now };
  return [{ ...backup, downAt: now + skew, active, granted: false }, []];
}

export function backupIncompatible(backup: Backup, advert: Advert, parameters: Parameters): Step {
  if (advert.priority > 0) return [waitBehind(backup, advert, parameters), []];
  const skew = skewTime(parameters.version, parameters.priority, advert.interval);
  return [{ ...backup, rival: null, downAt: Math.min(backup.downAt, advert.now + skew) }, []];
}

export function backupTimer(backup: Backup, now: number, parameters: Parameters): Step {
  if (now < backup.downAt) return [backup, []];
  const { rival, activeInterval } = backup;
  if (rival !== null && now < rival.until) return [{ ...backup, downAt: rival.until }, []];
  // We slept through more than an interval: the silence may be ours. One interval more tells, once.
  if (!backup.granted && now - backup.downAt > activeInterval) {
    const skew = skewTime(parameters.version, parameters.priority, activeInterval);
    return [{ ...backup, downAt: now + activeInterval + skew, granted: true }, []];
  }
  return becomeActive("backup", now, parameters, reasonOf(backup, now, parameters), rival?.address ?? null);
}

function reasonOf({ active, rival, since, activeInterval }: Backup, now: number, { priority }: Parameters): string {
  if (active !== null) {
    const address = formatAddress(active.address);
    if (active.priority === 0) return `${address} gave it up`;
    if (active.priority < priority && now - active.at < 1.5 * activeInterval) {
      return `preempts ${address} (priority ${active.priority}, ours is ${priority})`;
    }
    return `no advert from ${address} for ${formatTime(now - active.at)}`;
  }
  if (rival !== null) return `incompatible ${formatAddress(rival.address)} fell silent`;
  return `no advert for ${formatTime(now - since)}`;
}

/** The parameters changed: whatever they are now, nobody waits longer than they say. */
export function backupChanged(backup: Backup, now: number, parameters: Parameters): Step {
  if (parameters.priority === 255 && !parameters.held) {
    return becomeActive("backup", now, parameters, "address owner (priority 255)");
  }
  const downAt = now + downInterval(parameters.version, parameters.priority, backup.activeInterval);
  return [{ ...backup, downAt: Math.min(backup.downAt, downAt), asked: null }, []];
}

/** The operator wants the addresses back: asked for at once where the active router is known and may be preempted. */
export function backupFailback(backup: Backup, now: number, parameters: Parameters): Step {
  const { active } = backup;
  const summoned: Backup = { ...backup, summoned: true, asked: null };
  if (active === null || active.priority === 0 || active.priority >= parameters.priority) return [summoned, []];
  return ask(summoned, active.address, "failback", now + requestLimit);
}

function isAgreed({ agreedUntil }: Backup, now: number): boolean {
  return agreedUntil !== null && now < agreedUntil;
}
