/** `use: syslog`: each event as one datagram in the format of RFC 5424. */
import { defineNotifier, type Event, s, type Severity } from "../contract.ts";

const FACILITIES = ["kern", "user", "mail", "daemon", "auth", "syslog"] as const;
const LOCALS = ["local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"] as const;
/** Numerical severities of RFC 5424 §6.2.1. */
const SEVERITIES: Readonly<Record<Severity, number>> = { error: 3, warning: 4, notice: 5, info: 6 };
const FIRST_LOCAL = 16;
/** What every receiver takes, RFC 5424 §6.1. */
const MOST_BYTES = 2048;

export default defineNotifier({
  config: {
    server: s.string({ default: "unix:/dev/log", description: "HOST:PORT by UDP, or unix:PATH" }),
    facility: s.oneOf([...FACILITIES, ...LOCALS], { default: "daemon" }),
  },
  async notify(event, ctx) {
    await ctx.send!("syslog", format(event, ctx.config.facility));
  },
});

/** `<PRI>1 TIMESTAMP HOST APP PROCID MSGID [SD] MSG` */
export function format(event: Event, facility: typeof FACILITIES[number] | typeof LOCALS[number]): Uint8Array {
  const local = (LOCALS as readonly string[]).indexOf(facility);
  const number = local >= 0 ? FIRST_LOCAL + local : (FACILITIES as readonly string[]).indexOf(facility);
  const header = [
    `<${number * 8 + SEVERITIES[event.severity]}>1`,
    event.at,
    printable(event.node, 255),
    "tandem",
    "-",
    printable(event.type, 32),
  ];
  const data = [["id", event.id], ["about", event.about], ["cluster", event.cluster]]
    .map(([name, value]) => `${name}="${value.replace(/["\\\]]/g, "\\$&")}"`);
  // 32473 is the enterprise number for examples and documentation (RFC 5612): Tandem has none of its own.
  const text = `${header.join(" ")} [tandem@32473 ${data.join(" ")}] ${event.about}: ${event.text}`;
  return new TextEncoder().encode(text.replace(/[\r\n]+/g, " ")).subarray(0, MOST_BYTES);
}

/** PRINTUSASCII without spaces, "-" where nothing is left. */
function printable(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]/g, "").slice(0, most) || "-";
}
