/** What becomes of an origin's answer. */

import assert from "node:assert/strict";
import { readFinal, statusOf, values } from "./message.ts";
import { answering, OK } from "./origin.ts";
import { type Answer, answered, assertField, assertLacks, assertSame, bad, type Row, told } from "./row.ts";
import { pause } from "./wire.ts";

const HEAD = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const OLD = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
const OLD_KEEP = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";

const wholeBody = (body: string) => ({ response }: Answer) => {
  assertSame(response.body, body);
  assert.ok(response.whole, "the body does not end properly");
};

/** The response has no body and the connection serves the next request. */
const bodyless = (check: (answer: Answer) => void = () => {}) => async (answer: Answer) => {
  assert.equal(answer.response.body, "");
  check(answer);
  await answer.origin.become(answering(OK));
  await answer.wire.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  const next = await readFinal(answer.wire);
  assert.equal(next?.body, "ok", "the connection does not serve the next request");
};

/** The client can tell that the response broke off. */
const broken = ({ response, wire }: Answer) => {
  assert.ok(
    !response.whole || wire.ended === "reset" || statusOf(response) === 502,
    `a clean end: ${JSON.stringify(response.raw)}`,
  );
};

export const responseRows: Row[] = [
  answered("9112 §6.2 body by length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", wholeBody("hello")),
  answered(
    "9112 §7.1 chunked body",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    wholeBody("hello!"),
  ),
  answered("9112 §6.3 close-delimited body", "HTTP/1.1 200 OK\r\n\r\nhello", wholeBody("hello"), { close: true }),
  answered("9112 §6.3 close-delimited HTTP/1.0 body", "HTTP/1.0 200 OK\r\n\r\nhello", wholeBody("hello"), {
    close: true,
  }),
  answered(
    "9112 §6.2 1 MB body",
    `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${"0123456789".repeat(100_000)}`,
    wholeBody("0123456789".repeat(100_000)),
  ),
  answered(
    "9110 §8.4 encoded content passes untouched",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08\0\xff\xfe",
    ({ response }) => {
      assertField(response, "content-encoding", ["gzip"]);
      assert.equal(response.body, "\x1f\x8b\x08\0\xff\xfe");
    },
  ),
  answered(
    "9112 §4 reason phrase passes",
    "HTTP/1.1 200 Quite All Right\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => {
      assert.equal(response.line, "HTTP/1.1 200 Quite All Right");
    },
  ),
  answered(
    "9112 §4 empty reason phrase",
    "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => assert.equal(response.body, "ok"),
  ),
  answered(
    "9110 §15 unknown status",
    "HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => assert.equal(statusOf(response), 599),
  ),
  answered(
    "9110 §9.3.2 HEAD keeps Content-Length, has no body",
    "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
    bodyless(({ response }) => {
      assertField(response, "content-length", ["500"]);
    }),
    { request: HEAD },
  ),
  answered(
    "9110 §9.3.2 HEAD of a chunked resource",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    bodyless(),
    { request: HEAD },
  ),
  answered(
    "9110 §15.3.5 204 has no body",
    "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    bodyless(({ response }) => assertField(response, "x", ["1"])),
  ),
  answered(
    "9110 §15.4.5 304 keeps its fields, has no body",
    'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 500\r\n\r\n',
    bodyless(({ response }) => {
      assertField(response, "etag", ['"x"']);
    }),
  ),
  answered(
    "9112 §6.3 coding beats length, or 502",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ({ response }) => {
      if (statusOf(response) === 502) return;
      assert.equal(response.body, "hello");
      assertLacks(response, "content-length");
    },
  ),
  answered(
    "9112 §7.1 chunked to HTTP/1.0 is unchunked and closed",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    ({ response, wire }) => {
      assertLacks(response, "transfer-encoding");
      assert.equal(response.body, "hello!");
      assert.equal(wire.ended, "eof");
    },
    { request: OLD_KEEP },
  ),
  answered("9112 §9.3 HTTP/1.0 without keep-alive is closed", OK, async ({ response, wire }) => {
    assert.equal(response.body, "ok");
    assert.ok(await wire.end(500), "the connection stays open");
  }, { request: OLD }),
  answered("9112 §9.3 HTTP/1.0 with keep-alive is told so", OK, ({ response, wire }) => {
    if (wire.ended === "no") assert.match(values(response, "connection").join(), /keep-alive/i);
  }, { request: OLD_KEEP }),
  answered(
    "9112 §9.6 the client's close is kept",
    OK,
    async ({ wire }) => assert.ok(await wire.end(500), "stays open"),
    {
      request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    },
  ),
  answered(
    "9112 §7.1.1 extensions of a response are not relayed",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;secret=1\r\nhello\r\n0\r\n\r\n",
    ({ response }) => {
      assert.equal(response.body, "hello");
      assert.ok(!response.raw.includes("secret"), response.raw);
    },
  ),
  answered(
    "9110 §6.5 trailers of a response stay trailers or go",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    ({ response }) => {
      assert.equal(response.body, "hello");
      assertLacks(response, "x-sum");
      assert.match(response.trailers.join(), /^(x-sum: 1)?$/i);
    },
  ),
  answered(
    "9110 §6.5.1 forbidden trailers of a response",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: evil=1\r\nContent-Length: 9\r\n\r\n",
    ({ response }) => {
      assert.equal(response.body, "hello");
      assert.ok(!/evil|: 9/.test(response.raw), response.raw);
    },
  ),
];

