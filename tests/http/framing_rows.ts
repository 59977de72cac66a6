/** Where a request ends: Content-Length, Transfer-Encoding, chunks, trailers, pipelining. */

import assert from "node:assert/strict";
import { readFinal, statusOf, values } from "./message.ts";
import { answering, OK } from "./origin.ts";
import { assertField, assertLacks, assertSame, refused, refusedOr, relayed, type Row, told } from "./row.ts";
import { pause } from "./wire.ts";

const P = "POST / HTTP/1.1\r\nHost: a\r\n";
const C = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

const badLength = (length: string): Row =>
  refused(`9110 §8.6 Content-Length ${JSON.stringify(length)}`, `${P}Content-Length: ${length}\r\n\r\nhello`, 400, 413);

const badCoding = (coding: string): Row =>
  refused(
    `9112 §6.1 Transfer-Encoding ${JSON.stringify(coding)}`,
    `${P}Transfer-Encoding: ${coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  );

const badChunks = (rule: string, chunks: string): Row => refused(rule, `${C}${chunks}`);

const bodyIs = (name: string, message: string, body: string): Row =>
  relayed(name, message, (request) => {
    assertSame(request.body, body);
    assert.ok(values(request, "content-length").length + values(request, "transfer-encoding").length < 2, request.raw);
  });

export const lengthRows: Row[] = [
  bodyIs("9112 §6.2 body by length", `${P}Content-Length: 5\r\n\r\nhello`, "hello"),
  bodyIs("9112 §6.2 length 0", `${P}Content-Length: 0\r\n\r\n`, ""),
  bodyIs(
    "9110 §9.3.1 body on GET is not left on the wire",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "hello",
  ),
  bodyIs("9110 §9.3.5 body on DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "hello"),
  bodyIs(
    "9112 §6.2 body that looks like a request",
    `${P}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    SMUGGLED,
  ),
  bodyIs(
    "9112 §6.2 1 MB body",
    `${P}Content-Length: 1000000\r\n\r\n${"0123456789".repeat(100_000)}`,
    "0123456789".repeat(100_000),
  ),
  bodyIs("9112 §6.2 body of every octet", `${P}Content-Length: 256\r\n\r\n${octets()}`, octets()),
  refused(
    "9112 §6.1 Content-Length and Transfer-Encoding",
    `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ),
  refused(
    "9112 §6.1 Transfer-Encoding and Content-Length",
    `${P}Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ),
  refused("9112 §6.3 two different lengths", `${P}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 400),
  refused("9112 §6.3 two different lengths in a list", `${P}Content-Length: 5, 6\r\n\r\nhello!`, 400),
  refusedOr("9112 §6.3 two equal lengths", `${P}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, (request) => {
    assertField(request, "content-length", ["5"]);
  }),
  ...[
    "+5",
    "-5",
    "-0",
    "0x5",
    "5.0",
    "5e0",
    "five",
    "5 5",
    "5,",
    ",5",
    '"5"',
    "",
    "5\u00a0",
    "18446744073709551621",
    "4294967301x",
  ].map(badLength),
  refused("9110 §8.6 length of 200 digits", `${P}Content-Length: ${"9".repeat(200)}\r\n\r\nhello`, 400, 413),
];

function octets(): string {
  return String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
}

