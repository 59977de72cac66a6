/**
 * `check: { type: dns }`: the server is up when it answers a question as expected. By UDP, and by TCP where the answer is too
 * long for a datagram (RFC 7766 §5).
 */
import { type CheckerContext, type Connection, defineChecker } from "../contract.ts";
import {
  answersTo,
  canonicalAddress,
  canonicalName,
  decodeAnswer,
  type DnsAnswer,
  encodeQuestion,
  type Question,
  type RecordType,
} from "./dns_message.ts";
import { describeDuration } from "./duration.ts";

export interface DnsCheckConfig {
  /** What is asked for. */
  readonly name: string;
  /** @default "A" */
  readonly record?: RecordType;
  /** @default true */
  readonly recursion?: boolean;
  /** @default "udp", and TCP where an answer is too long */
  readonly transport?: "udp" | "tcp";
  /** Another port than the server's own. */
  readonly port?: number;
  readonly expect?: DnsExpectation;
}

export interface DnsExpectation {
  /** @default ["NOERROR"] */
  readonly rcode?: readonly string[];
  /** Each of these is among the answers; "*" = there is one. */
  readonly answers?: readonly string[];
}

interface Difference {
  readonly phase: string;
  readonly got: string;
  readonly wanted: string;
}

const MOST_SHOWN = 5;

export default defineChecker<DnsCheckConfig>({
  async check(_target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    const { name, record = "A", recursion = true, transport = "udp", expect = {} } = ctx.config;
    const [id] = crypto.getRandomValues(new Uint16Array(1));
    const question: Question = { id, name, record, recursion };
    try {
      let answer = await ask(question, transport, ctx);
      if (answer.truncated && transport === "udp") answer = await ask(question, "tcp", ctx);
      const difference = compare(answer, record, expect);
      if (difference === null) return { state: "up", reason: `${describe(answer)} in ${took()}` };
      const { got, wanted } = difference;
      return { state: "down", reason: `got ${got}, wanted ${wanted}, in ${took()}`, ...difference };
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      const text = reason instanceof Error ? reason.message : String(reason);
      return { state: "down", reason: ctx.signal.aborted ? text : `${text} after ${took()}`, phase: "answer" };
    }
  },
});

async function ask(
  question: Question,
  transport: "udp" | "tcp",
  ctx: CheckerContext<DnsCheckConfig>,
): Promise<DnsAnswer> {
  await using connection = await ctx.connect({ port: ctx.config.port, transport });
  const message = encodeQuestion(question);
  await connection.write(transport === "tcp" ? framed(message) : message);
  for (;;) {
    const answer = transport === "tcp" ? await readFramed(connection) : await connection.read();
    if (answer === null) throw new Error("connection closed without an answer");
    if (answersTo(answer, question)) return decodeAnswer(answer, question.record);
    // A datagram may be a late answer to a question before; over TCP there was none.
    if (transport === "tcp") throw new Error("answer is not to what was asked");
  }
}

/** Over TCP a message has its length before it (RFC 1035 §4.2.2), in one write (RFC 7766 §8). */
function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length & 0xff, ...message);
}

async function readFramed(connection: Connection): Promise<Uint8Array> {
  let rest = new Uint8Array(0);
  for (;;) {
    const length = rest.length < 2 ? null : rest[0] << 8 | rest[1];
    if (length !== null && rest.length >= 2 + length) return rest.subarray(2, 2 + length);
    const chunk = await connection.read();
    if (chunk === null) {
      throw new Error(`connection closed ${rest.length === 0 ? "without an answer" : "within the answer"}`);
    }
    const longer = new Uint8Array(rest.length + chunk.length);
    longer.set(rest);
    longer.set(chunk, rest.length);
    rest = longer;
  }
}

/** The first thing that is not as expected, or null. */
export function compare(answer: DnsAnswer, record: RecordType, expect: DnsExpectation): Difference | null {
  const wanted = expect.rcode ?? ["NOERROR"];
  if (!wanted.includes(answer.rcode)) return { phase: "rcode", got: answer.rcode, wanted: wanted.join(", ") };
  const found = answer.records.map((one) => canonical(one, record));
  for (const one of expect.answers ?? []) {
    if (one === "*" ? found.length > 0 : found.includes(canonical(one, record))) continue;
    const got = found.length === 0 ? "no answers" : shorten(answer.records);
    return { phase: "answers", got, wanted: one === "*" ? `${record} records` : one };
  }
  return null;
}

/** The text of a TXT record counts as it is; names and addresses may be written in several ways. */
function canonical(text: string, record: RecordType): string {
  if (record === "TXT") return text;
  if (record !== "AAAA") return canonicalName(text);
  return URL.canParse(`http://[${text}]`) ? canonicalAddress(text) : text;
}

function describe({ rcode, records }: DnsAnswer): string {
  return `${rcode}, ${records.length === 1 ? "1 answer" : `${records.length} answers`}`;
}

function shorten(records: readonly string[]): string {
  const rest = records.length - MOST_SHOWN;
  return [...records.slice(0, MOST_SHOWN), ...rest > 0 ? [`${rest} more`] : []].join(", ").slice(0, 200);
}
