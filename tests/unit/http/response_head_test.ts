import { bytesOf } from "../../../runtime/http/mod.ts";
import { assertHas, LIMITS, type ResponseOutcome, responseOutcome, sameForEveryCut } from "./feed.ts";

type Row = readonly [name: string, message: string, wanted: ResponseOutcome];

const OK = "HTTP/1.1 200 OK\r\n";

const accepted: Row[] = [
  ["9112 §4 with length", `${OK}Content-Length: 2\r\n\r\nhi`, {
    status: 200,
    reason: "OK",
    body: 1,
    length: 2,
    consumed: 38,
  }],
  ["9112 §4 empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", { status: 200, reason: "", body: 0 }],
  ["9112 §4 no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", { status: 200, reason: "", body: 0 }],
  ["9112 §4 reason with obs-text", "HTTP/1.1 404 Na\u00efn  da\t\r\n\r\n", { status: 404, reason: "Na\u00efn  da\t" }],
  ["9110 §15 unknown status", "HTTP/1.1 799 X\r\n\r\n", { status: 799 }],
  ["9112 §2.2 bare LF from a CGI script", "HTTP/1.1 200 OK\nContent-Length: 2\nX: 1\n\nhi", {
    status: 200,
    length: 2,
    fields: ["Content-Length: 2", "X: 1"],
    consumed: 40,
  }],
  ["9112 §6.3 close-delimited", `${OK}\r\n`, { body: 3, keepAlive: false }],
  ["9112 §6.3 chunked", `${OK}Transfer-Encoding: chunked\r\n\r\n`, { body: 2, keepAlive: true }],
  [
    "9112 §6.3 coding beats length, connection not used again",
    `${OK}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n`,
    {
      body: 2,
      keepAlive: false,
    },
  ],
  ["9112 §6.3 204 has no body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", { body: 0, keepAlive: true }],
  ["9112 §6.3 204 without fields", "HTTP/1.1 204 No Content\r\n\r\n", { body: 0, keepAlive: true }],
  ["9112 §6.3 304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", { body: 0, length: 5 }],
  ["9112 §6.3 304 chunked in name only", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", {
    body: 0,
  }],
  ["9110 §15.2 100", "HTTP/1.1 100 Continue\r\n\r\n", { status: 100, body: 0 }],
  ["9110 §15.2 103 with fields", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", { status: 103, body: 0 }],
  ["9110 §15.2 101", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81", {
    status: 101,
    body: 0,
    upgrade: true,
  }],
  ["9112 §9.3 close", `${OK}Content-Length: 0\r\nConnection: close\r\n\r\n`, { keepAlive: false }],
  ["9112 §9.3 1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", { minor: 0, keepAlive: false }],
  ["9112 §9.3 1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", {
    keepAlive: true,
  }],
  ["9110 §5.3 Set-Cookie lines", `${OK}Set-Cookie: a=1, b\r\nSet-Cookie: c=2\r\n\r\n`, {
    fields: ["Set-Cookie: a=1, b", "Set-Cookie: c=2"],
  }],
];

const refused: Row[] = [
  ["9112 §4 other protocol", "SSH-2.0-OpenSSH\r\n", { refused: "502 statusLine" }],
  ["9112 §4 HTTP/0.9 body", "<html>", { refused: "502 statusLine" }],
  ["9112 §4 HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 lower case", "http/1.1 200 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 four digits", "HTTP/1.1 2000 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 two digits", "HTTP/1.1 20 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 letters", "HTTP/1.1 2xx OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 below 100", "HTTP/1.1 099 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 sign", "HTTP/1.1 -20 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 two spaces", "HTTP/1.1  200 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 no status", "HTTP/1.1 \r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 version only", "HTTP/1.1\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §4 NUL in reason", "HTTP/1.1 200 O\0K\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §2.2 bare CR in reason", "HTTP/1.1 200 O\rK\r\n\r\n", { refused: "502 bareCr" }],
  ["9112 §2.2 leading empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n", { refused: "502 statusLine" }],
  ["9112 §5 no colon", `${OK}X\r\n\r\n`, { refused: "502 noColon" }],
  ["9112 §5 empty name", `${OK}: x\r\n\r\n`, { refused: "502 fieldName" }],
  ["9112 §5.1 space before the colon", `${OK}Content-Length : 3\r\n\r\n`, { refused: "502 spaceBeforeColon" }],
  ["9112 §5.2 obs-fold", `${OK}X: a\r\n b\r\n\r\n`, { refused: "502 folded" }],
  ["9110 §5.5 NUL in a value", `${OK}X: a\0b\r\n\r\n`, { refused: "502 fieldValue" }],
  ["9112 §2.2 bare CR in a value", `${OK}X: a\rb\r\n\r\n`, { refused: "502 bareCr" }],
  ["9112 §6.3 two lengths", `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, { refused: "502 lengthRepeated" }],
  ["9112 §6.3 two equal lengths", `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, {
    refused: "502 lengthRepeated",
  }],
  ...["", "+1", "-1", "1,1", "1, 2", "0x1", "1 1", "9007199254740992", "18446744073709551617"]
    .map((n): Row => [`9110 §8.6 Content-Length ${n || "empty"}`, `${OK}Content-Length: ${n}\r\n\r\n`, {
      refused: "502 contentLength",
    }]),
  ["9112 §6.1 unknown coding", `${OK}Transfer-Encoding: gzip\r\n\r\n`, { refused: "502 codingUnknown" }],
  ["9112 §6.1 coding list", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, { refused: "502 transferEncoding" }],
  ["9112 §6.1 two codings", `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, {
    refused: "502 transferEncoding",
  }],
  ["9112 §6.1 coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {
    refused: "502 codingInHttp10",
  }],
  ["large head", `${OK}X: ${"a".repeat(LIMITS.headBytes)}\r\n\r\n`, { refused: "502 headTooLarge" }],
  ["endless reason", `HTTP/1.1 200 ${"a".repeat(LIMITS.headBytes)}`, { refused: "502 headTooLarge" }],
  ["many fields", `${OK}${"X: 1\r\n".repeat(LIMITS.fields + 1)}\r\n`, { refused: "502 tooManyFields" }],
];

const unfinished: Row[] = [
  ["nothing yet", "", { more: true }],
  ["half a version", "HTT", { more: true }],
  ["half a status", "HTTP/1.1 20", { more: true }],
  ["status without line end", "HTTP/1.1 200", { more: true }],
  ["half a reason", "HTTP/1.1 200 O", { more: true }],
  ["half a line end", "HTTP/1.1 200 OK\r", { more: true }],
  ["no blank line", `${OK}X: 1\r\n`, { more: true }],
  ["half a blank line", `${OK}X: 1\r\n\r`, { more: true }],
];

for (const [name, message, wanted] of [...accepted, ...refused, ...unfinished]) {
  Deno.test(`parseResponse() ${name}`, () => {
    assertHas(sameForEveryCut(bytesOf(message), responseOutcome), wanted);
  });
}

for (const framing of ["Content-Length: 5", "Transfer-Encoding: chunked", "X: 1"]) {
  Deno.test(`parseResponse() 9112 §6.3 no body to HEAD, ${framing}`, () => {
    const outcome = sameForEveryCut(
      bytesOf(`${OK}${framing}\r\n\r\n`),
      (bytes, cuts) => responseOutcome(bytes, cuts, true),
    );
    assertHas(outcome, { body: 0, keepAlive: true, fields: [framing] });
  });
}
