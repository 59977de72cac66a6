/** Field lines, and fields that are meant for one hop. */

import assert from "node:assert/strict";
import { values } from "./message.ts";
import { answered, assertField, assertLacks, refused, refusedOr, relayed, type Row } from "./row.ts";

const G = "GET / HTTP/1.1\r\nHost: a\r\n";

/** Names and lines of fields, without those a proxy may add to tell who the client is. */
const own = (lines: readonly string[]) =>
  lines.filter((line) => !/^(x-forwarded-|x-real-ip|via|forwarded|connection:)/i.test(line))
    .map((line) => line.replace(/^([^:]+):\s*/, (_, name) => `${name.toLowerCase()}: `));

const noBareLf = (raw: string) => assert.ok(!/[^\r]\n/.test(raw), `a bare LF went on: ${JSON.stringify(raw)}`);

export const fieldRows: Row[] = [
  refused("9112 §5.1 space before the colon", `${G}X : 1\r\n\r\n`, 400),
  refused("9112 §5.1 tab before the colon", `${G}X\t: 1\r\n\r\n`, 400),
  refused("9112 §5.1 space before the colon of Content-Length", `${G}Content-Length : 5\r\n\r\nhello`, 400),
  refused("9112 §5 empty name", `${G}: 1\r\n\r\n`, 400),
  refused("9112 §5 no colon", `${G}X\r\n\r\n`, 400),
  ...["(", "@", "[", "{", '"', "/", "\u00e4", "\x01", "\x7f", " "].map((c) =>
    refused(`9110 §5.1 ${JSON.stringify(c)} in a name`, `${G}X${c}Y: 1\r\n\r\n`, 400)
  ),
  refused("9110 §5.5 NUL in a value", `${G}X: a\0b\r\n\r\n`, 400),
  refused("9110 §5.5 NUL at the end of a value", `${G}X: a\0\r\n\r\n`, 400),
  refused("9110 §5.5 NUL in a name", `${G}X\0: a\r\n\r\n`, 400),
  refused("9112 §2.2 bare CR in a value", `${G}X: a\rb\r\n\r\n`, 400),
  refused("9112 §2.2 bare CR that hides a field", `${G}X: a\rTransfer-Encoding: chunked\r\n\r\n`, 400),
  refusedOr("9112 §5.2 obs-fold", `${G}X: a\r\n b\r\n\r\n`, (request) => {
    assert.match(values(request, "x")[0], /^a +b$/);
    assert.ok(!request.raw.includes("\r\n "), "a fold went on");
  }),
  refusedOr("9112 §5.2 obs-fold by tab", `${G}X: a\r\n\tb\r\n\r\n`, (request) => {
    assert.match(values(request, "x")[0], /^a\s+b$/);
    assert.ok(!request.raw.includes("\r\n\t"), "a fold went on");
  }),
  refused("9112 §2.2 first field indented", "GET / HTTP/1.1\r\n Host: a\r\nX: 1\r\n\r\n", 400),
  refused(
    "9112 §2.2 first field indented, another Host behind",
    "GET / HTTP/1.1\r\n Host: evil\r\nHost: a\r\n\r\n",
    400,
  ),
  refusedOr("9112 §2.2 bare LF behind a field", `${G}X: 1\nY: 2\r\n\r\n`, (request) => noBareLf(request.raw)),
  refusedOr("9112 §2.2 bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", (request) => noBareLf(request.raw)),
  refusedOr(
    "9112 §2.2 bare LF behind the request line",
    `GET / HTTP/1.1\nHost: a\r\n\r\n`,
    (request) => noBareLf(request.raw),
  ),
  refused("6585 §5 one field of 128 kB", `${G}X: ${"a".repeat(131072)}\r\n\r\n`),
  refused("6585 §5 many fields, 1 MB in all", `${G}${`X-Field: ${"a".repeat(1000)}\r\n`.repeat(1000)}\r\n`),
  refused("6585 §5 5,000 short fields", `${G}${"X: 1\r\n".repeat(5000)}\r\n`),
  relayed("6585 §5 a head of 15 kB passes", `${G}${`X-Field: ${"a".repeat(140)}\r\n`.repeat(95)}\r\n`, (request) => {
    assert.equal(values(request, "x-field").length, 95);
  }),
  relayed("6265 §4.2 8 kB of cookies pass", `${G}Cookie: ${"c=0123456789; ".repeat(600)}d=1\r\n\r\n`, (request) => {
    assertField(request, "cookie", [`${"c=0123456789; ".repeat(600)}d=1`]);
  }),
  relayed("9110 §5.3 order and repetition", `${G}B: 1\r\nA: 2\r\nB: 3\r\nC: 4\r\n\r\n`, (request) => {
    assert.deepEqual(own(request.lines).filter((line) => !line.startsWith("host")), ["b: 1", "a: 2", "b: 3", "c: 4"]);
  }),
  relayed("9110 §5.3 Cookie lines are not joined by commas", `${G}Cookie: a=1\r\nCookie: b=2\r\n\r\n`, (request) => {
    assert.ok(values(request, "cookie").every((value) => !value.includes(",")), request.raw);
    assert.equal(values(request, "cookie").join("; "), "a=1; b=2");
  }),
  relayed(
    "9110 §5.5 obs-text passes",
    `${G}X: \u00e4\u00ff\r\n\r\n`,
    (request) => assertField(request, "x", ["\u00e4\u00ff"]),
  ),
  relayed("9110 §5.5 empty value passes", `${G}X:\r\nY: 1\r\n\r\n`, (request) => {
    assertField(request, "x", [""]);
    assertField(request, "y", ["1"]);
  }),
  relayed("9110 §7.6 nothing is injected", `${G}\r\n`, (request) => {
    assertLacks(
      request,
      "accept",
      "user-agent",
      "accept-encoding",
      "accept-language",
      "content-length",
      "transfer-encoding",
    );
  }),
  relayed("9110 §12.5.3 Accept-Encoding passes", `${G}Accept-Encoding: gzip;q=0.5, br, *;q=0\r\n\r\n`, (request) => {
    assertField(request, "accept-encoding", ["gzip;q=0.5, br, *;q=0"]);
  }),
  relayed("Authorization passes", `${G}Authorization: Basic YTpi\r\n\r\n`, (request) => {
    assertField(request, "authorization", ["Basic YTpi"]);
  }),
  relayed("forwardfor cannot be spoofed", `${G}X-Forwarded-For: 6.6.6.6\r\n\r\n`, (request) => {
    const all = values(request, "x-forwarded-for").join(", ").split(", ");
    assert.equal(all.at(-1), "127.0.0.1");
  }),
  relayed(
    "forwardfor is replaced, from whoever is not trusted",
    `${G}X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\r\n`,
    (request) => {
      assertField(request, "x-forwarded-for", ["127.0.0.1"]);
      assert.ok(!values(request, "x-forwarded-proto").includes("https"), request.raw);
      assert.ok(!values(request, "x-forwarded-host").includes("evil"), request.raw);
    },
  ),
  refusedOr("underscores that shadow a forwarding field", `${G}X_Forwarded_For: 6.6.6.6\r\n\r\n`, (request) => {
    assertLacks(request, "x_forwarded_for");
  }),
];

