/**
 * Basic authentication (RFC 7617) without a stall. A bcrypt hash costs a tenth of a second on purpose; an engine thread
 * that paid it would hold up thousands of requests. So the thread asks a password thread once and remembers the answer:
 * not the password, but a keyed digest of user, password and hash, so that a changed configuration asks anew.
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import type { BasicAuthOptions } from "./options.ts";

/** How long a right answer is remembered, ms, and a wrong one: long enough that a client that repeats it costs nothing. */
const RIGHT_FOR = 600_000;
const WRONG_FOR = 10_000;
/** Answers remembered. */
const MOST = 4096;

/** A password to be compared with a hash, by somebody who may take their time. */
export interface PasswordQuestion {
  readonly digest: string;
  readonly password: string;
  readonly hash: string;
  /** False for a user who does not exist: compared all the same, so that nobody learns who does. */
  readonly known: boolean;
}

export type Credentials = "right" | "wrong" | PasswordQuestion;

export class CredentialCache {
  readonly #key = randomBytes(32);
  /** Until when, by digest; negative for wrong passwords. Oldest first. */
  readonly #answers = new Map<string, number>();

  /** What `authorization`, the field's value or null, is worth at `now` (monotonic ms). */
  check(authorization: string | null, { users }: BasicAuthOptions, now: number): Credentials {
    const pair = authorization === null ? null : parseBasic(authorization);
    if (pair === null) return "wrong";
    const known = Object.hasOwn(users, pair.user);
    const hash = known ? users[pair.user] : Object.values(users)[0];
    const digest = createHmac("sha256", this.#key).update(`${pair.user}\0${hash}\0${pair.password}`).digest("base64");
    const until = this.#answers.get(digest);
    if (until !== undefined && Math.abs(until) > now) return until > 0 ? "right" : "wrong";
    return { digest, password: pair.password, hash, known };
  }

  /** Remembers the answer to a question. */
  learn({ digest, known }: PasswordQuestion, matches: boolean, now: number): void {
    const right = matches && known;
    this.#answers.delete(digest);
    this.#answers.set(digest, right ? now + RIGHT_FOR : -(now + WRONG_FOR));
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MOST) break;
      this.#answers.delete(oldest);
    }
  }
}

function parseBasic(value: string): { readonly user: string; readonly password: string } | null {
  const token = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value)?.[1];
  if (token === undefined) return null;
  const text = Buffer.from(token, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
