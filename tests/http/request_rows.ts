/** Request line, target and Host. */

import assert from "node:assert/strict";
import { readFinal, statusOf, values } from "./message.ts";
import { answering, OK } from "./origin.ts";
import { assertField, refused, refusedOr, relayed, type Row } from "./row.ts";

const H = "Host: a\r\n";

/** The target reaches the origin byte for byte. */
const verbatim = (target: string): Row =>
  relayed(`9110 §7.1 target ${target} is untouched`, `GET ${target} HTTP/1.1\r\n${H}\r\n`, (request) => {
    assert.equal(request.line, `GET ${target} HTTP/1.1`);
  });

/** Host reaches the origin byte for byte. */
const hostVerbatim = (host: string): Row =>
  relayed(`9110 §7.2 Host ${host} is untouched`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, (request) => {
    assertField(request, "host", [host]);
  });

const badHost = (host: string): Row =>
  refused(`9110 §7.2 Host ${JSON.stringify(host)}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

export const requestLineRows: Row[] = [
  refused("9112 §3.2 space in the target", `GET /a b HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 tab in the target", `GET /a\tb HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 NUL in the target", `GET /a\0b HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 control in the target", `GET /a\x01b HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 DEL in the target", `GET /a\x7fb HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 UTF-8 in the target", `GET /\u00c3\u00a4 HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 fragment in the target", `GET /a#b HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 bare CR in the target", `GET /a\rb HTTP/1.1\r\n${H}\r\n`, 400),
  refused("9112 §3.2 relative target", `GET a HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3.2.4 asterisk with GET", `GET * HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3.2.3 authority-form with GET", `GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n`),
  refused("9110 §9.3.6 CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
  refused("9110 §9.3.6 CONNECT with a path", `CONNECT / HTTP/1.1\r\n${H}\r\n`),
  refused("9110 §9.3.8 TRACE", `TRACE / HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3 HTTP/0.9", "GET /\r\n\r\n"),
  refused("9112 §3 two spaces", `GET  / HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3 tab as separator", `GET\t/\tHTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3 space before the method", ` GET / HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §3 trailing space", `GET / HTTP/1.1 \r\n${H}\r\n`),
  refused("9110 §9.1 bad octet in the method", `G(T / HTTP/1.1\r\n${H}\r\n`),
  refused("9112 §2.3 lower-case version", `GET / http/1.1\r\n${H}\r\n`),
  refused("9112 §2.3 HTTP/2.0 on the line", `GET / HTTP/2.0\r\n${H}\r\n`),
  refused("9112 §2.3 HTTP/3.1 on the line", `GET / HTTP/3.1\r\n${H}\r\n`),
  refused("9112 §2.3 HTTP/0.9 on the line", `GET / HTTP/0.9\r\n${H}\r\n`),
  refused("9112 §2.3 two minor digits", `GET / HTTP/1.10\r\n${H}\r\n`),
  refused("9112 §2.3 no minor", `GET / HTTP/1\r\n${H}\r\n`),
  refused("9112 §2.3 leading zero", `GET / HTTP/01.1\r\n${H}\r\n`),
  refused("9112 §2.3 other protocol", `GET / ICY/1.1\r\n${H}\r\n`),
  refused("9112 §2.3 garbage behind the version", `GET / HTTP/1.1x\r\n${H}\r\n`),
  refused("9110 §15.5.15 64 kB target", `GET /${"a".repeat(65536)} HTTP/1.1\r\n${H}\r\n`, 414, 400, 431),
  refused(
    "TLS ClientHello on a plain port",
    "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + "\x01".repeat(80) + "\r\n\r\n",
  ),
  refused("9113 §3.4 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  relayed("9112 §2.2 leading empty line is ignored", `\r\nGET / HTTP/1.1\r\n${H}\r\n`, (request) => {
    assert.equal(request.line, "GET / HTTP/1.1");
  }),
  relayed("9112 §3.2.4 OPTIONS *", `OPTIONS * HTTP/1.1\r\n${H}\r\n`, (request) => {
    assert.equal(request.line, "OPTIONS * HTTP/1.1");
  }),
  relayed("9110 §7.6.2 OPTIONS has one hop less", `OPTIONS / HTTP/1.1\r\n${H}Max-Forwards: 5\r\n\r\n`, (request) => {
    assertField(request, "max-forwards", ["4"]);
  }),
  {
    name: "9110 §7.6.2 OPTIONS without hops left is answered here, and the connection goes on",
    async play({ origin, client }) {
      await origin.become(answering(OK));
      const wire = await client();
      await wire.send(`OPTIONS /a HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\n`);
      const response = await readFinal(wire);
      assert.ok(response !== null && statusOf(response) === 200, response?.line);
      assert.equal(values(response, "allow").length, 1);
      assert.deepEqual(values(response, "content-length"), ["0"]);
      await wire.send(`GET /b HTTP/1.1\r\n${H}\r\n`);
      assert.ok(await readFinal(wire) !== null, "no second response");
      assert.deepEqual(origin.requests.map(({ line }) => line), ["GET /b HTTP/1.1"]);
    },
  },
  relayed("9110 §9.1 unknown method passes", `BREW /pot HTTP/1.1\r\n${H}\r\n`, (request) => {
    assert.equal(request.line, "BREW /pot HTTP/1.1");
  }),
  relayed("9112 §2.3 own version towards the origin", `GET / HTTP/1.0\r\n${H}\r\n`, (request) => {
    assert.match(request.line, /^GET \/ HTTP\/1\.[01]$/);
  }),
  verbatim("/a/../b"),
  verbatim("/./a"),
  verbatim("//a//b"),
  verbatim("/%61%2F%2e%2e"),
  verbatim("/%zz%"),
  verbatim("/a?"),
  verbatim("/a?b=c&d=%20+?/../"),
  verbatim("/?"),
  verbatim("/a;b=c/d"),
  verbatim("/~!$&'()*+,;=:@-._"),
  verbatim('/"<>\\^`{|}'),
  verbatim(`/${"long/".repeat(1000)}`),
  refusedOr("9112 §3.2.2 absolute-form with another Host", `GET http://b/x HTTP/1.1\r\n${H}\r\n`, (request) => {
    assertField(request, "host", ["b"]);
  }),
  relayed("9112 §3.2.2 absolute-form with its Host", `GET http://a/x?y HTTP/1.1\r\n${H}\r\n`, (request) => {
    assert.match(request.line, /^GET (http:\/\/a)?\/x\?y HTTP\/1\.1$/);
    assertField(request, "host", ["a"]);
  }),
  refused("9110 §4.2.4 user information in absolute-form", `GET http://u:p@a/ HTTP/1.1\r\n${H}\r\n`),
];

export const hostRows: Row[] = [
  refused("9112 §3.2 HTTP/1.1 without Host", "GET / HTTP/1.1\r\n\r\n", 400),
  refused("9112 §3.2 two Hosts", `GET / HTTP/1.1\r\n${H}Host: b\r\n\r\n`, 400),
  refused("9112 §3.2 two equal Hosts", `GET / HTTP/1.1\r\n${H}${H}\r\n`, 400),
  refused("9110 §7.2 empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
  ...["a/b", "a#b", "a?b", "u@a", "a\\b", "a,b", "a[b", "a b", "a:b", "a:65536", "a:80:80", "[::1", "[::1]x", "a\tb"]
    .map(badHost),
  ...["A.Example", "a.example:8080", "a_b.example", "[2001:db8::1]:80", "192.0.2.1", "xn--4ca.example", "a.example."]
    .map(hostVerbatim),
  relayed("9112 §3.2 HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", (request) => {
    assert.ok(request.line.endsWith("/1.0") || request.lines.some((line) => /^host:/i.test(line)), request.raw);
  }),
];
