/** Active: hold the addresses, advertise, and leave by plan without leaving nobody (RFC 9568 §6.4.3). */
import { compareAddresses, equalAddresses, formatAddress } from "../bytes/address.ts";
import { type Advert, enterBackup, follow, waitBehind } from "./entry.ts";
import type { Active, Effect, Event, Leaving, Parameters, Step } from "./state.ts";
import { announceEvery, offerLimit, relinquishGap, silenceLimit, takeoverLimit } from "./timing.ts";

/** Copies of priority 0 that say "take it": one may get lost. */
const zeros = 3;

export function activeAdvert(active: Active, advert: Advert, parameters: Parameters): Step {
  const from = formatAddress(advert.source);
  if (advert.priority === 0) return answerZero(active, advert, parameters);
  if (active.leaving?.phase === "relinquishing") return moved(active.leaving, advert, parameters);
  const order = compare(advert, parameters);
  if (order === 0) {
    const text = `${from} advertises this virtual router too: two machines have the same address and priority`;
    return [active, [{ type: "warn", text }]];
  }
  const incumbent = isDoubtful(active, advert.now, parameters);
  if (order > 0 || incumbent) {
    const reason = incumbent && order < 0
      ? `${from} took over while this process was stalled`
      : `${from} advertises priority ${advert.priority}, ours is ${parameters.priority}`;
    return outranked(active, advert, parameters, reason);
  }
  // §6.4.3 (770): a losing rival gets an answer at once, so that it steps down and bridges relearn our port. The timer
  // is not reset. The rival may have announced itself: so do we, the last time after its last advertisement.
  const announceAt = Math.min(active.announceAt, Math.max(advert.now, active.announcedAt + announceEvery));
  const answer: Effect = { type: "advertise", priority: parameters.priority };
  if (announceAt > advert.now) return [{ ...active, announceAt }, [answer]];
  return [{ ...active, announceAt: Infinity, announcedAt: advert.now }, [answer, { type: "announce" }]];
}

/** Above 0: the sender wins. Erratum 8298: also between two address owners. */
function compare(advert: Advert, { priority, primary }: Parameters): number {
  return advert.priority - priority || compareAddresses(advert.source, primary);
}

function answerZero(active: Active, advert: Advert, parameters: Parameters): Step {
  const answer: Effect = { type: "advertise", priority: parameters.priority };
  const next = { ...active, advertAt: advert.now + parameters.advertInterval };
  const { leaving } = active;
  if (leaving?.phase !== "relinquishing" || leaving.cause === "stop") {
    return leaving?.phase === "relinquishing" ? [active, []] : [next, [answer]];
  }
  return kept(next, leaving, [answer], `${formatAddress(advert.source)} gives it up as well`);
}

/**
 * The parting advertisement tells a winner that has not heard us yet that there were two: it announces itself again. Not
 * where we outrank it and make way all the same: it would make way for us.
 */
function outranked(active: Active, advert: Advert, parameters: Parameters, reason: string): Step {
  const effects: Effect[] = [{ type: "release" }];
  if (compare(advert, parameters) > 0) effects.push({ type: "advertise", priority: parameters.priority });
  effects.push({ type: "transition", from: "active", to: "backup", reason });
  const { leaving } = active;
  if (leaving?.cause === "stop") return left(leaving, effects.slice(0, 1), "moved", reason);
  if (leaving !== null) effects.push({ type: "settle", cause: leaving.cause, outcome: "moved", text: reason });
  return [follow(enterBackup(advert.now, parameters), advert, parameters), effects];
}

/** The peer's first advertisement: it has the addresses, ours may go. */
function moved(leaving: Leaving, advert: Advert, parameters: Parameters): Step {
  const text = `Moved to ${formatAddress(advert.source)}: ${leaving.reason}`;
  if (leaving.cause === "stop") return left(leaving, [{ type: "release" }], "moved", text);
  const backup = enterBackup(advert.now, parameters);
  const next = advert.type === "advert" ? follow(backup, advert, parameters) : waitBehind(backup, advert, parameters);
  return [next, [
    { type: "release" },
    { type: "transition", from: "active", to: "backup", reason: leaving.reason },
    { type: "settle", cause: leaving.cause, outcome: "moved", text },
  ]];
}

function kept(active: Active, leaving: Leaving, effects: Effect[], text: string): Step {
  return [{ ...active, leaving: null }, [...effects, { type: "settle", cause: leaving.cause, outcome: "kept", text }]];
}

function left(leaving: Leaving, effects: Effect[], outcome: "moved" | "left", text: string): Step {
  return [{ state: "initialize" }, [
    ...effects,
    { type: "transition", from: "active", to: "initialize", reason: leaving.reason },
    { type: "settle", cause: leaving.cause, outcome, text },
  ]];
}

/**
 * An incompatible peer does not move an active router, or a forged advertisement could. Except where both would stay
 * active for ever: we waited behind it before, both began in the same moment, or it follows our priority 0.
 */
export function activeIncompatible(active: Active, advert: Advert, parameters: Parameters): Step {
  if (advert.priority === 0) return [active, []];
  if (active.leaving?.phase === "relinquishing") return moved(active.leaving, advert, parameters);
  const { now, source } = advert;
  const known = active.rival !== null && equalAddresses(active.rival.address, source) ? active.rival : null;
  const fresh = now - active.since < 1.5 * parameters.advertInterval;
  if (known === null && !fresh) return [active, []];
  // A rival that understands us steps down when it loses; one that goes on does not understand us.
  const patience = known?.patience ?? (compare(advert, parameters) > 0 ? now : now + 2 * advert.interval);
  if (now < patience) return [{ ...active, rival: { address: source, patience } }, []];
  const reason = `incompatible ${formatAddress(source)} is active (priority ${advert.priority})`;
  const effects: Effect[] = [{ type: "release" }, { type: "transition", from: "active", to: "backup", reason }];
  if (active.leaving !== null) {
    effects.push({ type: "settle", cause: active.leaving.cause, outcome: "moved", text: reason });
  }
  return [waitBehind(enterBackup(now, parameters), advert, parameters), effects];
}

