/**
 * Messages over real sockets: cut at every byte, and mutated. What the origin saw is read by the unit tests' oracle and
 * compared with what the client sent: no message is smuggled, merged, duplicated, cut or changed.
 *
 * TANDEM_HTTP_SUBJECT: see subject.ts; TANDEM_FUZZ = mutated messages a subject (default 1,500),
 * TANDEM_FUZZ_SEED = where to begin.
 */

import assert from "node:assert/strict";
import { CORPUS, mutate, random } from "../unit/http/mutation.ts";
import { type OracleMessage, readRequest, valuesOf } from "../unit/http/oracle.ts";
import { answering, OK, Origin } from "./origin.ts";
import { startSubject, wantedSubjects } from "./subject.ts";
import { pause, Wire } from "./wire.ts";

/** Whether the connection goes on behind this request. */
function keepsAlive({ minor, fields }: OracleMessage): boolean {
  const tokens = valuesOf(fields, "connection").join().toLowerCase().split(/[, \t]+/);
  return !tokens.includes("close") && (minor === 1 || tokens.includes("keep-alive"));
}

/** What the client's bytes mean: whole messages, and how the rest ends. */
function meaning(text: string): { messages: OracleMessage[]; rest: "none" | "bad" | "unfinished" | "closed" } {
  const messages: OracleMessage[] = [];
  for (;;) {
    if (text === "") return { messages, rest: "none" };
    const next = readRequest(text);
    if (next.verdict !== "whole") return { messages, rest: next.verdict };
    messages.push(next);
    text = text.slice(next.consumed);
    if (!keepsAlive(next)) return { messages, rest: "closed" };
  }
}

/** The messages in what an origin's connection got; what is left over is no whole message. */
function messagesIn(log: string): OracleMessage[] {
  const messages: OracleMessage[] = [];
  for (let next = readRequest(log); next.verdict === "whole"; next = readRequest(log)) {
    messages.push(next);
    log = log.slice(next.consumed);
  }
  return messages;
}

const essence = ({ method, target, payload }: OracleMessage) => ({ method, target, payload });
const answersIn = (log: string) => log.split("HTTP/1.1 200 OK\r\n").length - 1;

/** Sends `text` in pieces that end at `cuts`, and compares both ends. */
async function play(port: number, origin: Origin, text: string, cuts: readonly number[]): Promise<void> {
  const before = origin.wires.map((wire) => wire.log.length);
  const wanted = meaning(text);
  const wire = await Wire.connect(port);
  try {
    let from = 0;
    for (const cut of [...cuts, text.length]) {
      if (from > 0) await pause(1);
      if (!await wire.send(text.slice(from, cut))) break;
      from = cut;
    }
    const answered = () => answersIn(wire.log) >= wanted.messages.length;
    assert.ok(
      await wire.until(answered, 3000),
      `${answersIn(wire.log)} answers, wanted ${wanted.messages.length}: ${JSON.stringify(wire.log)}`,
    );
    // What must not happen is given a moment to happen; a refusal must come.
    if (wanted.rest === "bad") await wire.until(() => /HTTP\/1\.1 [45]/.test(wire.log) || wire.ended !== "no", 60);
    else if (wanted.rest === "unfinished") await pause(5);
    assert.equal(answersIn(wire.log), wanted.messages.length, `answers in ${JSON.stringify(wire.log)}`);
  } finally {
    wire.close();
  }
  const seen = origin.wires.flatMap((wire, i) => messagesIn(wire.log.slice(before[i] ?? 0)));
  assert.deepEqual(
    seen.map(essence),
    wanted.messages.map(essence),
    "the origin saw other messages than the client sent",
  );
  // A connection with half a message on it is never used again; ours to forget.
  if (origin.wires.length > 40) origin.wires = origin.wires.filter((wire) => wire.ended === "no");
}

function explain(error: unknown, what: string): Error {
  return new Error(`${what}: ${(error as Error).message}`, { cause: error });
}

for (const { name, ignore } of wantedSubjects()) {
  Deno.test({ name: `HTTP over sockets, cut and mutated: ${name}`, ignore }, async (t) => {
    const origin = new Origin();
    const subject = await startSubject(name, origin.port);
    await origin.become(answering(OK));
    try {
      await t.step("every message cut at every byte", async () => {
        for (const text of CORPUS) {
          for (let cut = 1; cut < text.length; cut++) {
            await play(subject.port, origin, text, [cut]).catch((error) => {
              throw explain(error, `Cut at ${cut} fails: ${JSON.stringify(text)}`);
            });
          }
        }
      });
      await t.step("every message byte by byte", async () => {
        for (const text of CORPUS) {
          await play(
            subject.port,
            origin,
            text,
            Array.from(text, (_, i) => i + 1).slice(0, -1),
          );
        }
      });
      await t.step("messages behind one another, cut anywhere", async () => {
        const all = CORPUS.filter((text) => !text.includes("HTTP/1.0")).join("");
        for (let cut = 1; cut < all.length; cut += 7) await play(subject.port, origin, all, [cut]);
      });
      await t.step("mutated messages", async () => {
        const messages = Number(Deno.env.get("TANDEM_FUZZ") ?? 1500);
        const first = Number(Deno.env.get("TANDEM_FUZZ_SEED") ?? 1);
        for (let seed = first; seed < first + messages; seed++) {
          const below = random(seed);
          const text = mutate(CORPUS[below(CORPUS.length)], below) +
            (below(3) === 0 ? CORPUS[below(CORPUS.length)] : "");
          const cuts = below(2) === 0 ? [] : [below(text.length)].filter((cut) => cut > 0);
          await play(subject.port, origin, text, cuts).catch((error) => {
            throw explain(error, `Seed ${seed}, cut at ${cuts}, fails: ${JSON.stringify(text)}`);
          });
        }
      });
    } finally {
      await subject.stop();
      await origin.close();
    }
  });
}
