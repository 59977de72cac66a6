/**
 * The hand-over of one virtual router as a pure state machine: the giver (active) offers, the taker gets its kernel
 * ready, and only then does priority 0 move the addresses.
 *
 *     taker                     giver
 *       │ ◄──────── offer ──────── │    up to three times within 200 ms
 *     forward ──── ready ────────► │    retain, priority 0 × 3
 *     active, advertisement ─────► │    addresses off the interface
 *     announce ◄──── released ──── │
 *     stop forwarding ◄─ drained ─ │    its last connection ended
 *
 * The other direction begins with `request`. Who does not answer is no Tandem: then it is make-before-break alone.
 */
import { type Address, equalAddresses, formatAddress } from "../bytes/address.ts";
import type { HandoverMessage } from "./handover_message.ts";
import type {
  Attempt,
  Giving,
  Handover,
  HandoverEffect,
  HandoverEvent,
  HandoverStep,
  Offer,
  Taking,
} from "./handover_state.ts";

const mostTries = 3;
/** Between two tries, in ms: three of them and the last answer fit into 200 ms. */
const tryEvery = 66;
/** How long an agreement, and rules that nobody confirmed, live. */
const agreementLife = 5000;

export function advance(state: Handover, event: HandoverEvent): HandoverStep {
  switch (event.type) {
    case "offer":
      return beginOffer(state, event);
    case "ask":
      return beginAsk(state, event);
    case "message":
      return hear(state, event);
    case "forwarded":
      return forwarded(state, event);
    case "timer":
      return retry(state, event.now);
    case "moved":
      return moved(state);
    case "kept":
    case "lost":
      return state.giving === null ? [state, []] : [{ ...state, giving: null }, [{ type: "letGo" }, finished]];
    case "active":
      return active(state);
    case "drained":
      return drained(state);
    case "expired":
      return state.taking?.phase === "forwarding" ? [{ ...state, taking: null }, [finished]] : [state, []];
  }
}

const finished: HandoverEffect = { type: "finished" };

/** When `timer` is due. */
export function handoverDeadline({ giving, taking, asking }: Handover): number {
  return Math.min(
    giving?.phase === "offering" ? giving.attempt.nextAt : Infinity,
    taking?.phase === "agreed" ? taking.until : Infinity,
    asking?.attempt.nextAt ?? Infinity,
  );
}

function beginOffer(state: Handover, event: Extract<HandoverEvent, { type: "offer" }>): HandoverStep {
  const { peer, terms, now } = event;
  const effects: HandoverEffect[] = [];
  // A drain that is under way goes on in the keeper; its peer has learnt enough.
  if (peer === null) return [{ ...state, giving: null }, [{ type: "proceed", keep: "no Tandem peer is heard" }]];
  const giving: Giving = { phase: "offering", terms, attempt: { peer, tries: 1, nextAt: now + tryEvery } };
  effects.push({ type: "send", to: peer, message: { type: "offer", ...terms } });
  return [{ ...state, giving }, effects];
}

function beginAsk(state: Handover, event: Extract<HandoverEvent, { type: "ask" }>): HandoverStep {
  const { id, priority, cause, peer, now } = event;
  const request = { id, priority, cause };
  const asking = { request, attempt: { peer, tries: 1, nextAt: now + tryEvery } };
  return [{ ...state, asking }, [{ type: "send", to: peer, message: { type: "request", ...request } }]];
}

function retry(state: Handover, now: number): HandoverStep {
  const effects: HandoverEffect[] = [];
  let { giving, taking, asking } = state;
  if (giving?.phase === "offering" && now >= giving.attempt.nextAt) {
    const attempt = again(giving.attempt, now);
    if (attempt === null) {
      giving = null;
      effects.push({ type: "proceed", keep: "the peer does not answer" });
    } else {
      giving = { ...giving, attempt };
      effects.push({ type: "send", to: attempt.peer, message: { type: "offer", ...giving.terms } });
    }
  }
  if (asking !== null && now >= asking.attempt.nextAt) {
    const attempt = again(asking.attempt, now);
    if (attempt === null) {
      effects.push({ type: "refused" });
      asking = null;
    } else {
      asking = { ...asking, attempt };
      effects.push({ type: "send", to: attempt.peer, message: { type: "request", ...asking.request } });
    }
  }
  if (taking?.phase === "agreed" && now >= taking.until) {
    taking = null;
    effects.push({ type: "stopForwarding" });
  }
  return [{ giving, taking, asking }, effects];
}

function again(attempt: Attempt, now: number): Attempt | null {
  return attempt.tries < mostTries ? { ...attempt, tries: attempt.tries + 1, nextAt: now + tryEvery } : null;
}

