/** How long something took, as checks tell it: "0.3 ms", "12 ms", "1 s". */
export function describeDuration(ms: number): string {
  if (ms >= 1000) return `${trim(ms / 1000, 2)} s`;
  return `${trim(ms, ms < 10 ? 1 : 0)} ms`;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
