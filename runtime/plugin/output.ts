/**
 * What a plugin prints, made safe for a log: one line stays one line, nothing steers a terminal, and no plugin fills a disk.
 * Pure.
 */
import { TEXT_LIMIT } from "./protocol.ts";

import { LINE_LIMIT, plainLine } from "../../plugins/plain_line.ts";

export { plainLine };

/** Whether `text` can be printed as it is: one line, not too long, with nothing in it that {@linkcode plainLine} takes out. */
export function isPlain(text: string): boolean {
  // Spaces at its ends harm nobody.
  return plainLine(`|${text}|`) === `|${text}|`;
}

/** Splits what arrives into lines. Of one that does not end the beginning is given, as much as a text may have. */
export class LineSplitter {
  #rest = "";
  /** The line that arrives was given, as far as it is of interest. */
  #given = false;
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): string[] {
    const [first, ...others] = this.#decoder.decode(bytes, { stream: true }).split("\n");
    const pieces = [this.#given ? "" : this.#rest + first, ...others];
    const rest = pieces.pop()!;
    const lines = this.#given ? pieces.slice(1) : pieces;
    if (others.length > 0) this.#given = false;
    this.#rest = rest.length < TEXT_LIMIT ? rest : "";
    if (rest.length >= TEXT_LIMIT) {
      this.#given = true;
      lines.push(rest);
    }
    return lines.map((line) => line.slice(0, TEXT_LIMIT));
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
  const hidden = [...new Set([...secrets].flatMap(spellings))].sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  return (text) => hidden.reduce((rest, secret) => rest.replaceAll(secret, "•••"), text);
}

/** `text` redacted. Where it was cut its end may be the beginning of a secret: so much is left out that it cannot be. */
export function redactText(text: string, redact: (text: string) => string): string {
  const redacted = redact(text);
  return text.length < TEXT_LIMIT ? redacted : `${redacted.slice(0, -LINE_LIMIT)} …`;
}

/** Lines of fewer characters are in every other text too. */
const SHORTEST_LINE = 16;
const SHORTEST = 4;
/** Of what is only the middle of a secret's spelling. */
const SHORTEST_MIDDLE = 6;

/** A secret as libraries write it in their messages: itself, in JSON, in URLs, in base64, in hexadecimal, and line by line. */
function spellings(secret: string): string[] {
  if (secret.length < SHORTEST) return [];
  const text = secret.toWellFormed();
  const bytes = new TextEncoder().encode(text);
  const json = JSON.stringify(secret).slice(1, -1);
  const lines = secret.split(/\r?\n/);
  return [
    secret,
    json,
    // What keeps to ASCII.
    escapeAll(json, (code) => `\\u${code}`),
    escapeAll(json, (code) => `\\u${code.toUpperCase()}`),
    ...urlSpellings(text).flatMap((spelled) => [spelled, spelled.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())]),
    ...base64Spellings(bytes).flatMap((spelled) => [spelled, spelled.replaceAll("+", "-").replaceAll("/", "_")]),
    bytes.toHex(),
    bytes.toHex().toUpperCase(),
    ...(lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_LINE) : []),
  ];
}

function escapeAll(text: string, escape: (code: string) => string): string {
  return text.replace(/[\x7f-\uffff]/g, (unit) => escape(unit.charCodeAt(0).toString(16).padStart(4, "0")));
}

/** As a component, in a form, and between "//user:" and "@". */
function urlSpellings(secret: string): string[] {
  const url = new URL("http://a.example/");
  url.password = secret;
  return [encodeURIComponent(secret), new URLSearchParams([["", secret]]).toString().slice(1), url.password];
}

/** By itself, and as it is inside of something longer, "user:secret": by how many bytes of three come before it. */
function base64Spellings(bytes: Uint8Array): string[] {
  const whole = bytes.toBase64();
  const middles = [0, 1, 2].map((before) => {
    const shifted = new Uint8Array(before + bytes.length);
    shifted.set(bytes, before);
    // Only characters of which every bit is the secret's.
    return shifted.toBase64().slice(Math.ceil(before * 8 / 6), Math.floor(shifted.length * 8 / 6));
  });
  return [whole, whole.replace(/=+$/, ""), ...middles.filter((middle) => middle.length >= SHORTEST_MIDDLE)];
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
