/**
 * The state machine of one virtual router (RFC 9568 §6.4): pure, no clock, no sockets.
 *
 * Every state carries its own deadlines: call `transition` with `timer` when `deadline` has come, at any other time too.
 */
import {
  activeAdvert,
  activeCancel,
  activeChanged,
  activeFault,
  activeIncompatible,
  activeLeave,
  activeTimer,
  relinquish,
} from "./active.ts";
import { backupAdvert, backupChanged, backupFailback, backupIncompatible, backupTimer } from "./backup.ts";
import { becomeActive, enterBackup } from "./entry.ts";
import type { Active, Backup, Event, Fault, Initialize, Parameters, State, Step } from "./state.ts";

export const initial: State = { state: "initialize" };

/** The next state and the effects to carry out, in their order. */
export function transition(state: State, event: Event, parameters: Parameters): Step {
  switch (state.state) {
    case "initialize":
    case "fault":
      return transitionIdle(state, event, parameters);
    case "backup":
      return transitionBackup(state, event, parameters);
    case "active":
      return transitionActive(state, event, parameters);
  }
}

/** When `timer` is due, in monotonic ms; Infinity = never. */
export function deadline(state: State): number {
  switch (state.state) {
    case "initialize":
    case "fault":
      return Infinity;
    case "backup":
      return state.downAt;
    case "active":
      return activeDeadline(state);
  }
}

function activeDeadline({ leaving, doubtUntil, advertAt, announceAt }: Active): number {
  if (leaving?.phase === "relinquishing") {
    return leaving.zerosLeft > 0 ? Math.min(leaving.zeroAt, leaving.until) : leaving.until;
  }
  return Math.min(doubtUntil ?? advertAt, announceAt, leaving?.until ?? Infinity);
}

function transitionIdle(state: Initialize | Fault, event: Event, parameters: Parameters): Step {
  const from = state.state;
  switch (event.type) {
    case "start": {
      if (event.vouched) return becomeActive(from, event.now, parameters, "resumed after a restart");
      if (parameters.priority === 255 && !parameters.held) {
        return becomeActive(from, event.now, parameters, "address owner (priority 255)");
      }
      const reason = from === "fault" ? "fault is over" : "started";
      return [enterBackup(event.now, parameters), [{ type: "transition", from, to: "backup", reason }]];
    }
    case "fault": {
      const { reason } = event;
      if (from === "fault") return [{ state: "fault", reason }, []];
      return [{ state: "fault", reason }, [{ type: "transition", from, to: "fault", reason }]];
    }
    case "leave":
      return stopIdle(state, event);
    case "timer":
    case "advert":
    case "incompatible":
    case "changed":
    case "proceed":
    case "cancel":
    case "agreed":
    case "refused":
    case "failback":
      return [state, []];
  }
}

function transitionBackup(state: Backup, event: Event, parameters: Parameters): Step {
  switch (event.type) {
    case "timer":
      return backupTimer(state, event.now, parameters);
    case "advert":
      return backupAdvert(state, event, parameters);
    case "incompatible":
      return backupIncompatible(state, event, parameters);
    case "fault": {
      const { reason } = event;
      return [{ state: "fault", reason }, [{ type: "transition", from: "backup", to: "fault", reason }]];
    }
    case "changed":
      return backupChanged(state, event.now, parameters);
    case "leave":
      return stopIdle(state, event);
    case "agreed":
      return [{ ...state, agreedUntil: event.until }, []];
    case "refused":
      // Only a request that plain preemption waits for: whoever seems to yield is asked again later, not now.
      if (state.asked === null || state.asked.cause === "rescue") return [state, []];
      return [{ ...state, asked: { ...state.asked, until: event.now } }, []];
    case "failback":
      return backupFailback(state, event.now, parameters);
    case "start":
    case "proceed":
    case "cancel":
      return [state, []];
  }
}

function transitionActive(state: Active, event: Event, parameters: Parameters): Step {
  switch (event.type) {
    case "timer":
      return activeTimer(state, event.now, parameters);
    case "advert":
      return activeAdvert(state, event, parameters);
    case "incompatible":
      return activeIncompatible(state, event, parameters);
    case "fault":
      return activeFault(state, event);
    case "changed":
      return activeChanged(state, event.now, parameters);
    case "leave":
      return activeLeave(state, event);
    case "proceed":
      if (state.leaving?.phase !== "offering") return [state, []];
      return relinquish(state, state.leaving, event.now, parameters);
    case "cancel":
      return activeCancel(state, event, parameters);
    case "start":
    case "agreed":
    case "refused":
    case "failback":
      return [state, []];
  }
}

/** Whoever holds nothing may stop at once; there is nothing to move either. */
function stopIdle(state: Initialize | Fault | Backup, event: Extract<Event, { type: "leave" }>): Step {
  const { cause, reason } = event;
  if (cause !== "stop") return [state, []];
  const settle = { type: "settle", cause, outcome: "left", text: reason } as const;
  if (state.state === "initialize") return [state, [settle]];
  return [{ state: "initialize" }, [{ type: "transition", from: state.state, to: "initialize", reason }, settle]];
}
