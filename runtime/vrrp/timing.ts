/** The timers of VRRP, all in ms. */
import type { Parameters } from "./state.ts";

/**
 * Skew_Time: a higher priority waits less.
 *
 * Version 2: (256 - priority) / 256 s whatever the interval (RFC 3768 §6.1); version 3: that fraction of the active
 * router's interval (RFC 9568 §6.1).
 */
export function skewTime(version: 2 | 3, priority: number, activeInterval: number): number {
  return (256 - priority) / 256 * (version === 2 ? 1000 : activeInterval);
}

/** Active_Down_Interval: this long without an advertisement and the active router is gone. */
export function downInterval(version: 2 | 3, priority: number, activeInterval: number): number {
  return 3 * activeInterval + skewTime(version, priority, activeInterval);
}

/** After that much silence of ours a peer may have taken over: no skew is shorter than none. */
export function silenceLimit({ advertInterval }: Parameters): number {
  return 3 * advertInterval;
}

/** How long somebody may take to follow our priority 0 before we conclude that nobody will. */
export function takeoverLimit({ advertInterval }: Parameters): number {
  return Math.max(1000, advertInterval) + 250;
}

/** Between the three copies of priority 0: apart enough not to be lost together, close enough to add no skew. */
export function relinquishGap({ advertInterval }: Parameters): number {
  return Math.min(20, Math.max(1, advertInterval / 50));
}

/** How long an offer to hand over may stay unanswered in all, kernel work on both sides included. */
export const offerLimit = 1500;

/** How long a request to be handed the addresses holds back plain preemption. */
export const requestLimit = 400;

/** Before a peer that yields is asked again for what it would not give. */
export const askAgainAfter = 10_000;

/** Answers to evidence of a second active router: one announcement in this time, the last evidence never left out. */
export const announceEvery = 1000;

/** "3.61 s", "36.1 ms": two or three figures that matter to a reader. */
export function formatTime(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
