/** `check: { type: http }`: the server is up when it answers a request with an expected status. */
import { type CheckerContext, type Connection, defineChecker, type Target } from "../contract.ts";
import { describeDuration } from "./duration.ts";

export interface HttpCheckConfig {
  /** @default "/" */
  readonly path?: string;
  /** Host header. @default the server's address and port */
  readonly host?: string;
  /** Another port than the server's own. */
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Status codes and ranges: 204, "200-399". @default ["200-399"] */
  readonly expect?: { readonly status?: readonly (number | string)[] };
}

/** A response head longer than this is no answer to a health check. */
const headLimit = 16 * 1024;

export default defineChecker<HttpCheckConfig>({
  async check(target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    const wanted = ctx.config.expect?.status ?? ["200-399"];
    let phase = "connect";
    try {
      await using connection = await ctx.connect({ port: ctx.config.port });
      phase = "send";
      await connection.write(new TextEncoder().encode(request(target, ctx)));
      phase = "status";
      const status = await readStatus(connection);
      if (expects(wanted, status)) return { state: "up", reason: `${status} in ${took()}` };
      const range = wanted.join(", ");
      const reason = `got ${status}, wanted ${range}, in ${took()}`;
      return { state: "down", reason, phase, got: String(status), wanted: range };
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      const text = reason instanceof Error ? reason.message : String(reason);
      return { state: "down", reason: ctx.signal.aborted ? text : `${text} after ${took()}`, phase };
    }
  },
});

function request(target: Target, ctx: CheckerContext<HttpCheckConfig>): string {
  const { path = "/", host, port = target.port, headers = {} } = ctx.config;
  const address = target.address.includes(":") ? `[${target.address}]` : target.address;
  const fields: Record<string, string> = {
    "host": host ?? (port === 80 ? address : `${address}:${port}`),
    "user-agent": "tandem-check",
    "accept": "*/*",
    "connection": "close",
  };
  for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** The status code of the final response; interim ones (1xx) are passed over. */
async function readStatus(connection: Connection): Promise<number> {
  let head = "";
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) {
      throw new Error(head === "" ? "connection closed without an answer" : "connection closed within the answer");
    }
    // One byte is one character: what is compared is ASCII.
    head += String.fromCharCode(...chunk);
    for (let line = head.indexOf("\n"); line !== -1; line = head.indexOf("\n")) {
      const match = /^HTTP\/1\.[01] ([1-9]\d\d)(?: .*)?\r?$/.exec(head.slice(0, line));
      if (match === null) throw new Error(`answer is not HTTP/1: ${JSON.stringify(head.slice(0, Math.min(line, 40)))}`);
      const status = Number(match[1]);
      if (status >= 200 || status === 101) return status;
      const end = /\r?\n\r?\n/.exec(head);
      if (end === null) break;
      head = head.slice(end.index + end[0].length);
    }
    if (head.length > headLimit) throw new Error(`answer has no status line within ${headLimit} bytes`);
  }
}

/** Whether `status` is one of `wanted`: 204, "204" or "200-399". */
export function expects(wanted: readonly (number | string)[], status: number): boolean {
  return wanted.some((entry) => {
    const [low, high = low] = String(entry).split("-").map(Number);
    return status >= low && status <= high;
  });
}
