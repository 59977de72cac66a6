/** What an operator may ask for, from JSON to values. Pure. */
import { parseDuration } from "../config/values.ts";
import type { MoveRequest } from "../control/moves.ts";
import type { ServerChange } from "../control/overrides.ts";

/** A request that cannot be understood: answered with `status` and its message. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  constructor(message: string, readonly status: 400 | 413 = 400) {
    super(message);
  }
}

/** `{ "for": "30m", "reason": "kernel update", "by": "ann", "wait": true }`, every key optional. */
export function decodeMove(body: unknown): MoveRequest & { readonly wait: boolean } {
  const fields = object(body, ["for", "reason", "by", "wait"]);
  return { ...said(fields), for: duration(fields), wait: flag(fields, "wait") };
}

/** `{ "state": "drain", "weight": 2, "for": "1h", "reason": "disk", "by": "ann" }`; `state` or `weight` must be there. */
export function decodeServerChange(body: unknown, now: number): ServerChange {
  const fields = object(body, ["state", "weight", "for", "reason", "by"]);
  const { state, weight } = fields;
  if (state === undefined && weight === undefined) throw new RequestError('The body must have "state" or "weight"');
  if (state !== undefined && state !== "ready" && state !== "drain" && state !== "maint") {
    throw new RequestError(`"state" must be "ready", "drain" or "maint", got ${JSON.stringify(state)}`);
  }
  if (weight !== undefined && !(Number.isInteger(weight) && Number(weight) >= 0 && Number(weight) <= 256)) {
    throw new RequestError(`"weight" must be 0–256, got ${JSON.stringify(weight)}`);
  }
  const lasts = duration(fields);
  if (state === "ready" && lasts !== null) {
    throw new RequestError('"ready" takes back and has no end: "for" goes with "drain", "maint" or a weight alone');
  }
  return {
    ...said(fields),
    ...(state === undefined ? {} : { state }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    since: now,
    until: lasts === null ? null : now + lasts,
  };
}

/** `{ "dry_run": true }` = only tell what a reload would do. */
export function decodeReload(body: unknown): { readonly dryRun: boolean } {
  return { dryRun: flag(object(body, ["dry_run"]), "dry_run") };
}

type Fields = Readonly<Record<string, unknown>>;

function object(body: unknown, known: readonly string[]): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new RequestError("The body must be a JSON object");
  }
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new RequestError(`Unknown key "${unknown}"; known are ${known.join(", ")}`);
  return body as Fields;
}

/** Whoever writes `"true"` means something: to take it for no would be to do the opposite. */
function flag(fields: Fields, key: string): boolean {
  const value = fields[key];
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw new RequestError(`"${key}" must be true or false, got ${JSON.stringify(value).slice(0, 60)}`);
}

function said(fields: Fields): { readonly by: string; readonly reason: string } {
  return { by: text(fields, "by") || "api", reason: text(fields, "reason") };
}

function text(fields: Fields, key: string): string {
  const value = fields[key] ?? "";
  if (typeof value !== "string" || value.length > 200) {
    throw new RequestError(
      `"${key}" must be text of at most 200 characters, got ${JSON.stringify(value).slice(0, 60)}`,
    );
  }
  return value;
}

function duration(fields: Fields): number | null {
  const value = fields.for;
  if (value === undefined || value === null) return null;
  const parsed = typeof value === "string" ? parseDuration(value) : parseDuration(String(value));
  if (!parsed.ok) throw new RequestError(`"for" ${parsed.reason}`);
  if (parsed.value <= 0) throw new RequestError('"for" must be longer than nothing');
  return parsed.value;
}
