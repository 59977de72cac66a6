/**
 * Which notifier of before each entry of `notify:` is now. Entries have no names, only places, which shift when one is added
 * or taken away; what waits for one must not be lost by that. Pure.
 */

/** As much of an entry as says whose heir it is. */
interface Entry {
  /** Its place: "notify.0". */
  readonly id: string;
  readonly use: string;
}

/** From the surest sign to the weakest. */
const signs: readonly ((wanted: Entry, before: Entry) => boolean)[] = [
  (wanted, before) => JSON.stringify(wanted) === JSON.stringify(before),
  (wanted, before) => JSON.stringify({ ...wanted, id: "" }) === JSON.stringify({ ...before, id: "" }),
  (wanted, before) => wanted.id === before.id && wanted.use === before.use,
  (wanted, before) => wanted.use === before.use,
  (wanted, before) => wanted.id === before.id,
];

/** The predecessor of each of `wanted`, or null; nobody has two heirs. */
export function successions<Running extends { readonly options: Entry }>(
  wanted: readonly Entry[],
  running: readonly Running[],
): (Running | null)[] {
  const found: (Running | null)[] = wanted.map(() => null);
  const free = new Set(running);
  for (const fits of signs) {
    for (const [index, entry] of wanted.entries()) {
      if (found[index] !== null) continue;
      const before = [...free].find(({ options }) => fits(entry, options));
      if (before === undefined) continue;
      found[index] = before;
      free.delete(before);
    }
  }
  return found;
}
