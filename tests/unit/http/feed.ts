/** Feeds messages to the parsers whole and cut at every byte, and describes what came out as plain values. */

import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";

export interface RequestOutcome {
  refused?: string;
  more?: true;
  method?: string;
  target?: string;
  path?: string;
  host?: string;
  minor?: number;
  body?: number;
  length?: number;
  keepAlive?: boolean;
  upgrade?: boolean;
  expectContinue?: boolean;
  consumed?: number;
  fields?: string[];
}

export interface ResponseOutcome {
  refused?: string;
  more?: true;
  status?: number;
  reason?: string;
  minor?: number;
  body?: number;
  length?: number;
  keepAlive?: boolean;
  upgrade?: boolean;
  consumed?: number;
  fields?: string[];
}

export const LIMITS: http.RequestLimits = { headBytes: 1024, requestLineBytes: 256, fields: 16 };

/** Calls `parse` with `bytes` arriving in pieces that end at `cuts`, each time in another buffer at another offset. */
function arrive(
  bytes: Uint8Array,
  cuts: readonly number[],
  parse: (b: Uint8Array, start: number, end: number) => number,
) {
  let answer = http.NEED_MORE as number;
  for (const [i, cut] of [...cuts, bytes.length].entries()) {
    const offset = i % 3;
    const buffer = new Uint8Array(offset + cut + 2).fill(0x0a);
    buffer.set(bytes.subarray(0, cut), offset);
    answer = parse(buffer, offset, offset + cut);
    if (answer !== http.NEED_MORE) return answer;
  }
  return answer;
}

const sharedRequest = new http.RequestHead(LIMITS.fields);
const sharedResponse = new http.ResponseHead(LIMITS.fields);

function fieldsOf(head: http.Head): string[] {
  return Array.from({ length: head.count }, (_, i) => `${head.name(i)}: ${head.text(i)}`);
}

export function requestOutcome(
  bytes: Uint8Array,
  cuts: readonly number[] = [],
  limits: http.RequestLimits = LIMITS,
): RequestOutcome {
  const head = sharedRequest;
  head.reset();
  const answer = arrive(bytes, cuts, (b, start, end) => http.parseRequest(head, b, start, end, limits));
  if (answer === http.REFUSED) return { refused: `${head.refusal?.status} ${head.refusal?.reason}` };
  if (answer === http.NEED_MORE) return { more: true };
  return {
    method: head.methodText(),
    target: head.targetText(),
    path: head.pathText(),
    host: head.hostText(),
    minor: head.minor,
    body: head.framing,
    length: head.contentLength,
    keepAlive: head.keepAlive,
    upgrade: head.upgrade,
    expectContinue: head.expectContinue,
    consumed: answer,
    fields: fieldsOf(head),
  };
}

export function responseOutcome(
  bytes: Uint8Array,
  cuts: readonly number[] = [],
  toHead = false,
  limits: http.HeadLimits = LIMITS,
): ResponseOutcome {
  const head = sharedResponse;
  head.reset();
  const answer = arrive(bytes, cuts, (b, start, end) => http.parseResponse(head, b, start, end, toHead, limits));
  if (answer === http.REFUSED) return { refused: `${head.refusal?.status} ${head.refusal?.reason}` };
  if (answer === http.NEED_MORE) return { more: true };
  return {
    status: head.status,
    reason: head.reasonText(),
    minor: head.minor,
    body: head.framing,
    length: head.contentLength,
    keepAlive: head.keepAlive,
    upgrade: head.upgrade,
    consumed: answer,
    fields: fieldsOf(head),
  };
}

/** Every way to cut `length` bytes in two, and all of them at once. */
export function everyCut(length: number): number[][] {
  const cuts = Array.from({ length: Math.max(0, length - 1) }, (_, i) => [i + 1]);
  return [...cuts, cuts.map(([cut]) => cut)];
}

/** Asserts that `outcomeOf` answers the same for every cut and returns that answer. */
export function sameForEveryCut<T>(bytes: Uint8Array, outcomeOf: (bytes: Uint8Array, cuts: readonly number[]) => T): T {
  const whole = outcomeOf(bytes, []);
  for (const cuts of everyCut(bytes.length)) assert.deepEqual(outcomeOf(bytes, cuts), whole, `cut at ${cuts}`);
  return whole;
}

/** Asserts that `outcome` has at least what `wanted` says. */
export function assertHas(outcome: object, wanted: object): void {
  const picked = Object.fromEntries(
    Object.keys(wanted).map((key) => [key, (outcome as Record<string, unknown>)[key]]),
  );
  assert.deepEqual("refused" in outcome && !("refused" in wanted) ? outcome : picked, wanted);
}