export function activeTimer(active: Active, now: number, parameters: Parameters): Step {
  const { leaving } = active;
  if (leaving?.phase === "relinquishing") return relinquishTimer(active, leaving, now, parameters);
  if (leaving?.phase === "offering" && now >= leaving.until) return relinquish(active, leaving, now, parameters);
  const effects: Effect[] = [];
  let next = active;
  if (now >= (active.doubtUntil ?? active.advertAt)) {
    const stalled = active.doubtUntil === null && isStalled(active, now, parameters);
    // Without preempt the peer that took over in the meantime keeps the addresses: listen for an interval first.
    if (stalled && !parameters.preempt) {
      return [{ ...active, doubtUntil: now + 1.5 * parameters.advertInterval }, []];
    }
    effects.push({ type: "advertise", priority: parameters.priority });
    if (stalled || active.doubtUntil !== null) next = { ...next, announceAt: now };
    next = { ...next, doubtUntil: null, advertAt: nextAdvert(active.advertAt, now, parameters) };
  }
  if (now >= next.announceAt) {
    effects.push({ type: "announce" });
    next = { ...next, announceAt: Infinity, announcedAt: now };
  }
  return [next, effects];
}

/** Nobody has heard us for so long that somebody may have taken over. */
function isStalled({ advertAt }: Active, now: number, parameters: Parameters): boolean {
  return now - advertAt + parameters.advertInterval >= silenceLimit(parameters);
}

/** Without preempt: somebody may have taken over, and may keep it. */
function isDoubtful(active: Active, now: number, parameters: Parameters): boolean {
  return active.doubtUntil !== null || !parameters.preempt && isStalled(active, now, parameters);
}

/** On the beat, or a whole interval from now where the beat was missed. */
function nextAdvert(due: number, now: number, { advertInterval }: Parameters): number {
  return due + advertInterval > now ? due + advertInterval : now + advertInterval;
}

export function activeLeave(active: Active, event: Extract<Event, { type: "leave" }>): Step {
  const { cause, reason, now } = event;
  const { leaving } = active;
  // Whatever else is under way becomes the way out.
  if (leaving !== null) {
    return cause === "stop" ? [{ ...active, leaving: { ...leaving, cause, reason } }, []] : [active, []];
  }
  const offering: Leaving = { phase: "offering", cause, reason, until: now + offerLimit };
  return [{ ...active, leaving: offering }, [{ type: "offer", cause }]];
}

/** Priority 0 goes out; the addresses stay until somebody is heard to have them. */
export function relinquish(active: Active, leaving: Leaving, now: number, parameters: Parameters): Step {
  const { cause, reason } = leaving;
  const until = now + takeoverLimit(parameters);
  const zeroAt = now + relinquishGap(parameters);
  return [{ ...active, leaving: { phase: "relinquishing", cause, reason, until, zerosLeft: zeros - 1, zeroAt } }, [
    { type: "advertise", priority: 0 },
  ]];
}

function relinquishTimer(
  active: Active,
  leaving: Extract<Leaving, { phase: "relinquishing" }>,
  now: number,
  parameters: Parameters,
): Step {
  if (now >= leaving.until) {
    const text = "Nobody took it";
    if (leaving.cause === "stop") return left(leaving, [{ type: "release" }], "left", text);
    const again: Effect[] = [{ type: "advertise", priority: parameters.priority }, { type: "announce" }];
    return kept({ ...active, advertAt: now + parameters.advertInterval, announcedAt: now }, leaving, again, text);
  }
  if (leaving.zerosLeft === 0 || now < leaving.zeroAt) return [active, []];
  const zeroAt = now + relinquishGap(parameters);
  return [{ ...active, leaving: { ...leaving, zerosLeft: leaving.zerosLeft - 1, zeroAt } }, [
    { type: "advertise", priority: 0 },
  ]];
}

/** The peer refused: a stop goes on without it, anything else stays here. */
export function activeCancel(active: Active, event: Extract<Event, { type: "cancel" }>, parameters: Parameters): Step {
  const { leaving } = active;
  if (leaving?.phase !== "offering") return [active, []];
  if (leaving.cause === "stop") return relinquish(active, leaving, event.now, parameters);
  return kept(active, leaving, [], event.reason);
}

export function activeFault(active: Active, event: Extract<Event, { type: "fault" }>): Step {
  const effects: Effect[] = event.transmit ? [{ type: "advertise", priority: 0 }] : [];
  effects.push({ type: "release" }, { type: "transition", from: "active", to: "fault", reason: event.reason });
  if (active.leaving !== null) {
    effects.push({ type: "settle", cause: active.leaving.cause, outcome: "left", text: event.reason });
  }
  return [{ state: "fault", reason: event.reason }, effects];
}

/**
 * The new priority and interval are told at once; nobody waits a long old interval for them. In doubt they are told after
 * it: an advertisement now would take the addresses back from whoever has them.
 */
export function activeChanged(active: Active, now: number, parameters: Parameters): Step {
  if (active.leaving?.phase === "relinquishing") return [active, []];
  if (isDoubtful(active, now, parameters)) return [active, []];
  return [{ ...active, advertAt: now + parameters.advertInterval }, [
    { type: "advertise", priority: parameters.priority },
  ]];
}
