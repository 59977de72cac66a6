/**
 * `check: { type: grpc }`: the server is up when it says of itself that it is serving, by the health service of gRPC
 * (`grpc.health.v1.Health/Check`), without TLS.
 */
import { type CheckerContext, defineChecker, type Target, type Verdict } from "../contract.ts";
import { describeDuration } from "./duration.ts";
import type { Fields } from "./hpack.ts";
import { exchange, type Http2Answer } from "./http2_exchange.ts";

export interface GrpcCheckConfig {
  /** Whose health is asked for. @default "", the server as a whole */
  readonly service?: string;
  /** The pseudo-header `:authority`. @default the server's address and port */
  readonly authority?: string;
  /** Another port than the server's own. */
  readonly port?: number;
}

/** ServingStatus of grpc/health/v1/health.proto, by number. */
const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING = 1;
/** Codes of gRPC, by number. */
const codes = [
  ..."OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED".split(" "),
  ..."RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE".split(" "),
  ..."DATA_LOSS UNAUTHENTICATED".split(" "),
];
/** Key of field 1, and its wire type: both messages have that one field (protobuf, "Encoding"). */
const SERVICE = 0x0a;
const STATUS = 0x08;

type Judgement = Omit<Extract<Verdict, { state: "down" }>, "state" | "reason">;

export default defineChecker<GrpcCheckConfig>({
  async check(target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    let phase = "connect";
    try {
      await using connection = await ctx.connect({ port: ctx.config.port });
      phase = "answer";
      const answer = await exchange(connection, request(target, ctx), message(ctx.config.service ?? ""));
      const difference = judge(answer);
      if (difference === null) return { state: "up", reason: `SERVING in ${took()}` };
      const reason = `got ${difference.got}, wanted ${difference.wanted}, in ${took()}`;
      return { state: "down", reason, ...difference };
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      const text = reason instanceof Error ? reason.message : String(reason);
      return { state: "down", reason: ctx.signal.aborted ? text : `${text} after ${took()}`, phase };
    }
  },
});

function request(target: Target, ctx: CheckerContext<GrpcCheckConfig>): Fields {
  const { authority, port = target.port } = ctx.config;
  const address = target.address.includes(":") ? `[${target.address}]` : target.address;
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/grpc.health.v1.Health/Check"],
    [":authority", authority ?? `${address}:${port}`],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ["user-agent", "tandem-check"],
  ];
}

/** HealthCheckRequest as gRPC frames it: not compressed, its length, its bytes. */
export function message(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  // Names are shorter than 128 bytes, so that their length is one octet; proto3 leaves an empty one out.
  const body = name.length === 0 ? [] : [SERVICE, name.length, ...name];
  return Uint8Array.of(0, 0, 0, 0, body.length, ...body);
}

/** What was not as wanted, or null. */
export function judge({ status, fields, body }: Http2Answer): Judgement | null {
  const wanted = statuses[SERVING];
  const code = fields.get("grpc-status");
  if (code === undefined) {
    return status === 200
      ? { phase: "answer", got: "an answer without grpc-status", wanted }
      : { phase: "status", got: `HTTP ${status}`, wanted };
  }
  if (code !== "0") {
    const text = readable(fields.get("grpc-message") ?? "");
    const got = `${codes[Number(code)] ?? `code ${code}`}${text === "" ? "" : `: ${text}`}`;
    return { phase: "status", got, wanted };
  }
  const serving = servingStatus(body);
  if (serving === SERVING) return null;
  const got = serving === null ? "an answer that is no HealthCheckResponse" : statuses[serving] ?? `status ${serving}`;
  return { phase: "health", got, wanted };
}

/** The status in HealthCheckResponse; null where that is not what it is. */
function servingStatus(body: Uint8Array): number | null {
  if (body.length < 5 || body[0] !== 0) return null;
  const length = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1);
  const message = body.subarray(5);
  if (message.length !== length) return null;
  // proto3 leaves 0 out.
  if (length === 0) return 0;
  return length === 2 && message[0] === STATUS && message[1] < 128 ? message[1] : null;
}

/** grpc-message is percent-encoded; one that is not is shown as it came. */
function readable(text: string): string {
  let message = text;
  try {
    message = decodeURIComponent(text);
  } catch {
    // As it came.
  }
  return message.replace(/\p{Cc}+/gu, " ").slice(0, 200);
}
