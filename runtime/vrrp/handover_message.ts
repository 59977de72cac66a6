/**
 * What two Tandem routers say to each other about a planned move: one UDP datagram each, TTL 255.
 *
 *     <HMAC-SHA256 in hex, or "-" without a password>\n<JSON>
 *
 * The channel coordinates; it never elects. Whatever it says, priority 0 and advertisements decide.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { digestOf } from "./handover_terms.ts";
import type { MoveCause, RequestCause } from "./state.ts";

export const handoverPort = 9112;

export type HandoverMessage =
  /** Once a second from a backup to the router it follows, answered once: who we are and whether we could take it. */
  | { readonly type: "hello"; readonly priority: number; readonly takes: string | null; readonly answer: boolean }
  /** The active router is about to go. `keep`: why connections are not kept, null = they are. */
  | {
    readonly type: "offer";
    readonly id: string;
    readonly cause: MoveCause;
    readonly mac: string;
    readonly addresses: readonly string[];
    readonly ports: readonly number[];
    /** Of the addresses and ports, where a datagram cannot list them; the lists are empty then. */
    readonly digest?: string;
    /** In ms. */
    readonly drain: number;
    readonly keep: string | null;
  }
  /** Rules are in place, or `keep` says why connections are not kept; priority 0 will be followed at once. */
  | { readonly type: "ready"; readonly id: string; readonly keep: string | null }
  | { readonly type: "refuse"; readonly id: string; readonly reason: string }
  /** A backup asks to be handed the addresses. */
  | { readonly type: "request"; readonly id: string; readonly priority: number; readonly cause: RequestCause }
  /** The giver has taken the addresses off its interface. */
  | { readonly type: "released"; readonly id: string }
  /** The giver has no connection left. */
  | { readonly type: "drained"; readonly id: string };

/** Why a datagram is not for us. */
export type HandoverDrop = { readonly drop: "length" | "auth" | "json" | "version" | "vrid" | "type" };

const protocolVersion = 1;
const longest = 2048;
const mostListed = 256;
const longestReason = 200;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeHandover(message: HandoverMessage, vrid: number, key: string | null): Uint8Array<ArrayBuffer> {
  const bytes = write(shorten(message), vrid, key);
  if (message.type !== "offer") return bytes;
  const listable = Math.max(message.addresses.length, message.ports.length) <= mostListed;
  if (listable && bytes.length <= longest) return bytes;
  // A larger datagram would go out in fragments, which whoever filters packets may drop. Both sides have the lists.
  return write(shorten({ ...message, addresses: [], ports: [], digest: digestOf(message) }), vrid, key);
}

function write(message: HandoverMessage, vrid: number, key: string | null): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify({ v: protocolVersion, vrid, ...message });
  return encoder.encode(`${key === null ? "-" : sign(text, key)}\n${text}`);
}

/** A reason may name everything that fails; who hears it takes only so much. */
function shorten(message: HandoverMessage): HandoverMessage {
  switch (message.type) {
    case "hello":
      return { ...message, takes: cut(message.takes) };
    case "offer":
    case "ready":
      return { ...message, keep: cut(message.keep) };
    case "refuse":
      return { ...message, reason: cut(message.reason) };
    case "request":
    case "released":
    case "drained":
      return message;
  }
}

function cut<Reason extends string | null>(reason: Reason): Reason | string {
  return reason === null || reason.length <= longestReason ? reason : `${reason.slice(0, longestReason - 1)}…`;
}

/** The virtual router a datagram is about, unchecked: which instance is to decode it. */
export function routerOf(bytes: Uint8Array): number | null {
  const text = bytes.length > longest ? "" : new TextDecoder().decode(bytes);
  const vrid = Number(/"vrid":(\d{1,3})\b/.exec(text)?.[1] ?? NaN);
  return vrid >= 1 && vrid <= 255 ? vrid : null;
}

export function decodeHandover(
  bytes: Uint8Array,
  vrid: number,
  keys: readonly string[] | null,
): HandoverMessage | HandoverDrop {
  if (bytes.length > longest) return { drop: "length" };
  let value: unknown;
  try {
    const text = decoder.decode(bytes);
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    if (!isSigned(text.slice(0, Math.max(end, 0)), body, keys)) return { drop: "auth" };
    value = JSON.parse(body);
  } catch {
    return { drop: "json" };
  }
  if (typeof value !== "object" || value === null) return { drop: "json" };
  const fields = value as Record<string, unknown>;
  if (fields.v !== protocolVersion) return { drop: "version" };
  if (fields.vrid !== vrid) return { drop: "vrid" };
  return readFields(fields) ?? { drop: "type" };
}

function sign(text: string, key: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

function isSigned(given: string, text: string, keys: readonly string[] | null): boolean {
  if (keys === null) return given === "-";
  const bytes = encoder.encode(given);
  return keys.some((key) => {
    const wanted = encoder.encode(sign(text, key));
    return wanted.length === bytes.length && timingSafeEqual(wanted, bytes);
  });
}

/** Every field by name and type: what comes from the network is not trusted to have the shape that it claims. */
function readFields(fields: Record<string, unknown>): HandoverMessage | undefined {
  const { type, id, priority, takes, answer, reason, keep, mac, drain } = fields;
  if (type === "hello") {
    if (!isPriority(priority) || !isReason(takes) || typeof answer !== "boolean") return undefined;
    return { type, priority, takes, answer };
  }
  if (typeof id !== "string" || id.length === 0 || id.length > 64) return undefined;
  switch (type) {
    case "offer": {
      const addresses = listOf(fields.addresses, (entry) => typeof entry === "string");
      const ports = listOf(fields.ports, (entry) => Number.isInteger(entry));
      const cause = causes.find((known) => known === fields.cause);
      if (cause === undefined || addresses === undefined || ports === undefined || !isReason(keep)) return undefined;
      if (typeof mac !== "string" || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return undefined;
      if (typeof drain !== "number" || !(drain >= 0)) return undefined;
      const { digest } = fields;
      if (digest !== undefined && (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest))) return undefined;
      const listed = { addresses: addresses as string[], ports: ports as number[] };
      return { type, id, cause, mac, ...listed, drain, keep, ...(digest !== undefined && { digest }) };
    }
    case "ready":
      return isReason(keep) ? { type, id, keep } : undefined;
    case "refuse":
      return typeof reason === "string" ? { type, id, reason: reason.slice(0, longestReason) } : undefined;
    case "request": {
      // Unsaid by versions that did not know causes: they are granted what they were.
      const cause = requestCauses.find((known) => known === (fields.cause ?? "preemption"));
      return isPriority(priority) && cause !== undefined ? { type, id, priority, cause } : undefined;
    }
    case "released":
    case "drained":
      return { type, id };
    default:
      return undefined;
  }
}

const causes: readonly MoveCause[] = ["failover", "yield", "preemption", "stop"];
const requestCauses: readonly RequestCause[] = ["preemption", "failback", "rescue"];

function isPriority(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
}

function isReason(value: unknown): value is string | null {
  return value === null || typeof value === "string" && value.length <= longestReason;
}

function listOf(value: unknown, fits: (entry: unknown) => boolean): unknown[] | undefined {
  return Array.isArray(value) && value.length <= mostListed && value.every(fits) ? value : undefined;
}
