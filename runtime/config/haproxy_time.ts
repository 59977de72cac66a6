/** Durations as HAProxy writes them: a bare number is milliseconds. */
import { printDuration } from "./values.ts";

const unit: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As tandem.yaml writes it, at least 1 ms; null where it is none. */
export function time(text: string): string | null {
  const [, digits, suffix = "ms"] = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text) ?? [];
  return digits === undefined ? null : printDuration(Math.max(1, Math.round(Number(digits) * unit[suffix])));
}