function hear(state: Handover, event: Extract<HandoverEvent, { type: "message" }>): HandoverStep {
  const { message, from } = event;
  switch (message.type) {
    case "hello":
      return [state, []];
    case "offer":
      return offered(state, event, message);
    case "request":
      return requested(state, event, message);
    case "ready": {
      const { giving } = state;
      if (giving?.phase !== "offering" || giving.terms.id !== message.id || !isFrom(giving.attempt, from)) {
        return [state, []];
      }
      const keep = giving.terms.keep ?? message.keep;
      const effects: HandoverEffect[] = keep === null ? [{ type: "retain" }] : [];
      effects.push({ type: "proceed", keep });
      return [{ ...state, giving: { phase: "moving", id: message.id, peer: from, keep } }, effects];
    }
    case "refuse": {
      const { giving, asking } = state;
      if (giving?.phase === "offering" && giving.terms.id === message.id && isFrom(giving.attempt, from)) {
        return [{ ...state, giving: null }, [{
          type: "cancel",
          reason: `${formatAddress(from)} refused: ${message.reason}`,
        }]];
      }
      if (asking?.request.id === message.id) return [{ ...state, asking: null }, [{ type: "refused" }]];
      return [state, []];
    }
    case "released": {
      const { taking } = state;
      if (taking === null || taking.id !== message.id || !equalAddresses(taking.peer, from)) return [state, []];
      return [state, event.standing.state === "active" ? [{ type: "announce" }] : []];
    }
    case "drained": {
      const { taking } = state;
      if (taking === null || taking.id !== message.id || !equalAddresses(taking.peer, from)) return [state, []];
      return [{ ...state, taking: null }, [{ type: "stopForwarding" }, finished]];
    }
  }
}

function isFrom({ peer }: Attempt, from: Address): boolean {
  return equalAddresses(peer, from);
}

/** Taker: only the router that we hear advertise may offer what it has. */
function offered(
  state: Handover,
  { from, standing, now }: Extract<HandoverEvent, { type: "message" }>,
  message: Offer,
): HandoverStep {
  const { id } = message;
  const refuse = (reason: string): HandoverStep => [state, [{
    type: "send",
    to: from,
    message: { type: "refuse", id, reason },
  }]];
  if (standing.state !== "backup") return refuse(`this router is ${standing.state}`);
  if (standing.active === null || !equalAddresses(standing.active, from)) return refuse("you are not heard as active");
  // A cause that both share costs no move (contract 2.1).
  if (standing.yields && message.cause === "yield") return refuse("it yields too");
  const until = now + agreementLife;
  const taking: Taking = { phase: "agreed", id, peer: from, until, keep: message.keep };
  const { type: _, ...offer } = message;
  return [{ ...state, taking, asking: null }, [{ type: "forward", peer: from, offer }, { type: "agreed", until }]];
}

function forwarded(state: Handover, { keep }: Extract<HandoverEvent, { type: "forwarded" }>): HandoverStep {
  const { taking } = state;
  if (taking?.phase !== "agreed") return [state, []];
  return [{ ...state, taking: { ...taking, keep } }, [
    { type: "send", to: taking.peer, message: { type: "ready", id: taking.id, keep } },
  ]];
}

function requested(
  state: Handover,
  { from, standing }: Extract<HandoverEvent, { type: "message" }>,
  message: Extract<HandoverMessage, { type: "request" }>,
): HandoverStep {
  const refuse = (reason: string): HandoverStep => [state, [{
    type: "send",
    to: from,
    message: { type: "refuse", id: message.id, reason },
  }]];
  if (standing.state !== "active") return refuse(`this router is ${standing.state}`);
  // Already on its way: the offer is the answer.
  if (standing.leaving) return [state, []];
  if (message.priority <= standing.priority) return refuse(`priority ${standing.priority} is not lower`);
  // To whoever may not preempt, priority 1 looks like one that cannot serve; it may be all that we were given.
  if (message.cause === "rescue" && !standing.yields) return refuse("this node can serve");
  const why = standing.yields ? "can serve, this node cannot" : `asked for it with priority ${message.priority}`;
  return [state, [{ type: "leave", reason: `${formatAddress(from)} ${why}` }]];
}

/** Giver: its own old rules are of no use any more, and the taker may announce itself where we no longer answer. */
function moved(state: Handover): HandoverStep {
  const { giving } = state;
  const effects: HandoverEffect[] = [{ type: "stopForwarding" }];
  if (giving?.phase !== "moving") return [{ ...state, giving: null, taking: null }, [...effects, finished]];
  const { id, peer, keep } = giving;
  effects.push({ type: "send", to: peer, message: { type: "released", id } });
  if (keep !== null) return [{ ...state, giving: null, taking: null }, [...effects, finished]];
  return [{ ...state, giving: { phase: "draining", id, peer }, taking: null }, [...effects, { type: "drain" }]];
}

/** The addresses are here: rules stay, own copies of an earlier move go. */
function active(state: Handover): HandoverStep {
  const { giving, taking } = state;
  const effects: HandoverEffect[] = [];
  if (taking?.phase === "agreed" && taking.keep === null) effects.push({ type: "confirm" });
  effects.push({ type: "letGo" });
  // Whoever forwarded our old connections to us can stop: we have the addresses ourselves.
  if (giving?.phase === "draining") {
    effects.push({ type: "send", to: giving.peer, message: { type: "drained", id: giving.id } });
  }
  if (taking?.phase !== "agreed" || taking.keep !== null) effects.push(finished);
  return [{ giving: null, taking: taking?.phase === "agreed" ? taken(taking) : taking, asking: null }, effects];
}

function taken({ id, peer, keep }: Extract<Taking, { phase: "agreed" }>): Taking {
  return { phase: keep === null ? "forwarding" : "taken", id, peer };
}

function drained(state: Handover): HandoverStep {
  if (state.giving?.phase !== "draining") return [state, []];
  const { id, peer } = state.giving;
  return [{ ...state, giving: null }, [{ type: "send", to: peer, message: { type: "drained", id } }, finished]];
}
