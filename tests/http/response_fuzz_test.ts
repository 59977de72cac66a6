/**
 * Responses over real sockets: cut at every byte, and mutated. What the client saw is compared with what the oracle reads
 * in the origin's bytes: nothing is merged, changed or cut without the client seeing it, and nothing answers a request
 * that it was not sent for.
 *
 * TANDEM_HTTP_SUBJECT, TANDEM_FUZZ, TANDEM_FUZZ_SEED as in fuzz_test.ts.
 */

import assert from "node:assert/strict";
import { mutate, random, RESPONSES } from "../unit/http/mutation.ts";
import { type OracleResponse, readResponse } from "../unit/http/response_oracle.ts";
import { OK, Origin, type Script } from "./origin.ts";
import { startSubject, wantedSubjects } from "./subject.ts";
import { pause, Wire } from "./wire.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** What the next /fuzz is answered with, in which pieces. */
interface Plan {
  text: string;
  cuts: readonly number[];
}

const answering = (plan: Plan): Script => async (wire) => {
  for (;;) {
    await wire.until(() => wire.received.includes("\r\n\r\n"), 60_000);
    const end = wire.received.indexOf("\r\n\r\n");
    if (end < 0) return wire.close();
    if (!wire.take(end + 4).startsWith("GET /fuzz")) {
      await wire.send(OK);
      continue;
    }
    const { text, cuts } = plan;
    let from = 0;
    for (const cut of [...cuts, text.length]) {
      if (from > 0) await pause(1);
      await wire.send(text.slice(from, cut));
      from = cut;
    }
    await wire.finish();
    await wire.end();
    return wire.close();
  }
};

interface Meaning {
  interim: OracleResponse[];
  /** null: there is no final response to believe. */
  final: OracleResponse | null;
  rest: string;
}

/** Interim responses and the final one in `text`. */
function meaning(text: string, closed: boolean): Meaning {
  const interim: OracleResponse[] = [];
  for (;;) {
    const next = readResponse(text, closed);
    if (next.verdict !== "whole") return { interim, final: null, rest: text };
    text = text.slice(next.consumed);
    if (next.status >= 200 || next.status === 101) return { interim, final: next, rest: text };
    interim.push(next);
  }
}

const essence = ({ status, reason, payload }: OracleResponse) => ({ status, reason, payload });

async function play(port: number, plan: Plan, text: string, cuts: readonly number[]): Promise<void> {
  plan.text = text;
  plan.cuts = cuts;
  const wanted = meaning(text, true);
  const wire = await Wire.connect(port);
  try {
    await wire.send(get("/fuzz"));
    await wire.until(() => meaning(wire.log, false).final !== null, 3000);
    const seen = meaning(wire.log, wire.ended === "eof");
    const log = JSON.stringify(wire.log);
    if (wanted.final === null || wanted.final.status === 101) {
      assert.ok(seen.final === null || seen.final.status === 502, `the client believes ${log}`);
      assert.ok(seen.final !== null || wire.ended !== "no", `the client is left waiting with ${log}`);
    } else {
      assert.ok(seen.final !== null, `the client got ${log}`);
      assert.deepEqual(essence(seen.final), essence(wanted.final));
      assert.deepEqual(seen.interim.map(essence), wanted.interim.filter(({ status }) => status > 100).map(essence));
    }
    assert.ok(seen.final === null || seen.rest === "", `behind the response came ${JSON.stringify(seen.rest)}`);
    if (wire.ended === "no") await check(wire);
  } finally {
    wire.close();
  }
  const other = await Wire.connect(port);
  await check(other).finally(() => other.close());
}

/** The next request on this connection gets its own answer, if the connection goes on. */
async function check(wire: Wire): Promise<void> {
  wire.log = "";
  await wire.send(get("/check"));
  await wire.until(() => meaning(wire.log, false).final !== null, 3000);
  const { final, rest } = meaning(wire.log, wire.ended === "eof");
  if (final === null && wire.log === "" && wire.ended !== "no") return;
  assert.equal(final?.payload, "ok", `the next request was answered with ${JSON.stringify(wire.log)}`);
  assert.equal(rest, "");
}

function explain(error: unknown, what: string): Error {
  return new Error(`${what}: ${(error as Error).message}`, { cause: error });
}

for (const { name, ignore } of wantedSubjects()) {
  Deno.test({ name: `HTTP responses over sockets, cut and mutated: ${name}`, ignore }, async (t) => {
    const plan: Plan = { text: OK, cuts: [] };
    const origin = new Origin();
    const subject = await startSubject(name, origin.port);
    await origin.become(answering(plan));
    try {
      await t.step("every response cut at every byte", async () => {
        for (const text of RESPONSES) {
          for (let cut = 1; cut < text.length; cut++) {
            await play(subject.port, plan, text, [cut]).catch((error) => {
              throw explain(error, `Cut at ${cut} fails: ${JSON.stringify(text)}`);
            });
          }
        }
      });
      await t.step("every response that ends at every byte", async () => {
        for (const text of RESPONSES) {
          for (let end = 0; end < text.length; end++) {
            await play(subject.port, plan, text.slice(0, end), []).catch((error) => {
              throw explain(error, `Ending at ${end} fails: ${JSON.stringify(text)}`);
            });
          }
        }
      });
      await t.step("mutated responses", async () => {
        const messages = Number(Deno.env.get("TANDEM_FUZZ") ?? 1500);
        const first = Number(Deno.env.get("TANDEM_FUZZ_SEED") ?? 1);
        for (let seed = first; seed < first + messages; seed++) {
          const below = random(seed);
          const text = mutate(RESPONSES[below(RESPONSES.length)], below) + (below(4) === 0 ? OK : "");
          const cuts = below(2) === 0 ? [] : [below(text.length)].filter((cut) => cut > 0);
          await play(subject.port, plan, text, cuts).catch((error) => {
            throw explain(error, `Seed ${seed}, cut at ${cuts}, fails: ${JSON.stringify(text)}`);
          });
          if (origin.wires.length > 100) origin.wires = origin.wires.filter((wire) => wire.ended === "no");
        }
      });
    } finally {
      await subject.stop();
      await origin.close();
    }
  });
}
