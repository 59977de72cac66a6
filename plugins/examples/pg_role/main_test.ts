import assert from "node:assert/strict";
import { runCheck, script, type Step } from "tandem/plugin/test";
import checker, { judge } from "./main.ts";
import { checkServer, clientFinal, clientFirst, deriveKeys, serverFirst } from "./scram.ts";
import { MessageReader } from "./wire.ts";

const encoder = new TextEncoder();

function message(type: string, ...parts: (number[] | string | Uint8Array)[]): Uint8Array {
  const body = parts.flatMap((part) => typeof part === "string" ? [...encoder.encode(part)] : [...part]);
  const frame = new Uint8Array(5 + body.length);
  frame[0] = type.charCodeAt(0);
  new DataView(frame.buffer).setUint32(1, body.length + 4);
  frame.set(body, 5);
  return frame;
}

const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));
const authenticated = join(message("R", [0, 0, 0, 0]), message("S", "server_version\x0015.4\0"), message("Z", "I"));
const answer = (recovering: string, lag: string) =>
  join(
    message("T", [0, 0]),
    message("D", [0, 2, 0, 0, 0, 1], recovering, [0, 0, 0, lag.length], lag),
    message("C", "SELECT 1\0"),
    message("Z", "I"),
  );
const config = { role: "primary", user: "tandem", password: "pencil", database: "postgres", maxLag: 10_000 } as const;

const cases: [name: string, steps: Step[], verdict: Record<string, unknown>][] = [
  ["a primary", [{ answer: () => authenticated }, { answer: () => answer("f", "0") }], {
    state: "up",
    reason: "primary",
  }],
  ["a replica", [{ answer: () => authenticated }, { answer: () => answer("t", "120.4") }], {
    state: "standby",
    reason: "replica, 120 ms behind",
  }],
  ["a server that refuses", ["refuse"], { state: "down", reason: "connect refused", phase: "connect" }],
  ["a server that is starting", [{
    answer: () => message("E", "SFATAL\0C57P03\0Mthe database system is starting up\0\0"),
  }], {
    state: "down",
    reason: "the database system is starting up (57P03)",
    phase: "login",
  }],
  ["a server that wants MD5", [{ answer: () => message("R", [0, 0, 0, 5, 1, 2, 3, 4]) }], {
    state: "down",
    reason: "server asks for authentication 5, only SCRAM-SHA-256 is offered",
    phase: "login",
  }],
  ["a web server", [{ answer: () => "HTTP/1.1 400 Bad Request\r\n\r\n" }], {
    state: "down",
    reason: "not a PostgreSQL server",
    phase: "login",
  }],
  ["a server that hangs after the login", [{ answer: () => authenticated }, { pause: 5000 }], {
    state: "down",
    reason: "no answer within 1000 ms",
    phase: "query",
  }],
  ["a server that dies in the middle", [{ answer: () => authenticated }, "reset"], {
    state: "down",
    reason: "write reset",
    phase: "query",
  }],
];
for (const [name, steps, verdict] of cases) {
  Deno.test(`check() of ${name}`, async () => {
    assert.deepEqual((await runCheck(checker, { config, server: script(steps) })).verdict, verdict);
  });
}

const judged: [Parameters<typeof judge>, state: string][] = [
  [["primary", false, 0, 1000], "up"],
  [["primary", true, 0, 1000], "standby"],
  [["replica", false, 0, 1000], "standby"],
  [["replica", true, 999, 1000], "up"],
  [["replica", true, 1001, 1000], "drain"],
  [["any", false, 0, 1000], "up"],
];
for (const [parameters, state] of judged) {
  Deno.test(`judge(${parameters.join(", ")})`, () => assert.equal(judge(...parameters).state, state));
}

Deno.test("SCRAM-SHA-256 of RFC 7677 §3", async () => {
  const nonce = "rOprNGfwEbeRWgbNEkqO";
  const first = clientFirst(nonce, "user");
  assert.equal(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
  const { nonce: both, salt, iterations } = serverFirst(challenge, nonce);
  const { message, signature } = await clientFinal(
    await deriveKeys("pencil", salt, iterations),
    first,
    challenge,
    both,
  );
  assert.equal(
    message,
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  );
  checkServer("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", signature);
  assert.throws(() => checkServer("v=AAAA", signature), /could not prove/);
  assert.throws(() => serverFirst(challenge, "another"), /another nonce/);
});

Deno.test("MessageReader gives the same messages whatever the pieces", () => {
  const bytes = join(authenticated, answer("t", "1"));
  const whole = new MessageReader().push(bytes);
  const reader = new MessageReader();
  assert.deepEqual([...bytes].flatMap((byte) => reader.push(new Uint8Array([byte]))), whole);
});
