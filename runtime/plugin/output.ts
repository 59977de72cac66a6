/**
 * What a plugin prints, made safe for a log: one line stays one line, nothing steers a terminal, and no plugin fills a disk.
 * Pure.
 */

const LINE_LIMIT = 8 * 1024;

/** `text` without escape sequences and control characters; longer lines are cut. */
export function plainLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const sequences = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
  // C0, DEL, C1, line and paragraph separators, and the marks that reorder what follows them.
  // deno-lint-ignore no-control-regex
  const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
  const plain = text.slice(0, LINE_LIMIT).replace(sequences, "").replace(controls, " ").trim();
  return text.length > LINE_LIMIT ? `${plain} … (${text.length - LINE_LIMIT} more characters)` : plain;
}

/** Splits what arrives into lines. A line without an end is given when it is as long as a line may be. */
export class LineSplitter {
  #rest = "";
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_LIMIT) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    return lines;
  }

  /** What was left without a line's end. */
  end(): string[] {
    return this.#rest === "" ? [] : [this.#rest];
  }
}

/**
 * A bucket of `burst` that refills by `perSecond`. Time is the caller's, in ms.
 */
export class Bucket {
  #level: number;
  #at: number;
  constructor(private readonly perSecond: number, private readonly burst: number, now: number) {
    this.#level = burst;
    this.#at = now;
  }

  /** Takes `amount` if there is as much. */
  take(amount: number, now: number): boolean {
    this.#refill(now);
    if (this.#level < amount) return false;
    this.#level -= amount;
    return true;
  }

  /** Takes `amount` in any case and tells how long to wait, ms, until the debt is paid. */
  charge(amount: number, now: number): number {
    this.#refill(now);
    this.#level -= amount;
    return this.#level >= 0 ? 0 : -this.#level / this.perSecond * 1000;
  }

  #refill(now: number): void {
    this.#level = Math.min(this.burst, this.#level + (now - this.#at) / 1000 * this.perSecond);
    this.#at = now;
  }
}

const LINES_PER_SECOND = 100;

/** Lets `LINES_PER_SECOND` lines through and says how many it kept back. */
export class LogGate {
  readonly #bucket: Bucket;
  #dropped = 0;
  constructor(now: number) {
    this.#bucket = new Bucket(LINES_PER_SECOND, LINES_PER_SECOND, now);
  }

  /** Lines to write for `line`: none, itself, or first how many were dropped. */
  pass(line: string, now: number): string[] {
    if (!this.#bucket.take(1, now)) {
      this.#dropped++;
      return [];
    }
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped === 0 ? [line] : [`${dropped} lines dropped: a plugin may log ${LINES_PER_SECOND} a second`, line];
  }
}

/** Fields of a plugin's log line: few, flat, short, each safe to print. */
export function plainFields(fields: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined;
  const plain = (value: unknown) => {
    if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
    return plainLine(typeof value === "string" ? value : JSON.stringify(value) ?? "").slice(0, 512);
  };
  // A null prototype: "__proto__" is a name like any other here.
  const result: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(fields).slice(0, 16)) result[plainLine(name).slice(0, 64)] = plain(value);
  return result;
}

/** A function that replaces each of `secrets` by dots. Secrets of fewer than 4 characters would blank out half of every text. */
export function redactor(secrets: Iterable<string>): (text: string) => string {
  // The longest first: one may begin with another.
  const hidden = [...new Set([...secrets].flatMap(spellings))]
    .filter((text) => text.length >= 4)
    .sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, "•••"), text);
}

/** Lines of fewer characters are in every other text too. */
const SHORTEST_LINE = 16;

/** A secret as libraries write it in their messages: itself, in JSON, in a URL, in base64, and line by line. */
function spellings(secret: string): string[] {
  const lines = secret.split(/\r?\n/);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    new TextEncoder().encode(secret).toBase64(),
    ...(lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_LINE) : []),
  ];
}

/** What of a verdict or a plan is a sentence; the rest are words that somebody goes by. */
const SENTENCES = ["reason", "phase", "got", "wanted", "explain"];

/** The answer of a plugin with its sentences redacted. A secret "down" must not make a verdict that is none. */
export function redactAnswer(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const redacted = Object.entries(value).filter(([name]) => SENTENCES.includes(name))
    .map(([name, text]) => [name, redactDeep(text, redact)]);
  return { ...value, ...Object.fromEntries(redacted) };
}

/** `value` with every string in it redacted, names included. */
export function redactDeep(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [redact(name), redactDeep(item, redact)]));
}
