/**
 * Everything that routes do, mixed in pipelines and cut anywhere: each request gets its own answer in its turn, origins
 * see only what was sent to them, and nothing is left behind, also by clients that leave in the middle.
 */
import assert from "node:assert/strict";
import { hashSync } from "bcryptjs";
import { match, route } from "../unit/proxy/routes/request.ts";
import { backend, freePort, frontend, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const REQUESTS = 4000;
const LEAVERS = 300;

interface Exchange {
  readonly request: string;
  /** The status line's code and the body. */
  readonly answer: string;
}

/** A generator that every run repeats. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** An origin that answers with the target and body it was sent. */
async function echo(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.until("\r\n\r\n");
    let body = "";
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (length > 0) body = await wire.take(length);
    else if (/^transfer-encoding: chunked/im.test(head)) body = await wire.until("0\r\n\r\n");
    const text = `${head.split(" ")[1]}|${body}`;
    await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }
}

/** A forward-auth server: passes what asks for /auth/yes. */
async function judge(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.until("\r\n\r\n");
    if (/^x-forwarded-uri: \/auth\/yes/im.test(head)) await wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    else await wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  }
}

const BODIES = ["", "Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"];

function exchange(random: (below: number) => number, number: number): Exchange {
  const right = `Authorization: Basic ${btoa("ann:secret")}\r\n`;
  const framing = BODIES[random(BODIES.length)];
  const body = framing === "" ? "" : framing.slice(framing.indexOf("\r\n\r\n") + 4);
  const get = (target: string, fields = "") => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  const send = (target: string, fields = "") =>
    framing === "" ? get(target, fields) : `POST ${target} HTTP/1.1\r\nHost: a\r\n${fields}${framing}`;
  switch (random(9)) {
    case 0:
      return { request: get(`/fixed/${number}`), answer: "200 fixed" };
    case 1:
      return { request: get(`/old/${number}`), answer: `302 /new/${number}` };
    case 2:
      return { request: get("/denied"), answer: "403 This request is not allowed.\n" };
    case 3:
      return { request: send(`/in/${number}`, right), answer: `200 /in/${number}|${body}` };
    case 4:
      return { request: get(`/in/${number}`), answer: "401 This needs a user name and a password.\n" };
    case 5:
      return { request: send(`/auth/yes/${number}`), answer: `200 /auth/yes/${number}|${body}` };
    case 6:
      return { request: get(`/auth/no/${number}`), answer: "403 no" };
    case 7:
      return { request: send(`/api/${number}`), answer: `200 /v2/${number}|${body}` };
    default:
      return { request: send(`/${number}`), answer: `200 /${number}|${body}` };
  }
}

/** Sends text in pieces that are cut anywhere. */
async function sendCut(wire: Wire, text: string, random: (below: number) => number): Promise<void> {
  for (let at = 0; at < text.length;) {
    const piece = 1 + random(random(4) === 0 ? 20 : 2000);
    await wire.send(text.slice(at, at + piece));
    at += piece;
  }
}

async function answerOf(wire: Wire, ms = 10_000): Promise<string> {
  const message = await wire.message(ms);
  const status = message.slice(9, 12);
  const location = /^Location: (.*)\r$/m.exec(message)?.[1];
  return `${status} ${location ?? message.slice(message.indexOf("\r\n\r\n") + 4)}`;
}

for (const way of ways) {
  Deno.test(`${way}: routes of every kind in pipelines cut anywhere`, async () => {
    await using origin = new Origin(echo);
    await using auth = new Origin(judge);
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const users = { ann: hashSync("secret", 6).replace("$2b$", "$2y$") };
    const on = (path: string) => ({ match: match({ paths: [path] }), action: toWeb });
    const toWeb = { type: "backend", backend: null, rewrite: null } as const;
    await proxy.apply({
      frontends: [frontend("in", port, {
        routes: [
          route({ ...on("/fixed/*"), action: { type: "respond", status: 200, headers: {}, body: "fixed" } }),
          route({ ...on("/old/*"), action: { type: "redirect", to: "/new/{*}", status: 302 } }),
          route({ ...on("/denied"), deny: ["0.0.0.0/0"] }),
          route({ ...on("/in/*"), basicAuth: { realm: "in", users } }),
          route({ ...on("/auth/*"), forwardAuth: { backend: "auth", path: "/", copyHeaders: ["x-user"] } }),
          route({ ...on("/api/*"), action: { ...toWeb, rewrite: "/v2/{*}" } }),
        ],
      })],
      backends: [backend("web", [origin.port]), backend("auth", [auth.port])],
    });
    const random = generator(20_261_122);
    const used = async () => (await proxy.status()).threads[0].buffers ?? 0;
    const before = await used();
    for (let number = 0; number < REQUESTS;) {
      using wire = await Wire.to(port);
      const exchanges = Array.from({ length: 1 + random(120) }, () => exchange(random, number++));
      const sent = sendCut(wire, exchanges.map(({ request }) => request).join(""), random);
      for (const { request, answer } of exchanges) assert.equal(await answerOf(wire), answer, request);
      await sent;
    }
    for (let i = 0; i < LEAVERS; i++) {
      const wire = await Wire.to(port);
      const text = Array.from({ length: 5 }, () => exchange(random, i).request).join("");
      await wire.send(text.slice(0, random(text.length)));
      if (random(2) === 0) await answerOf(wire, 20).catch(() => {});
      wire[Symbol.dispose]();
    }
    let after = await used();
    for (let tries = 0; tries < 20 && after > before + 8; tries++) after = await used();
    const status = await proxy.status();
    assert.equal(status.frontends[0].connections.current, 0);
    // Idle connections to the origins wait with a receive each.
    assert.ok(after <= before + 8, `${before} buffers were in use, ${after} are now`);
  });
}
