/** Durations as HAProxy writes them: a bare number is milliseconds. */
import { printDuration } from "./values.ts";

const unit: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whole milliseconds, at least one unless it is 0, which sets no limit; null where it is no duration. */
export function milliseconds(text: string): number | null {
  const [, digits, suffix = "ms"] = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text) ?? [];
  if (digits === undefined) return null;
  return Number(digits) === 0 ? 0 : Math.max(1, Math.round(Number(digits) * unit[suffix]));
}

/** As tandem.yaml writes it; null where it is none, or none that ends. */
export function time(text: string): string | null {
  const value = milliseconds(text);
  return value === null || value === 0 ? null : printDuration(value);
}
