/** As fuzz_test.ts, for responses: what a client may believe is what the origin said. TANDEM_FUZZ, TANDEM_FUZZ_SEED alike. */

import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";
import { mutate, random, RESPONSES } from "./mutation.ts";
import { valuesOf } from "./oracle.ts";
import { type OracleResponse, readResponse } from "./response_oracle.ts";

interface Relayed {
  verdict: "whole" | "refused" | "unfinished";
  sent: string;
  consumed: number;
  reusable: boolean;
}

const head = new http.ResponseHead();
const body = new http.BodyDecoder();
const out = new Uint8Array(8192);

/** What a proxy would send on of one response arriving in pieces that end at `cuts`, to a client of this version. */
function relay(message: Uint8Array, cuts: readonly number[], clientMinor: number): Relayed {
  head.reset();
  let sent = "";
  let from = 0;
  let headDone = false;
  let reusable = false;
  const result = (verdict: Relayed["verdict"]): Relayed => ({ verdict, sent, consumed: from, reusable });
  for (const cut of [...cuts, message.length]) {
    const bytes = message.slice(from, cut);
    let p = 0;
    if (!headDone) {
      const length = http.parseResponse(head, bytes, 0, bytes.length, false);
      if (length < 0) return result("refused");
      if (length === 0) continue;
      headDone = true;
      reusable = head.keepAlive;
      const close = http.endsConnection(head, clientMinor, true);
      const end = http.writeResponse(out, 0, out.length, head, { clientMinor, close, edits: null, append: null });
      sent += http.textOf(out, 0, end);
      const unchunk = http.unchunks(head, clientMinor);
      body.begin(head.framing, head.contentLength, { of: "response", unchunk, most: 1e6 });
      p = length;
    }
    from += p + body.decode(bytes, p, bytes.length);
    sent += http.textOf(bytes, p, body.outEnd);
    if (body.state === http.BODY_REFUSED) return result("refused");
    if (body.state === http.BODY_DONE) {
      sent += http.textOf(body.tail, 0, body.tailEnd);
      return result("whole");
    }
  }
  return result(headDone && body.endOfStream() ? "whole" : "unfinished");
}

const OURS = /^(connection|keep-alive|proxy-connection|te|upgrade|http2-settings|transfer-encoding|content-length)$|_/i;

function endToEnd({ fields }: OracleResponse, nominated: ReadonlySet<string>): string[] {
  return fields.filter(([name]) => !OURS.test(name) && !nominated.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}`);
}

function judge(text: string, below: (n: number) => number): Relayed["verdict"] {
  const message = http.bytesOf(text);
  const clientMinor = below(4) === 0 ? 0 : 1;
  const relayed = relay(message, [], clientMinor);
  const cuts = Array.from({ length: below(8) }, () => below(message.length + 1)).sort((a, b) => a - b);
  assert.equal(relay(message, cuts, clientMinor).verdict, relayed.verdict, `cut at ${cuts}`);
  if (relayed.verdict === "whole") assert.deepEqual(relay(message, cuts, clientMinor), relayed, `cut at ${cuts}`);

  const wanted = readResponse(text, true);
  if (relayed.verdict !== "whole") {
    assert.notEqual(wanted.verdict, "whole", `${relayed.verdict} though valid`);
    // The proxy resets such a connection, so only what is whole without its end could deceive.
    if (clientMinor === 1) {
      assert.notEqual(readResponse(relayed.sent, false).verdict, "whole", "a broken response went out whole");
    }
    return relayed.verdict;
  }
  assert.equal(wanted.verdict, "whole", "accepted though not valid");
  const received = wanted as OracleResponse;
  assert.equal(relayed.consumed, received.consumed);
  if (received.last) assert.ok(!relayed.reusable, "the origin's connection would be used again");
  const sent = readResponse(relayed.sent, true) as OracleResponse;
  assert.equal(sent.verdict, "whole");
  assert.equal(sent.consumed, relayed.sent.length, "more than one response went out");
  assert.deepEqual([sent.status, sent.reason, sent.payload], [received.status, received.reason, received.payload]);
  assert.ok(!/[^\r]\n/.test(relayed.sent.slice(0, relayed.sent.indexOf("\r\n\r\n"))), "a bare LF went out in a head");
  const nominated = new Set(
    valuesOf(received.fields, "connection").flatMap((value) => value.toLowerCase().split(/[, \t]+/)),
  );
  assert.deepEqual(endToEnd(sent, nominated), endToEnd(received, nominated));
  return "whole";
}

Deno.test("response relaying agrees with the oracle on mutated messages", () => {
  const messages = Number(Deno.env.get("TANDEM_FUZZ") ?? 20_000);
  const first = Number(Deno.env.get("TANDEM_FUZZ_SEED") ?? 1);
  const seen = { whole: 0, refused: 0, unfinished: 0 };
  for (let seed = first; seed < first + messages; seed++) {
    const below = random(seed);
    const text = mutate(RESPONSES[below(RESPONSES.length)], below);
    try {
      seen[judge(text, below)]++;
    } catch (cause) {
      throw new Error(`Seed ${seed} fails: ${JSON.stringify(text)}: ${(cause as Error).message}`, { cause });
    }
  }
  for (const [verdict, count] of Object.entries(seen)) assert.ok(count > messages / 50, `${verdict}: only ${count}`);
});
