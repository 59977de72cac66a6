/**
 * When to announce which address: pure, no clock and no frames.
 *
 * ```
 * start ─┬─ burst of `repeat` rounds ─┬─ … ─ second burst, `delay` after the first began ─┬─ one round each `refresh`
 *        0   20   60   140   300 ms                0   20   60 …
 * ```
 * Rounds of a burst draw apart, because what makes a switch miss one (a port that is not forwarding yet, a full queue)
 * makes it miss its neighbours too.
 */

/** Announcement schedule of an address, as in `garp:`. */
export interface AnnouncementSchedule {
  /** Rounds of a burst, at least 1. */
  readonly repeat: number;
  /** From the first burst's start to the second's, in ms; 0 = no second burst. */
  readonly delay: number;
  /** Between single rounds afterwards, in ms; 0 = none. */
  readonly refresh: number;
}

interface Announcement {
  readonly schedule: AnnouncementSchedule;
  phase: "first" | "second" | "refresh";
  /** Rounds of this burst that were sent. */
  round: number;
  burstStart: number;
  due: number;
}

const firstGap = 20;
const longestGap = 1000;
/** After a full helping the next one waits this long, in ms: adverts go between. */
const pause = 1;

export class Announcer {
  #announcements = new Map<string, Announcement>();
  #deadline = Infinity;
  #notBefore = -Infinity;

  /** When `take` has something to give; Infinity = never. */
  get deadline(): number {
    return Math.max(this.#deadline, this.#notBefore);
  }

  /** Begins, or begins anew, at `now`. */
  start(key: string, schedule: AnnouncementSchedule, now: number): void {
    this.#announcements.set(key, { schedule, phase: "first", round: 0, burstStart: now, due: now });
    this.#deadline = Math.min(this.#deadline, now);
  }

  stop(key: string): void {
    if (this.#announcements.delete(key)) this.#findDeadline();
  }

  /** The same announcements under other keys, old to new. */
  rename(keys: ReadonlyMap<string, string>): void {
    this.#announcements = new Map(
      [...this.#announcements].map(([key, announcement]) => [keys.get(key) ?? key, announcement]),
    );
  }

  /**
   * The keys to announce now, one round each, at most `most`: those that were announced least come first, so that among
   * many addresses none waits for another's repetitions.
   */
  take(now: number, most: number): readonly string[] {
    if (now < this.deadline) return [];
    const due = [...this.#announcements].filter(([, announcement]) => announcement.due <= now);
    due.sort(([, one], [, other]) => rank(one) - rank(other) || one.due - other.due);
    const taken = due.slice(0, most);
    for (const [, announcement] of taken) advance(announcement, now);
    if (due.length > taken.length) this.#notBefore = now + pause;
    this.#findDeadline();
    return taken.map(([key]) => key);
  }

  #findDeadline(): void {
    let deadline = Infinity;
    for (const { due } of this.#announcements.values()) deadline = Math.min(deadline, due);
    this.#deadline = deadline;
  }
}

/** A first round is news, all others are insurance. */
function rank(announcement: Announcement): number {
  return announcement.phase === "first" ? announcement.round : Infinity;
}

/** Sets the time of the round after the one that is sent `now`. */
function advance(announcement: Announcement, now: number): void {
  const { schedule } = announcement;
  announcement.round++;
  if (announcement.phase !== "refresh" && announcement.round < schedule.repeat) {
    announcement.due = now + Math.min(firstGap * 2 ** (announcement.round - 1), longestGap);
    return;
  }
  if (announcement.phase === "first" && schedule.delay > 0) {
    announcement.phase = "second";
    announcement.round = 0;
    announcement.burstStart = Math.max(announcement.burstStart + schedule.delay, now + firstGap);
    announcement.due = announcement.burstStart;
    return;
  }
  announcement.phase = "refresh";
  announcement.due = schedule.refresh > 0 ? now + schedule.refresh : Infinity;
}
