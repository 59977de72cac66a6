/** Times of day for log lines. What only changes with the second is written once a second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export class Stamp {
  /** Milliseconds since the epoch at which the monotonic clock was 0. */
  #origin = 0;
  #second = -1;
  #text = "";

  constructor(readonly format: "json" | "text") {}

  /** Sets both clocks side by side: the time of day may be corrected while we run. */
  set(monotonic: number, epoch: number): void {
    this.#origin = epoch - monotonic;
  }

  /** The time of a monotonic moment up to its second: "2026-11-22T10:23:39." or HAProxy's "22/Nov/2026:10:23:39.". */
  until(monotonic: number): string {
    const second = Math.floor((this.#origin + monotonic) / 1000);
    if (second !== this.#second) {
      this.#second = second;
      const date = new Date(second * 1000);
      this.#text = this.format === "json" ? `${date.toISOString().slice(0, 20)}` : haproxyDate(date);
    }
    return this.#text;
  }

  /** The three digits that follow. */
  millisecond(monotonic: number): string {
    const ms = Math.floor(this.#origin + monotonic) % 1000;
    return THOUSAND[ms];
  }
}

const THOUSAND = Array.from({ length: 1000 }, (_, ms) => String(ms).padStart(3, "0"));

/** Local time, as HAProxy's %tr. */
function haproxyDate(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}:${two(date.getHours())}:${
    two(date.getMinutes())
  }:${two(date.getSeconds())}.`;
}