export const badResponseRows: Row[] = [
  bad("9112 §6.3 two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"),
  bad("9112 §6.3 two lengths in a list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!"),
  ...["x", "-1", "+2", "0x2", "18446744073709551618"].map((length) =>
    bad(`9110 §8.6 Content-Length ${length}`, `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\nok`)
  ),
  bad("9112 §4 no status", "HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 lower-case protocol", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §4 another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
  bad("9112 §3 HTTP/0.9 answer", "<html>hello</html>\r\n\r\n"),
  bad("9112 §5 field without colon", "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §5 empty field name", "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\nok"),
  bad("9110 §5.5 NUL in a value", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"),
  bad("9110 §5.5 NUL in a name", "HTTP/1.1 200 OK\r\nX\0: a\r\nContent-Length: 2\r\n\r\nok"),
  bad("9112 §6.1 unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: cow\r\n\r\nok"),
  bad("128 kB head", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(131072)}\r\nContent-Length: 2\r\n\r\nok`),
  bad("9112 §8 head that breaks off", "HTTP/1.1 200 OK\r\nContent-Le"),
  bad("9112 §8 close without a byte", ""),
  bad(
    "9110 §15.2.2 unsolicited 101",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
  ),
  answered("9112 §8 body by length that breaks off", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", broken, {
    close: true,
  }),
  answered(
    "9112 §8 chunked body that breaks off in data",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    broken,
    { close: true },
  ),
  answered(
    "9112 §8 chunked body without last chunk",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    broken,
    { close: true },
  ),
  answered(
    "9112 §7.1 bad chunk size in a response",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0x5\r\nhello\r\n0\r\n\r\n",
    broken,
    { close: true },
  ),
  answered(
    "9112 §7.1 chunked body that breaks off, to HTTP/1.0",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    ({ response, wire }) => {
      assert.ok(wire.ended === "reset" || statusOf(response) === 502 || !response.whole, "a clean end");
    },
    { close: true, request: OLD },
  ),
];

export const poisoningRows: Row[] = [
  told("9112 §9.2 bytes behind a body never answer another request", async ({ origin, client }) => {
    await origin.become(answering(OK + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    const one = await client();
    await one.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await readFinal(one))?.body, "ok");
    await pause(50);
    await one.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    const two = await client();
    await two.send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    for (const wire of [one, two]) assert.notEqual((await readFinal(wire))?.body, "evil");
  }),
  told("9112 §9.2 an unsolicited response closes the idle connection", async ({ origin, client }) => {
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      if (wire.received === "") return;
      await wire.send(OK);
      await pause(100);
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
      await wire.end();
    });
    const wire = await client();
    await wire.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await readFinal(wire))?.body, "ok");
    await pause(250);
    assert.ok(origin.wires.every((wire) => wire.ended !== "no"), "the idle connection stays in the pool");
    const next = await client();
    await next.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await readFinal(next))?.body, "ok");
  }),
  told("9112 §9.2 a body behind 204 never answers another request", async ({ origin, client }) => {
    await origin.become(
      answering(
        "HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
      ),
    );
    const wire = await client();
    await wire.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(statusOf((await readFinal(wire))!), 204);
    await pause(50);
    await wire.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    const next = await readFinal(wire);
    assert.notEqual(next?.body, "evil");
  }),
  told("9112 §9.2 a body behind HEAD never answers another request", async ({ origin, client }) => {
    await origin.become(
      answering("HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    );
    const wire = await client();
    await wire.send(HEAD);
    assert.equal(statusOf((await readFinal(wire, { toHead: true }))!), 200);
    await pause(50);
    await wire.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    const next = await readFinal(wire);
    assert.notEqual(next?.body, "evil");
  }),
];
