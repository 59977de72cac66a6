/** Which known name a mistyped one was meant to be. */

/** The known name within a third of its length in edits (insert, delete, replace, swap neighbours), or null. */
export function nearest(name: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let least = Infinity;
  const typed = fold(name);
  for (const candidate of known) {
    const distance = edits(typed, fold(candidate));
    if (distance < least && distance <= tolerance(Math.max(name.length, candidate.length))) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** The end of a sentence about an unknown name: `; did you mean "web"?`, or what there is. */
export function hint(name: string, known: Iterable<string>): string {
  const names = [...known];
  const found = nearest(name, names);
  if (found !== null) return `; did you mean "${found}"?`;
  if (names.length === 0) return "; there is none";
  return names.length <= 12 ? `; there is ${names.join(", ")}` : "";
}

/** Nothing is near a name of one or two letters. */
function tolerance(length: number): number {
  return length < 3 ? 0 : Math.max(1, Math.floor(length / 3));
}

/** Case and the kind of dash are the same to whoever reads an error. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll("-", "_");
}

/** Optimal string alignment distance, over three rows. Long names are never near anything. */
function edits(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 64 || b.length > 64) return Infinity;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1);
      }
    }
    before = above;
    above = row;
  }
  return above[b.length];
}
