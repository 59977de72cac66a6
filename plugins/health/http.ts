/** `check: { type: http }`: the server is up when it answers a request as expected. */
import { type CheckerContext, defineChecker, type Target } from "../contract.ts";
import { describeDuration } from "./duration.ts";
import { type Depth, type HttpAnswer, readAnswer } from "./http_answer.ts";

export interface HttpCheckConfig {
  /** @default "GET" */
  readonly method?: string;
  /** @default "/" */
  readonly path?: string;
  /** Host header. @default the server's address and port */
  readonly host?: string;
  /** Another port than the server's own. */
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect?: HttpExpectation;
}

/** A text between slashes is a regular expression: "/^ok/i". */
export interface HttpExpectation {
  /** Status codes and ranges: 204, "200-399". @default ["200-399"] */
  readonly status?: readonly (number | string)[];
  /** Whole values of fields; "*" = whatever value. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A part of the body, within its first 64 KiB. */
  readonly body?: string;
}

/** What was not as expected, and where. */
interface Difference {
  readonly phase: string;
  readonly got: string;
  readonly wanted: string;
}

export default defineChecker<HttpCheckConfig>({
  async check(target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    const { expect = {} } = ctx.config;
    let phase = "connect";
    try {
      await using connection = await ctx.connect({ port: ctx.config.port });
      phase = "send";
      await connection.write(new TextEncoder().encode(request(target, ctx)));
      phase = "status";
      const answer = await readAnswer(connection, depthOf(expect, ctx.config.method));
      const difference = compare(answer, expect);
      if (difference === null) return { state: "up", reason: `${answer.status} in ${took()}` };
      const { got, wanted } = difference;
      return { state: "down", reason: `got ${got}, wanted ${wanted}, in ${took()}`, ...difference };
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      const text = reason instanceof Error ? reason.message : String(reason);
      return { state: "down", reason: ctx.signal.aborted ? text : `${text} after ${took()}`, phase };
    }
  },
});

function request(target: Target, ctx: CheckerContext<HttpCheckConfig>): string {
  const { method = "GET", path = "/", host, port = target.port, headers = {} } = ctx.config;
  const address = target.address.includes(":") ? `[${target.address}]` : target.address;
  const fields: Record<string, string> = {
    "host": host ?? (port === 80 ? address : `${address}:${port}`),
    "user-agent": "tandem-check",
    "accept": "*/*",
    "connection": "close",
  };
  for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function depthOf({ headers, body }: HttpExpectation, method = "GET"): Depth {
  if (body !== undefined && method !== "HEAD") return "body";
  return headers === undefined && body === undefined ? "status" : "fields";
}

/** The first thing that is not as expected, or null. */
export function compare(answer: HttpAnswer, expect: HttpExpectation): Difference | null {
  const statuses = expect.status ?? ["200-399"];
  if (!expects(statuses, answer.status)) {
    return { phase: "status", got: String(answer.status), wanted: statuses.join(", ") };
  }
  for (const [name, wanted] of Object.entries(expect.headers ?? {})) {
    const values = answer.fields.get(name.toLowerCase()) ?? [];
    if (values.some((value) => wanted === "*" || fits(value, wanted, (whole) => value === whole))) continue;
    const got = values.length === 0 ? `no ${name}` : `${name}: ${values.map(shown).join(", ")}`;
    return { phase: "headers", got, wanted: wanted === "*" ? name : `${name}: ${wanted}` };
  }
  const { body } = expect;
  if (body === undefined || fits(answer.body, body, (part) => answer.body.includes(part))) return null;
  return { phase: "body", got: `the body ${shown(answer.body)}`, wanted: body };
}

/** Whether `text` matches `wanted` where that is a regular expression, else what `plainly` says of it. */
function fits(text: string, wanted: string, plainly: (wanted: string) => boolean): boolean {
  const [, pattern, flags] = /^\/(.+)\/([imsu]*)$/s.exec(wanted) ?? [];
  return pattern === undefined ? plainly(wanted) : new RegExp(pattern, flags).test(text);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Whether `status` is one of `wanted`: 204, "204" or "200-399". */
export function expects(wanted: readonly (number | string)[], status: number): boolean {
  return wanted.some((entry) => {
    const [low, high = low] = String(entry).split("-").map(Number);
    return status >= low && status <= high;
  });
}
