/** Expect, interim responses, upgrades and tunnels. */

import assert from "node:assert/strict";
import { type Message, readFinal, readResponse, statusOf, values } from "./message.ts";
import { answering, OK, type Script } from "./origin.ts";
import { answered, assertLacks, assertSame, refused, refusedOr, type Row, told } from "./row.ts";
import { TIMEOUTS } from "./subject.ts";
import { pause } from "./wire.ts";

const EXPECT = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
const UPGRADE = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/** Reads a head, then does as told. */
const afterHead = (act: Script): Script => async (wire, origin) => {
  await wire.until(() => wire.received.includes("\r\n\r\n"), 60_000);
  const end = wire.received.indexOf("\r\n\r\n");
  if (end < 0) return;
  const raw = wire.take(end + 4);
  const [line, ...lines] = raw.slice(0, -4).split("\r\n");
  origin.requests.push({ line, lines, body: "", trailers: [], whole: true, raw });
  await act(wire, origin);
};

/** Switches, then sends back what it gets. */
const echoing = afterHead(async (wire) => {
  await wire.send(SWITCHED);
  for (;;) {
    if (!await wire.until(() => wire.received !== "", 60_000)) return;
    await wire.send(wire.take(wire.received.length));
  }
});

export const expectRows: Row[] = [
  told("9110 §10.1.1 100-continue, body after the 100", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
      await wire.until(() => wire.received.length >= 5);
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${wire.take(5)}`);
    }));
    const wire = await client();
    await wire.send(EXPECT);
    assert.equal(statusOf((await readResponse(wire))!), 100);
    await wire.send("hello");
    assert.equal((await readFinal(wire))?.body, "hello");
  }),
  told("9110 §10.1.1 100-continue, body at once", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
      await wire.until(() => wire.received.length >= 5);
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${wire.take(5)}`);
    }));
    const wire = await client();
    await wire.send(EXPECT + "hello");
    assert.equal((await readFinal(wire))?.body, "hello");
  }),
  told("9110 §10.1.1 an origin that sends no 100", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(EXPECT);
    await pause(300);
    await wire.send("hello");
    assert.equal((await readFinal(wire))?.body, "ok");
    assert.deepEqual(origin.requests.map((request) => request.body), ["hello"]);
  }),
  told("9110 §10.1.1 a final answer instead of 100: the late body is no request", async ({ origin, client }) => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    await origin.become(afterHead(async (wire, origin) => {
      await wire.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
      await wire.until(() => wire.received.includes("smuggled"), 300);
      if (/GET \/smuggled/.test(wire.received)) {
        // Only its place decides whether it is the body that was announced or a request of its own.
        origin.requests.push({ line: "body", lines: [], body: wire.received, trailers: [], whole: true, raw: "" });
      }
    }));
    const wire = await client();
    await wire.send(EXPECT.replace("Length: 5", `Length: ${smuggled.length}`));
    assert.equal((await readFinal(wire))?.body, "no");
    await wire.send(smuggled);
    const second = await readFinal(wire, { patience: 300 });
    assert.ok(second === null || statusOf(second) >= 400, `the body was answered: ${second?.line}`);
    assert.ok(!origin.requests.some((request) => request.line.startsWith("GET")), "the body became a request");
  }),
  told("9112 §9.3 an early 4xx reaches a client that is still uploading", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
      await wire.finish();
      await wire.end();
      wire.close();
    }));
    const wire = await client();
    await wire.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n${"x".repeat(10_000)}`);
    const answer = readFinal(wire);
    for (let n = 0; n < 100 && await wire.send("x".repeat(10_000)); n++) await pause(2);
    assert.equal(statusOf((await answer)!), 413);
  }),
  refusedOr("9110 §10.1.1 another expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", () => {}),
];

export const interimRows: Row[] = [
  answered(
    "8297 103 is relayed",
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + OK,
    ({ response, interim }) => {
      assert.equal(response.body, "ok");
      assert.deepEqual(interim.map(statusOf), [103]);
      assert.deepEqual(values(interim[0], "link"), ["</a.css>; rel=preload"]);
    },
  ),
  answered(
    "9110 §15.2 no 1xx to HTTP/1.0",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ({ response, interim }) => {
      assert.equal(response.body, "ok");
      assert.deepEqual(interim, []);
    },
    { request: "GET / HTTP/1.0\r\nHost: a\r\n\r\n" },
  ),
  answered(
    "9110 §15.2.1 an unsolicited 100 is not the answer",
    "HTTP/1.1 100 Continue\r\n\r\n" + OK,
    ({ response }) => {
      assert.equal(response.body, "ok");
    },
  ),
  answered("9110 §15.2.1 an unsolicited 100 is swallowed", "HTTP/1.1 100 Continue\r\n\r\n" + OK, ({ interim }) => {
    assert.deepEqual(interim, []);
  }),
  answered(
    "9110 §15.2 several 1xx",
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ({ response }) => {
      assert.equal(response.body, "ok");
    },
  ),
];

export const tunnelRows: Row[] = [
  told("6455 §4 a WebSocket handshake and bytes verbatim both ways", async ({ origin, client }) => {
    await origin.become(echoing);
    const wire = await client();
    await wire.send(UPGRADE);
    const answer = await readResponse(wire);
    assert.equal(statusOf(answer!), 101);
    assert.match(values(answer!, "connection").join(), /upgrade/i);
    assert.match(values(answer!, "upgrade").join(), /^websocket$/i);
    assert.equal(values(answer!, "sec-websocket-accept").join(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const request = origin.requests[0];
    assert.match(values(request, "connection").join(), /upgrade/i);
    assert.match(values(request, "upgrade").join(), /^websocket$/i);
    const octets = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i)) + "\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    await wire.send(octets);
    assert.ok(await wire.until(() => wire.received.length >= octets.length), "the echo is missing");
    assert.equal(wire.received, octets);
  }),
  told("6455 §5 1 MB through a tunnel", async ({ origin, client }) => {
    await origin.become(echoing);
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal(statusOf((await readResponse(wire))!), 101);
    const octets = "0123456789abcdef".repeat(65536);
    await wire.send(octets);
    assert.ok(
      await wire.until(() => wire.received.length >= octets.length, 10_000),
      `only ${wire.received.length} came back`,
    );
    assertSame(wire.received, octets);
  }),
  told("6455 a tunnel has its own idle time-out", async ({ origin, client }) => {
    await origin.become(echoing);
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal(statusOf((await readResponse(wire))!), 101);
    await pause(Math.max(TIMEOUTS.client, TIMEOUTS.server) + 700);
    await wire.send("still here");
    assert.ok(await wire.until(() => wire.received === "still here"), "the tunnel was closed");
  }),
  told("6455 the end of a tunnel reaches the other side", async ({ origin, client }) => {
    await origin.become(echoing);
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal(statusOf((await readResponse(wire))!), 101);
    wire.close();
    assert.ok(await origin.wires[0].end(1000), "the origin's side stays open");
  }),
  told("6455 half-closed: what the origin says after the client's end arrives", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send(SWITCHED);
      await wire.end();
      await wire.send(`${wire.received} and goodbye`);
      wire.close();
    }));
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal(statusOf((await readResponse(wire))!), 101);
    await wire.send("hello");
    await wire.finish();
    assert.ok(await wire.until(() => wire.received === "hello and goodbye"), JSON.stringify(wire.received));
    assert.ok(await wire.end(500), "the tunnel stays open");
  }),
  refusedOr(
    "9110 §7.8 an upgrade with a body is not offered, or its body arrives first",
    UPGRADE.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello"),
    (request) => assert.equal(request.body, "hello"),
  ),
  told("6455 bytes that come with the 101", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send(SWITCHED + "first words");
      await wire.end();
    }));
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal(statusOf((await readResponse(wire))!), 101);
    assert.ok(await wire.until(() => wire.received === "first words"), wire.received);
  }),
  told("CVE-2026-2833 nothing pipelined is tunnelled before the 101", async ({ origin, client }) => {
    let early = "";
    await origin.become(afterHead(async (wire) => {
      await wire.until(() => wire.received !== "", 300);
      early = wire.received;
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
      await wire.end();
    }));
    const wire = await client();
    await wire.send(UPGRADE + "GET /smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n");
    assert.equal((await readFinal(wire))?.body, "no");
    assert.equal(early, "", "the origin got bytes of a tunnel it had not agreed to");
  }),
  told("9110 §7.8 an upgrade that is declined is an ordinary request", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(UPGRADE);
    assert.equal((await readFinal(wire))?.body, "ok");
    await wire.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await readFinal(wire))?.body, "ok");
    assert.deepEqual(origin.requests.map((request: Message) => request.line.split(" ")[1]), ["/ws", "/next"]);
  }),
  refused(
    "CVE-2019-9513 and kin: HTTP/2 preface behind a request is no request",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  ),
  told("9110 §7.8 101 without an upgrade asked for in HTTP/1.0", async ({ origin, client }) => {
    await origin.become(afterHead(async (wire) => {
      await wire.send(SWITCHED);
      await wire.end();
    }));
    const wire = await client();
    await wire.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const answer = await readResponse(wire);
    assert.equal(statusOf(answer!), 502);
    assertLacks(answer!, "upgrade");
  }),
];
