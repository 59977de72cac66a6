/** Chooses lines of the access log, of either format, by their status. Pure. */

export type LineFilter = (line: string) => boolean;

/**
 * A filter for "5xx", "404", "400-499", or several of them with commas; null = not one of these. Lines without a status
 * (mode: tcp, clients that went away) fit none.
 */
export function statusFilter(text: string): LineFilter | null {
  const ranges: (readonly [number, number])[] = [];
  for (const part of text.split(",")) {
    const [, kind, first, last] = /^(?:([1-5])xx|(\d{3})(?:-(\d{3}))?)$/i.exec(part.trim()) ?? [];
    if (kind !== undefined) ranges.push([Number(kind) * 100, Number(kind) * 100 + 99]);
    else if (first !== undefined) ranges.push([Number(first), Number(last ?? first)]);
    else return null;
  }
  return (line) => {
    const status = statusOf(line);
    return status !== null && ranges.some(([first, last]) => status >= first && status <= last);
  };
}

/** The status that a line tells, or null. */
export function statusOf(line: string): number | null {
  const found = line.startsWith("{")
    // Behind "protocol", so that nothing of what the client sent is taken for it: its quotes are escaped.
    ? /,"protocol":(?:null|"HTTP\/1\.[01]"),"status":(\d{3}),/.exec(line)
    : /^\S+ \[[^\]]*\] \S+ \S+ (?:-?\d+\/){4}-?\d+ (\d{3}) /.exec(line);
  return found === null ? null : Number(found[1]);
}
