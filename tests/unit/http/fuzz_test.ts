/**
 * Mutated requests through parser, writer and body decoder, cut at random, against the oracle: what is accepted means
 * what the oracle reads, what goes out is one message that means the same, and the cut never matters.
 *
 * TANDEM_FUZZ = number of messages (default 20,000), TANDEM_FUZZ_SEED = where to begin.
 */

import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";
import { CORPUS, mutate, random } from "./mutation.ts";
import { type OracleMessage, readRequest, valuesOf } from "./oracle.ts";

const REWRITE: http.RequestRewrite = {
  client: http.bytesOf("198.51.100.7"),
  scheme: http.HTTP,
  trusted: false,
  target: null,
  host: http.bytesOf("origin"),
  close: false,
  tunnel: false,
  edits: null,
  append: null,
};

type Relayed = { verdict: "refused"; reason?: string; sent: string } | { verdict: "unfinished"; sent: string } | {
  verdict: "whole";
  sent: string;
  consumed: number;
  payload: number;
};

const head = new http.RequestHead();
const body = new http.BodyDecoder();
const out = new Uint8Array(8192);

/** What a proxy would send on of `message` arriving in pieces that end at `cuts`. */
function relay(message: Uint8Array, cuts: readonly number[]): Relayed {
  head.reset();
  let sent = "";
  let from = 0;
  let headDone = false;
  for (const cut of [...cuts, message.length]) {
    // Heads are collected, bodies are not.
    const bytes = message.slice(from, cut);
    let p = 0;
    if (!headDone) {
      const length = http.parseRequest(head, bytes, 0, bytes.length);
      if (length < 0) return { verdict: "refused", reason: head.refusal?.reason, sent };
      if (length === 0) continue;
      headDone = true;
      sent += http.textOf(out, 0, http.writeRequest(out, 0, out.length, head, REWRITE));
      body.begin(head.framing, head.contentLength, { of: "request", unchunk: false, most: 1e6 });
      p = length;
    }
    from += p + body.decode(bytes, p, bytes.length);
    sent += http.textOf(bytes, p, body.outEnd);
    if (body.state === http.BODY_REFUSED) return { verdict: "refused", reason: body.refusal?.reason, sent };
    if (body.state === http.BODY_DONE) {
      sent += http.textOf(body.tail, 0, body.tailEnd);
      return { verdict: "whole", sent, consumed: from, payload: body.payload };
    }
  }
  return { verdict: "unfinished", sent };
}

/** Fields the proxy may take away or write itself. */
const OURS = new Set(
  "connection keep-alive proxy-connection te upgrade http2-settings x-forwarded-for x-forwarded-proto x-forwarded-host forwarded host expect"
    .split(" "),
);

function endToEnd({ fields }: OracleMessage, nominated: ReadonlySet<string>): string[] {
  return fields.filter(([name]) => {
    const lower = name.toLowerCase();
    return !OURS.has(lower) && !nominated.has(lower) && lower !== "transfer-encoding" && !isShadow(lower);
  }).map(([name, value]) => `${name}: ${value}`);
}

function isShadow(lower: string): boolean {
  return lower.includes("_") &&
    /^(x-forwarded-(for|proto|host)|content-length|transfer-encoding|keep-alive|proxy-connection|http2-settings|set-cookie|x-request-id)$/
      .test(lower.replaceAll("_", "-"));
}

function judge(text: string, below: (n: number) => number): "whole" | "refused" | "unfinished" {
  const message = http.bytesOf(text);
  const relayed = relay(message, []);
  const cuts = Array.from({ length: below(8) }, () => below(message.length + 1)).sort((a, b) => a - b);
  assert.deepEqual(relay(message, cuts).verdict, relayed.verdict, `cut at ${cuts}`);
  if (relayed.verdict === "whole") assert.deepEqual(relay(message, cuts), relayed, `cut at ${cuts}`);

  const wanted = readRequest(text);
  if (relayed.verdict !== "whole") {
    assert.notEqual(wanted.verdict, "whole", `${relayed.verdict} though valid`);
    // What went out before must not look like a whole message to the origin.
    assert.notEqual(
      readRequest(relayed.sent).verdict,
      "whole",
      "an unfinished or refused message reached the origin whole",
    );
    return relayed.verdict;
  }
  assert.equal(wanted.verdict, "whole", "accepted though not valid");
  const received = wanted as OracleMessage;
  assert.equal(relayed.consumed, received.consumed);
  assert.equal(relayed.payload, received.payload.length);
  const sent = readRequest(relayed.sent) as OracleMessage;
  assert.equal(sent.verdict, "whole");
  assert.equal(sent.consumed, relayed.sent.length, "more than one message went out");
  assert.deepEqual([sent.method, sent.target, sent.minor], [received.method, received.target, 1]);
  assert.equal(sent.payload, received.payload);
  assert.ok(!sent.fields.some(([name]) => isShadow(name.toLowerCase())), "a shadow of a field of ours went out");
  assert.deepEqual(valuesOf(sent.fields, "x-forwarded-for"), ["198.51.100.7"]);
  if (valuesOf(received.fields, "host").length > 0) {
    assert.deepEqual(valuesOf(sent.fields, "host"), valuesOf(received.fields, "host"));
  }
  const nominated = new Set(
    valuesOf(received.fields, "connection").flatMap((value) => value.toLowerCase().split(/[, \t]+/)),
  );
  nominated.delete("content-length");
  assert.deepEqual(endToEnd(sent, nominated), endToEnd(received, nominated));
  return "whole";
}

Deno.test("request relaying agrees with the oracle on mutated messages", () => {
  const messages = Number(Deno.env.get("TANDEM_FUZZ") ?? 20_000);
  const first = Number(Deno.env.get("TANDEM_FUZZ_SEED") ?? 1);
  const seen = { whole: 0, refused: 0, unfinished: 0 };
  for (let seed = first; seed < first + messages; seed++) {
    const below = random(seed);
    const text = mutate(CORPUS[below(CORPUS.length)], below);
    try {
      seen[judge(text, below)]++;
    } catch (cause) {
      throw new Error(`Seed ${seed} fails: ${JSON.stringify(text)}: ${(cause as Error).message}`, { cause });
    }
  }
  // A fuzzer whose messages are all refused, or all pass, tests nothing.
  for (const [verdict, count] of Object.entries(seen)) assert.ok(count > messages / 50, `${verdict}: only ${count}`);
});