export const codingRows: Row[] = [
  ...[
    "chunked, chunked",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, identity",
    ", chunked",
    '"chunked"',
    "chunked;x=1",
    "xchunked",
    "identity",
  ]
    .concat(["chunked\x0b", "\x0bchunked", "chunked\0", "gzip", "", "chunked\u00a0"]).map(badCoding),
  refused(
    "9112 §6.1 two Transfer-Encoding fields",
    `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ),
  refused(
    "9112 §6.1 two chunked fields",
    `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  refusedOr(
    "9112 §5.2 obs-folded coding",
    `${P}Transfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    (request) => {
      assert.equal(request.body, "hello");
    },
  ),
  refusedOr("9112 §5.2 folded obfuscation", `${P}Transfer-Encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n`, () => {
    assert.fail("relayed");
  }),
  refusedOr(
    "9112 §6.1 HTTP/1.0 with a coding",
    `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    (request) => {
      assert.equal(request.body, "hello");
    },
  ),
  refused(
    "9112 §5.1 space before the colon of Transfer-Encoding",
    `${P}Transfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  ),
  refusedOr(
    "underscore in Transfer_Encoding",
    `${P}Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello`,
    (request) => {
      assert.equal(request.body, "hello");
      assertLacks(request, "transfer-encoding", "transfer_encoding");
    },
  ),
  refusedOr("underscore in Content_Length", `${P}Content_Length: 99\r\nContent-Length: 5\r\n\r\nhello`, (request) => {
    assert.equal(request.body, "hello");
    assertLacks(request, "content_length");
  }),
];

export const chunkRows: Row[] = [
  bodyIs("9112 §7.1 chunks", `${C}5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`, "hello!"),
  bodyIs("9112 §7.1 empty chunked body", `${C}0\r\n\r\n`, ""),
  bodyIs(
    "9112 §7.1 hexadecimal of both cases",
    `${C}1A\r\n${"x".repeat(26)}\r\n1a\r\n${"y".repeat(26)}\r\n0\r\n\r\n`,
    "x".repeat(26) + "y".repeat(26),
  ),
  bodyIs("9112 §7.1 leading zeros", `${C}0005\r\nhello\r\n0\r\n\r\n`, "hello"),
  bodyIs(
    "9112 §7.1 coding named in another case",
    `${P}Transfer-Encoding: ChUnKeD\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    "hello",
  ),
  bodyIs("9112 §7.1 data that looks like framing", `${C}5\r\n0\r\n\r\n\r\n0\r\n\r\n`, "0\r\n\r\n"),
  bodyIs("9112 §7.1 10,000 chunks of one octet", `${C}${"1\r\nx\r\n".repeat(10_000)}0\r\n\r\n`, "x".repeat(10_000)),
  relayed(
    "9112 §7.1.1 extensions are not relayed",
    `${C}5;secret=1;a="b;c"\r\nhello\r\n0;last=1\r\n\r\n`,
    (request) => {
      assert.equal(request.body, "hello");
      assert.ok(!/secret|last/.test(request.raw), request.raw);
    },
  ),
  badChunks("9112 §7.1 size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size with plus", "+5\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size with minus", "-5\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size with leading space", " 5\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size missing", "\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size not hexadecimal", "5g\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size with NUL", "5\0\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size of 2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 size of 100 digits", `${"f".repeat(100)}\r\nhello\r\n0\r\n\r\n`),
  badChunks("9112 §2.2 bare LF behind the size", "5\nhello\r\n0\r\n\r\n"),
  badChunks("9112 §2.2 bare CR behind the size", "5\rhello\r\n0\r\n\r\n"),
  badChunks("CVE-2025-55315 bare LF in an extension", `5;a\nhello\r\n0\r\n\r\n`),
  badChunks("9112 §2.2 bare CR in an extension", `5;a\rb\r\nhello\r\n0\r\n\r\n`),
  badChunks("9112 §7.1.1 quoted CRLF in an extension", `5;a="\r\nhello\r\n0\r\n\r\n"\r\n`),
  badChunks("9112 §2.2 LF behind data", "5\r\nhello\n0\r\n\r\n"),
  badChunks("9112 §7.1 data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"),
  badChunks("9112 §7.1 nothing behind data", "5\r\nhello0\r\n\r\n"),
  badChunks("9112 §2.2 bare LF behind the last chunk", "5\r\nhello\r\n0\n\r\n"),
  badChunks("9112 §2.2 bare LF as end", "5\r\nhello\r\n0\r\n\n"),
  badChunks("9112 §7.1.2 a request line as trailer", `5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n`),
  badChunks("9112 §7.1.2 NUL in a trailer", "0\r\nX: a\0b\r\n\r\n"),
  badChunks("9112 §7.1.2 space before the colon of a trailer", "0\r\nX : a\r\n\r\n"),
  badChunks("CVE-2024-22019 endless extension", `5;${"a".repeat(200_000)}\r\nhello\r\n0\r\n\r\n`),
  badChunks("9112 §7.1.2 endless trailers", `0\r\n${"X-Trailer: 1\r\n".repeat(20_000)}\r\n`),
];

const droppedTrailer = (line: string): Row =>
  refusedOr(`9110 §6.5.1 trailer ${line} is dropped`, `${C}5\r\nhello\r\n0\r\n${line}\r\n\r\n`, (request) => {
    assert.equal(request.body, "hello");
    assert.ok(!request.trailers.join().includes(line) && !request.lines.join().includes(line), request.raw);
  });

export const trailerRows: Row[] = [
  relayed("9110 §6.5 trailers stay trailers or go", `${C}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`, (request) => {
    assert.equal(request.body, "hello");
    assertLacks(request, "x-sum");
    assert.match(request.trailers.join(), /^(x-sum: 1)?$/i);
  }),
  ...["Content-Length: 99", "Transfer-Encoding: gzip", "Host: evil", "Authorization: Basic eA==", "Cookie: admin=1"]
    .map(droppedTrailer),
  ...["X-Forwarded-For: 6.6.6.6", "Connection: X", "Content-Type: text/evil"].map(droppedTrailer),
];

export const pipelineRows: Row[] = [
  told("9112 §9.3.2 pipelined requests are answered in order", async ({ origin, client }) => {
    await origin.become(async (wire, origin) => {
      for (;;) {
        await wire.until(() => wire.received.includes("\r\n\r\n"), 60_000);
        const end = wire.received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const raw = wire.take(end + 4);
        const path = raw.split(" ")[1];
        origin.requests.push({ line: path, lines: [], body: "", trailers: [], whole: true, raw });
        // The first answer comes last, if the proxy has sent both.
        if (path === "/1") await pause(100);
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
      }
    });
    const wire = await client();
    await wire.send([1, 2, 3].map((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    for (const path of ["/1", "/2", "/3"]) assert.equal((await readFinal(wire))?.body, path);
    assert.deepEqual(origin.requests.map((request) => request.line).sort(), ["/1", "/2", "/3"]);
  }),
  told("9112 §9.3.2 a request behind a body in one segment", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(
      `${P}Content-Length: 5\r\n\r\nhello${P}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    for (let n = 0; n < 3; n++) assert.equal(statusOf((await readFinal(wire))!), 200);
    assert.deepEqual(origin.requests.map((request) => request.body), ["hello", "hi", ""]);
  }),
  told("9112 §9.3.2 a bad request behind a good one", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(
      `GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    assert.equal(statusOf((await readFinal(wire))!), 200);
    const second = await readFinal(wire);
    assert.ok(second === null || statusOf(second) === 400);
    assert.ok(await wire.end(), "the connection stays open behind a refused request");
    assert.deepEqual(origin.requests.map((request) => request.line.split(" ")[1]), ["/good"]);
  }),
  told("9112 §9.6 nothing is served behind Connection: close", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(`GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(statusOf((await readFinal(wire))!), 200);
    assert.ok(await wire.end(), "the connection stays open");
    await pause(25);
    assert.equal(origin.requests.length, 1);
  }),
  told("9112 §9.3.2 500 requests at once", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(Array.from({ length: 500 }, (_, n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    for (let n = 0; n < 500; n++) assert.equal((await readFinal(wire))?.body, "ok", `answer ${n}`);
    assert.deepEqual(
      origin.requests.map((request) => request.line.split(" ")[1]),
      Array.from(origin.requests, (_, n) => `/${n}`),
    );
  }),
  told("0.CL: an answer before the body's end: the late body is no request", async ({ origin, client }) => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const lines: string[] = [];
    await origin.become(async (wire) => {
      for (;;) {
        // An origin that does not care for bodies: it answers heads.
        if (!await wire.until(() => wire.received.includes("\r\n\r\n"), 60_000)) return;
        const end = wire.received.indexOf("\r\n\r\n");
        lines.push(wire.take(end + 4).split("\r\n")[0]);
        await wire.send(OK);
      }
    });
    const wire = await client();
    await wire.send(`${P}Content-Length: ${smuggled.length + 1}\r\n\r\nx`);
    assert.equal((await readFinal(wire))?.body, "ok");
    await wire.send(smuggled);
    await pause(100);
    const next = await client();
    await next.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await readFinal(next))?.body, "ok");
    // On the origin's old connection the body may still have come; no other request may follow it there.
    assert.ok(
      !origin.wires.some((wire) => /smuggled[^]*next/.test(wire.log)),
      "a connection with a body due was used again",
    );
    assert.ok((await readFinal(wire, { patience: 100 })) === null, "the body was answered");
  }),
  told("9112 §8 a request that breaks off is not completed", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(`${P}Content-Length: 50\r\n\r\nhello`);
    await pause(50);
    wire.close();
    await pause(200);
    assert.equal(origin.requests.length, 0);
    assert.ok(origin.wires.every((wire) => wire.ended !== "no"), "the origin's connection stays open");
  }),
  told("9112 §8 a chunked request that breaks off is not completed", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(`${C}5\r\nhello\r\n`);
    await pause(50);
    wire.close();
    await pause(200);
    assert.equal(origin.requests.length, 0);
    assert.ok(origin.wires.every((wire) => wire.ended !== "no"), "the origin's connection stays open");
  }),
];
