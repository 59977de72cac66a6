/**
 * A line as a syslog message (RFC 5424 §6):
 *
 *     <134>1 2026-11-22T10:23:39.123Z dlp1 tandem 4711 access - {"at":…}
 */

/** Severity of a line, §6.2.1. */
const INFORMATIONAL = 6;
const NIL = "-";

export interface SyslogOrigin {
  readonly hostname: string;
  readonly process: number;
}

/** Everything before MSG. `at` is ms since the epoch, `facility` a number of §6.2.1. */
export function syslogHeader({ hostname, process }: SyslogOrigin, at: number, facility: number): string {
  const priority = facility * 8 + INFORMATIONAL;
  // §6.2.3 to §6.2.7: PRINTUSASCII without spaces, of these lengths; "-" where there is nothing.
  return `<${priority}>1 ${new Date(at).toISOString()} ${printable(hostname, 255)} tandem ${process} access ${NIL} `;
}

function printable(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]/g, "_").slice(0, most) || NIL;
}
