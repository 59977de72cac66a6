/** A row of the conformance table: a rule, and how to see whether a proxy keeps it. */

import assert from "node:assert/strict";
import { type Message, readFinal, statusOf, values } from "./message.ts";
import { answering, OK, type Origin, type Script } from "./origin.ts";
import { pause, Wire } from "./wire.ts";

export interface Stage {
  readonly port: number;
  readonly origin: Origin;
  /** A new connection to the proxy, closed when the row is over. */
  client(): Promise<Wire>;
}

export interface Row {
  /** RFC section or CVE, then the rule. */
  readonly name: string;
  play(stage: Stage): Promise<void>;
}

/** How long something that must not happen is given to happen, in ms. */
const GRACE = 25;

/** The message is refused: the client gets 4xx, 5xx or a close, the origin never sees a whole request. */
export function refused(name: string, message: string, ...statuses: number[]): Row {
  return {
    name,
    async play({ origin, client }) {
      await origin.become(answering(OK));
      const wire = await client();
      await wire.send(message);
      const response = await readFinal(wire);
      assertNotAnswered(response, wire);
      if (response !== null && statuses.length > 0) {
        assert.ok(statuses.includes(statusOf(response)), `status is ${statusOf(response)}, wanted ${statuses}`);
      }
      await pause(GRACE);
      assert.deepEqual(origin.requests.map((request) => request.raw), [], "the origin saw a whole request");
    },
  };
}

function assertNotAnswered(response: Message | null, wire: Wire): void {
  if (response === null) assert.notEqual(wire.ended, "no", "neither an answer nor a close");
  else assert.ok(statusOf(response) >= 400, `the client got ${response.line}`);
}

/** The request reaches the origin once, and as `check` wants it. */
export function relayed(name: string, message: string, check: (request: Message, response: Message) => void): Row {
  return {
    name,
    async play({ origin, client }) {
      await origin.become(answering(OK));
      const wire = await client();
      await wire.send(message);
      const response = await readFinal(wire, { toHead: message.startsWith("HEAD") });
      assert.ok(response !== null, "no response");
      assert.equal(statusOf(response), 200, response.line);
      await pause(GRACE);
      assert.equal(origin.requests.length, 1, "the origin saw another number of requests than one");
      check(origin.requests[0], response);
    },
  };
}

/** Refused, or relayed in such a way that `check` is content. */
export function refusedOr(name: string, message: string, check: (request: Message) => void): Row {
  return {
    name,
    async play({ origin, client }) {
      await origin.become(answering(OK));
      const wire = await client();
      await wire.send(message);
      const response = await readFinal(wire);
      await pause(GRACE);
      if (response !== null && statusOf(response) === 200) {
        assert.equal(origin.requests.length, 1, "the origin saw another number of requests than one");
        check(origin.requests[0]);
      } else {
        assertNotAnswered(response, wire);
        assert.deepEqual(origin.requests.map((request) => request.raw), [], "the origin saw a whole request");
      }
    },
  };
}

/** What came back for one request. */
export interface Answer {
  readonly response: Message;
  readonly interim: readonly Message[];
  readonly wire: Wire;
  readonly origin: Origin;
}

export interface AnswerOptions {
  /** @default a GET */
  readonly request?: string;
  /** The origin closes behind its bytes. */
  readonly close?: boolean;
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** The origin answers with `bytes`; `check` looks at what the client got. */
export function answered(
  name: string,
  bytes: string,
  check: (answer: Answer) => void | Promise<void>,
  options: AnswerOptions = {},
): Row {
  const request = options.request ?? GET;
  return {
    name,
    async play({ origin, client }) {
      await origin.become(options.close === true ? answeringAndClosing(bytes) : answering(bytes));
      const wire = await client();
      await wire.send(request);
      const interim: Message[] = [];
      const response = await readFinal(wire, { toHead: request.startsWith("HEAD"), interim });
      assert.ok(response !== null, `no response; the connection's end is "${wire.ended}"`);
      await check({ response, interim, wire, origin });
    },
  };
}

/** Answers the first request, ends the connection in good order. */
export function answeringAndClosing(bytes: string): Script {
  return async (wire, origin) => {
    await wire.until(() => wire.received.includes("\r\n\r\n"));
    if (wire.received === "") return;
    origin.requests.push({ line: "", lines: [], body: "", trailers: [], whole: true, raw: wire.received });
    await wire.send(bytes);
    await wire.finish();
    await wire.end();
    wire.close();
  };
}

/** The origin's answer is not to be believed: the client gets a 502. */
export function bad(name: string, bytes: string, options: AnswerOptions = {}): Row {
  return answered(name, bytes, ({ response }) => assert.equal(statusOf(response), 502, response.line), {
    close: true,
    ...options,
  });
}

/** A row that is told rather than tabulated. */
export function told(name: string, play: (stage: Stage) => Promise<void>): Row {
  return { name, play };
}

/** Plays a row on a stage of its own. */
export async function perform(row: Row, port: number, origin: Origin): Promise<void> {
  const wires: Wire[] = [];
  const stage: Stage = {
    port,
    origin,
    async client() {
      const wire = await Wire.connect(port);
      wires.push(wire);
      return wire;
    },
  };
  try {
    await row.play(stage);
  } finally {
    for (const wire of wires) wire.close();
  }
}

/** Asserts a field's values. */
export function assertField(message: Message, lower: string, wanted: readonly string[]): void {
  assert.deepEqual(values(message, lower), wanted, `${lower} in ${JSON.stringify(message.raw.slice(0, 600))}`);
}

/** Asserts that no field has one of these lower-case names. */
export function assertLacks(message: Message, ...names: string[]): void {
  for (const name of names) assertField(message, name, []);
}

/** Asserts that two long texts are the same, saying only where they part. */
export function assertSame(got: string | undefined, wanted: string): void {
  if (got === wanted) return;
  if (got === undefined) assert.fail("nothing came");
  let at = 0;
  while (at < got.length && at < wanted.length && got[at] === wanted[at]) at++;
  const near = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40));
  assert.fail(
    `${got.length} octets, wanted ${wanted.length}; they part at ${at}: got ${near(got)}, wanted ${near(wanted)}`,
  );
}