export const hopRows: Row[] = [
  relayed(
    "9110 §7.6.1 Connection and what it names",
    `${G}Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n`,
    (request) => {
      assertLacks(request, "x-hop");
      assertField(request, "x-end", ["2"]);
      assert.ok(!/x-hop/i.test(values(request, "connection").join()), request.raw);
    },
  ),
  relayed(
    "9110 §7.6.1 two Connection fields",
    `${G}Connection: X-One\r\nX-One: 1\r\nConnection: x-two\r\nX-TWO: 2\r\n\r\n`,
    (request) => {
      assertLacks(request, "x-one", "x-two");
    },
  ),
  relayed(
    "9110 §7.6.1 Host cannot be nominated",
    `${G}Connection: close, Host\r\n\r\n`,
    (request) => assertField(request, "host", ["a"]),
  ),
  relayed(
    "9110 §7.6.1 Content-Length cannot be nominated",
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello`,
    (request) => {
      assert.equal(request.body, "hello");
    },
  ),
  relayed(
    "CVE-2022-31813 X-Forwarded-For cannot be nominated",
    `${G}Connection: close, X-Forwarded-For\r\n\r\n`,
    (request) => {
      assert.equal(values(request, "x-forwarded-for").at(-1), "127.0.0.1");
    },
  ),
  relayed(
    "9110 §7.6.1 Keep-Alive and Proxy-Connection",
    `${G}Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\r\n`,
    (request) => {
      assertLacks(request, "keep-alive", "proxy-connection");
    },
  ),
  relayed("9110 §10.1.4 TE other than trailers", `${G}Connection: TE\r\nTE: gzip, deflate;q=0.5\r\n\r\n`, (request) => {
    assert.ok(!/gzip|deflate/.test(values(request, "te").join()), request.raw);
  }),
  relayed("9110 §7.8 Upgrade that Connection does not name", `${G}Upgrade: websocket\r\n\r\n`, (request) => {
    assertLacks(request, "upgrade");
  }),
  refusedOr(
    "9113 §3.1 h2c upgrade",
    `${G}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`,
    (request) => {
      assertLacks(request, "upgrade", "http2-settings");
      assert.ok(!/upgrade|http2/i.test(values(request, "connection").join()), request.raw);
    },
  ),
  refusedOr(
    "9113 §3.1 h2c upgrade without nominated settings",
    `${G}Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n`,
    (request) => {
      assertLacks(request, "upgrade", "http2-settings");
    },
  ),
  relayed("9112 §9.6 the client's close is not the origin's", `${G}Connection: close\r\n\r\n`, (request) => {
    assert.ok(!/close/i.test(values(request, "connection").join()), request.raw);
  }),
  answered(
    "9110 §7.6.1 hop-by-hop fields of a response",
    "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: x\r\nX-End: 1\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => {
      assertLacks(response, "x-hop", "keep-alive", "proxy-connection");
      assertField(response, "x-end", ["1"]);
      assertField(response, "content-length", ["2"]);
    },
  ),
  answered(
    "9112 §9.6 the origin's close is not the client's",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    async ({ response, wire }) => {
      assert.ok(!/close/i.test(values(response, "connection").join()), response.raw);
      assert.equal(await wire.end(200), false, "the client's connection was closed");
    },
    { close: true },
  ),
  answered(
    "9110 §7.8 unasked Upgrade of a response",
    "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => {
      assertLacks(response, "upgrade");
    },
  ),
  answered(
    "9110 §5.3 Set-Cookie lines are not merged",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => {
      assertField(response, "set-cookie", ["a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2"]);
    },
  ),
  answered(
    "9110 §5.3 order of a response's fields",
    "HTTP/1.1 200 OK\r\nB: 1\r\nA: 2\r\nB: 3\r\nContent-Length: 2\r\n\r\nok",
    ({ response }) => {
      assert.deepEqual(own(response.lines).filter((line) => /^[ab]:/.test(line)), ["b: 1", "a: 2", "b: 3"]);
    },
  ),
];
