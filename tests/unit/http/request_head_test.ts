import { bytesOf, parseRequest, RequestHead } from "../../../runtime/http/mod.ts";
import { assertHas, LIMITS, type RequestOutcome, requestOutcome, sameForEveryCut } from "./feed.ts";

type Row = readonly [name: string, message: string, wanted: RequestOutcome];

const H = "Host: a.example\r\n";
const GET = `GET / HTTP/1.1\r\n${H}`;

const accepted: Row[] = [
  ["9112 §2.1 simple request", `${GET}\r\n`, { method: "GET", target: "/", host: "a.example", minor: 1, body: 0 }],
  ["9112 §2.2 leading empty line", `\r\n${GET}\r\n`, { method: "GET", consumed: 37 }],
  ["9112 §2.2 leading empty lines", `\r\n\r\n${GET}\r\n`, { method: "GET", consumed: 39 }],
  ["9112 §2.1 bytes behind the head stay", `${GET}\r\nGET /next`, { consumed: 35 }],
  ["9110 §9.1 unknown method", `BREW / HTTP/1.1\r\n${H}\r\n`, { method: "BREW" }],
  ["9110 §9.1 methods are case-sensitive", `get / HTTP/1.1\r\n${H}\r\n`, { method: "get" }],
  ["9110 §9.1 token octets in method", `M-SEARCH / HTTP/1.1\r\n${H}\r\n`, { method: "M-SEARCH" }],
  ["9110 §7.1 target untouched", `GET /a/../b//c/%2e%2E/?x=/../&y=%zz? HTTP/1.1\r\n${H}\r\n`, {
    target: "/a/../b//c/%2e%2E/?x=/../&y=%zz?",
    path: "/a/../b//c/%2e%2E/",
  }],
  ["9110 §7.1 empty query kept", `GET /a? HTTP/1.1\r\n${H}\r\n`, { target: "/a?", path: "/a" }],
  ["9112 §3.2.1 two slashes are a path", `GET //b.example/x HTTP/1.1\r\n${H}\r\n`, {
    path: "//b.example/x",
    host: "a.example",
  }],
  ["9112 §3.2.2 absolute-form", `GET http://a.example/x?y HTTP/1.1\r\n${H}\r\n`, { path: "/x", host: "a.example" }],
  ["9112 §3.2.2 absolute-form, other case", `GET HTTP://A.Example/x HTTP/1.1\r\n${H}\r\n`, { path: "/x" }],
  ["9112 §3.2.2 absolute-form, default port", `GET http://a.example:80/x HTTP/1.1\r\n${H}\r\n`, { path: "/x" }],
  ["9112 §3.2.2 absolute-form without path", `GET http://a.example HTTP/1.1\r\n${H}\r\n`, { path: "" }],
  ["9112 §3.2.2 absolute-form, query only", `GET http://a.example?q/ HTTP/1.1\r\n${H}\r\n`, { path: "" }],
  ["9112 §3.2.2 absolute-form, HTTP/1.0", "GET http://b.example/ HTTP/1.0\r\n\r\n", { host: "b.example" }],
  ["9112 §3.2.4 asterisk-form", `OPTIONS * HTTP/1.1\r\n${H}\r\n`, { target: "*", path: "" }],
  ["9110 §6.2 higher minor version", `GET / HTTP/1.9\r\n${H}\r\n`, { minor: 1 }],
  ["9112 §3.2 HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", { minor: 0, host: "", keepAlive: false }],
  ["9110 §7.2 case and port of Host", "GET / HTTP/1.1\r\nhOsT:A.Example:8080\r\n\r\n", { host: "A.Example:8080" }],
  ["9110 §7.2 empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", { host: "a:" }],
  ["9110 §7.2 underscore", "GET / HTTP/1.1\r\nHost: a_b\r\n\r\n", { host: "a_b" }],
  ["3986 §3.2.2 IPv6 literal", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", { host: "[2001:db8::1]:80" }],
  ["3986 §3.2.2 IPv4 in IPv6", "GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n\r\n", { host: "[::ffff:192.0.2.1]" }],
  ["9112 §5 empty value", `${GET}X:\r\n\r\n`, { fields: ["Host: a.example", "X: "] }],
  ["9112 §5 blanks around the value", `${GET}X: \t a b \t \r\n\r\n`, { fields: ["Host: a.example", "X: a b"] }],
  ["9112 §5 blank value", `${GET}X:  \t\r\n\r\n`, { fields: ["Host: a.example", "X: "] }],
  ["9110 §5.5 obs-text", `${GET}X: \u00e4\u00ff\u0080\r\n\r\n`, {
    fields: ["Host: a.example", "X: \u00e4\u00ff\u0080"],
  }],
  ["9110 §5.6.2 every token octet in a name", `${GET}!#$%&'*+-.^_\`|~0Az: 1\r\n\r\n`, {
    fields: ["Host: a.example", "!#$%&'*+-.^_`|~0Az: 1"],
  }],
  ["9110 §5.3 order and repetition", `${GET}B: 1\r\nA: 2\r\nB: 3\r\n\r\n`, {
    fields: ["Host: a.example", "B: 1", "A: 2", "B: 3"],
  }],
  ["9112 §6.2 Content-Length", `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`, { body: 1, length: 5 }],
  ["9112 §6.2 Content-Length 0", `POST / HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`, { body: 0, length: 0 }],
  ["9110 §8.6 leading zeros", `POST / HTTP/1.1\r\n${H}Content-Length: 0005\r\n\r\n`, { body: 1, length: 5 }],
  ["9110 §8.6 2^53-1", `POST / HTTP/1.1\r\n${H}Content-Length: 9007199254740991\r\n\r\n`, { length: 9007199254740991 }],
  ["9112 §6.3 body on GET", `${GET}Content-Length: 1\r\n\r\nx`, { body: 1, length: 1 }],
  ["9112 §6.3 no framing, no body", `POST / HTTP/1.1\r\n${H}\r\n`, { body: 0, length: -1 }],
  ["9112 §6.1 chunked", `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n`, { body: 2 }],
  ["9112 §7 coding names in any case", `POST / HTTP/1.1\r\n${H}transfer-encoding:  ChunKed \r\n\r\n`, { body: 2 }],
  ["9112 §9.3 keep-alive by default", `${GET}\r\n`, { keepAlive: true }],
  ["9112 §9.3 close", `${GET}Connection: close\r\n\r\n`, { keepAlive: false }],
  ["9112 §9.3 close in a list, any case", `${GET}Connection: foo , ,CLOSE\t,bar\r\n\r\n`, { keepAlive: false }],
  ["9112 §9.3 1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", { keepAlive: true }],
  ["9112 §9.3 close beats keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", { keepAlive: false }],
  ["9110 §10.1.1 Expect", `POST / HTTP/1.1\r\n${H}Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n`, {
    expectContinue: true,
  }],
  ["9110 §10.1.1 Expect in HTTP/1.0 is ignored", `GET / HTTP/1.0\r\nExpect: x\r\n\r\n`, { expectContinue: false }],
  ["9110 §7.8 Upgrade", `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, { upgrade: true }],
  ["9110 §7.8 Upgrade not nominated", `${GET}Upgrade: websocket\r\n\r\n`, { upgrade: false }],
  ["9110 §7.8 nominated, not there", `${GET}Connection: upgrade\r\n\r\n`, { upgrade: false }],
  ["9110 §7.8 two Upgrade fields", `${GET}Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n\r\n`, {
    upgrade: false,
  }],
  ["9110 §7.8 HTTP/1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", { upgrade: false }],
  ["9110 §7.8 with body", `${GET}Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 1\r\n\r\n`, { upgrade: false }],
  ["h2c smuggling", `${GET}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMA\r\n\r\n`, {
    upgrade: false,
  }],
  ["h2c smuggling in a list", `${GET}Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n`, { upgrade: false }],
];

const refused: Row[] = [
  ["9112 §3 space before the method", ` ${GET}\r\n`, { refused: "400 method" }],
  ["9112 §3 TLS ClientHello", "\x16\x03\x01\x02\x00\x01", { refused: "400 method" }],
  ["9112 §3 control in method", `G\x01T / HTTP/1.1\r\n${H}\r\n`, { refused: "400 method" }],
  ["9112 §3 tab instead of space", `GET\t/ HTTP/1.1\r\n${H}\r\n`, { refused: "400 method" }],
  ["9112 §3 method only", `GET\r\n${H}\r\n`, { refused: "400 method" }],
  ["9112 §3 two spaces", `GET  / HTTP/1.1\r\n${H}\r\n`, { refused: "400 requestLine" }],
  ["9112 §3.2 space in the target", `GET /a b HTTP/1.1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §3.2 tab in the target", `GET /a\tb HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 NUL in the target", `GET /a\0b HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 DEL in the target", `GET /a\x7fb HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 CR in the target", `GET /a\rb HTTP/1.1\r\n${H}\r\n`, { refused: "400 requestLine" }],
  ["9112 §3.2 LF in the target", `GET /a\nb HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 UTF-8 in the target", `GET /\u00c3\u00a4 HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 fragment", `GET /a#b HTTP/1.1\r\n${H}\r\n`, { refused: "400 target" }],
  ["9112 §3.2 neither path nor URI", `GET a HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2 other scheme", `GET ftp://a.example/ HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2 scheme without authority", `GET http:///x HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2 scheme alone", `GET http:// HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9110 §4.2.4 user information", `GET http://u@a.example/ HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2.3 authority-form", `GET a.example:80 HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2.4 asterisk with GET", `GET * HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9112 §3.2.4 asterisk and more", `OPTIONS *x HTTP/1.1\r\n${H}\r\n`, { refused: "400 targetForm" }],
  ["9110 §9.3.6 CONNECT", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n", { refused: "405 connect" }],
  ["9110 §9.3.8 TRACE", `TRACE / HTTP/1.1\r\n${H}\r\n`, { refused: "405 trace" }],
  ["9112 §3 HTTP/0.9", "GET /\r\n\r\n", { refused: "400 requestLine" }],
  ["9112 §3 HTTP/0.9 in writing", `GET / HTTP/0.9\r\n${H}\r\n`, { refused: "505 versionUnsupported" }],
  ["9112 §2.3 HTTP/2.0", `GET / HTTP/2.0\r\n${H}\r\n`, { refused: "505 versionUnsupported" }],
  ["9113 §3.4 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", { refused: "505 versionUnsupported" }],
  ["9112 §2.3 lower case", `GET / http/1.1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 no minor", `GET / HTTP/1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 two minor digits", `GET / HTTP/1.10\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 leading zero", `GET / HTTP/01.1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 sign", `GET / HTTP/+1.1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 comma", `GET / HTTP/1,1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.3 other protocol", `GET / ICE/1.1\r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §3 space behind the version", `GET / HTTP/1.1 \r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §3 empty version", `GET / \r\n${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.2 bare LF behind the request line", `GET / HTTP/1.1\n${H}\r\n`, { refused: "400 bareLf" }],
  ["9112 §2.2 bare CR behind the request line", `GET / HTTP/1.1\r${H}\r\n`, { refused: "400 version" }],
  ["9112 §2.2 bare LF before the request line", `\n${GET}\r\n`, { refused: "400 bareLf" }],
  ["9112 §2.2 bare CR before the request line", `\rG${GET}\r\n`, { refused: "400 bareCr" }],
  ["9112 §3.2 no Host", "GET / HTTP/1.1\r\n\r\n", { refused: "400 hostMissing" }],
  ["9112 §3.2 two Hosts", `${GET}${H}\r\n`, { refused: "400 hostRepeated" }],
  ["9112 §3.2 two Hosts, HTTP/1.0", `GET / HTTP/1.0\r\n${H}${H}\r\n`, { refused: "400 hostRepeated" }],
  ["9110 §7.2 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", { refused: "400 host" }],
  ["9110 §7.2 empty Host, HTTP/1.0", "GET / HTTP/1.0\r\nHost: \r\n\r\n", { refused: "400 host" }],
  ["9110 §7.2 port only", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", { refused: "400 host" }],
  ...[
    "a/b",
    "a#b",
    "a?b",
    "u@a",
    "a\\b",
    "a,b",
    "a[b",
    "a]",
    "a b",
    "a\tb",
    "a:b",
    "a:80:80",
    "a:65536",
    "a:-1",
    "a:+80",
  ]
    .concat([
      "a:8 0",
      "[::1",
      "[::1]x",
      "[::1]:x",
      "[1]",
      "[]",
      "[::g]",
      "[fe80::1%25eth0]",
      "[v1.x]",
      "a%",
      "a%2",
      "a%zz",
    ])
    .concat(['"a"', "<a>", "a\u00e4", "http://a", "a|b", "{a}", "a^b", "a`b"])
    .map((host): Row => [`9110 §7.2 Host ${host}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { refused: "400 host" }]),
  ["9112 §3.2.2 other host", `GET http://b.example/ HTTP/1.1\r\n${H}\r\n`, { refused: "400 hostMismatch" }],
  ["9112 §3.2.2 other port", `GET http://a.example:81/ HTTP/1.1\r\n${H}\r\n`, { refused: "400 hostMismatch" }],
  ["9112 §3.2.2 default port of https", `GET https://a.example:80/ HTTP/1.1\r\n${H}\r\n`, {
    refused: "400 hostMismatch",
  }],
  ["9112 §3.2.2 no Host", "GET http://a.example/ HTTP/1.1\r\n\r\n", { refused: "400 hostMissing" }],
  ["9112 §5.1 space before the colon", `${GET}X : 1\r\n\r\n`, { refused: "400 spaceBeforeColon" }],
  ["9112 §5.1 tab before the colon", `${GET}X\t: 1\r\n\r\n`, { refused: "400 spaceBeforeColon" }],
  ["CVE-2019-16276 space before the colon of framing", `${GET}Transfer-Encoding : chunked\r\n\r\n`, {
    refused: "400 spaceBeforeColon",
  }],
  ["9112 §5 empty name", `${GET}: 1\r\n\r\n`, { refused: "400 fieldName" }],
  ["9112 §5 no colon", `${GET}X\r\n\r\n`, { refused: "400 noColon" }],
  ["9112 §5 no colon but a space", `${GET}X 1\r\n\r\n`, { refused: "400 spaceBeforeColon" }],
  ...["(", ")", ",", "/", ";", "<", "=", ">", "?", "@", "[", "\\", "]", "{", "}", '"', "\0", "\x7f", "\u00e4", "\x0b"]
    .map((
      c,
    ): Row => [`9110 §5.6.2 ${JSON.stringify(c)} in a name`, `${GET}X${c}Y: 1\r\n\r\n`, { refused: "400 fieldName" }]),
  ["9112 §5.2 obs-fold", `${GET}X: 1\r\n 2\r\n\r\n`, { refused: "400 folded" }],
  ["9112 §5.2 obs-fold by tab", `${GET}X: 1\r\n\t2\r\n\r\n`, { refused: "400 folded" }],
  ["9112 §5.2 obs-fold of framing", `${GET}Transfer-Encoding:\r\n chunked\r\n\r\n`, {
    refused: "400 transferEncoding",
  }],
  ["9112 §2.2 first field indented", `GET / HTTP/1.1\r\n ${H}\r\n`, { refused: "400 folded" }],
  ["9112 §2.2 line of blanks", `${GET} \r\n\r\n`, { refused: "400 folded" }],
  ...["\0", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x7f"]
    .map((
      c,
    ): Row => [`9110 §5.5 ${JSON.stringify(c)} in a value`, `${GET}X: a${c}b\r\n\r\n`, { refused: "400 fieldValue" }]),
  ["9112 §2.2 bare CR in a value", `${GET}X: a\rb\r\n\r\n`, { refused: "400 bareCr" }],
  ["9112 §2.2 CR CR LF", `${GET}X: a\r\r\n\r\n`, { refused: "400 bareCr" }],
  ["9112 §2.2 bare LF behind a field", `${GET}X: a\nY: b\r\n\r\n`, { refused: "400 bareLf" }],
  ["9112 §2.2 bare LF as blank line", `${GET}\n`, { refused: "400 bareLf" }],
  ["9112 §2.2 CR without LF as blank line", `${GET}\rX: 1\r\n\r\n`, { refused: "400 bareCr" }],
  ["9112 §6.1 length and coding", `${GET}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, {
    refused: "400 lengthAndCoding",
  }],
  ["9112 §6.1 coding and length", `${GET}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, {
    refused: "400 lengthAndCoding",
  }],
  ["9112 §6.1 coding and length 0", `${GET}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n`, {
    refused: "400 lengthAndCoding",
  }],
  ["9112 §6.3 two lengths", `${GET}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, { refused: "400 lengthRepeated" }],
  ["9112 §6.3 two equal lengths", `${GET}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`, {
    refused: "400 lengthRepeated",
  }],
  ...["", "+5", "-5", "5,5", "5, 6", "5 5", "0x5", "5.0", "5e1", "five", "\u00b25", '"5"', "9007199254740992", "5;"]
    .concat(["18446744073709551616", "18446744073709551621", "99999999999999999999999999999999999999999"])
    .map((n): Row => [`9110 §8.6 Content-Length ${n || "empty"}`, `${GET}Content-Length: ${n}\r\n\r\n`, {
      refused: "400 contentLength",
    }]),
  ["9112 §6.1 two coding lines", `${GET}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, {
    refused: "400 transferEncoding",
  }],
  ["9112 §6.1 chunked and identity", `${GET}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`, {
    refused: "400 transferEncoding",
  }],
  ...[
    "chunked, chunked",
    "gzip, chunked",
    "chunked, gzip",
    ", chunked",
    "chunked,",
    '"chunked"',
    "chunked;q=1",
    "chunked; a",
    "",
  ]
    .concat(["chunked\u00ff", "x chunked", "chunked chunked", "'chunked',", "[chunked]"])
    .map((c): Row => [`9112 §6.1 Transfer-Encoding ${c || "empty"}`, `${GET}Transfer-Encoding: ${c}\r\n\r\n`, {
      refused: "400 transferEncoding",
    }]),
  ...["gzip", "identity", "xchunked", "chunkedx", "'chunked'", "cow"]
    .map((c): Row => [`9112 §6.1 Transfer-Encoding ${c}`, `${GET}Transfer-Encoding: ${c}\r\n\r\n`, {
      refused: "501 codingUnknown",
    }]),
  ["CVE-2020-28483 vertical tab", `${GET}Transfer-Encoding: \x0bchunked\r\n\r\n`, { refused: "400 fieldValue" }],
  ["9112 §6.1 coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", {
    refused: "400 codingInHttp10",
  }],
  ["9110 §10.1.1 other expectation", `${GET}Expect: 200-ok\r\n\r\n`, { refused: "417 expectation" }],
  ["9110 §10.1.1 expectation list", `${GET}Expect: 100-continue, x\r\n\r\n`, { refused: "417 expectation" }],
  ["9110 §10.1.1 two expectations", `${GET}Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n`, {
    refused: "417 expectation",
  }],
  ["9112 §3 long target", `GET /${"a".repeat(LIMITS.requestLineBytes)} HTTP/1.1\r\n${H}\r\n`, {
    refused: "414 targetTooLong",
  }],
  ["9112 §3 endless target", `GET /${"a".repeat(LIMITS.requestLineBytes)}`, { refused: "414 targetTooLong" }],
  ["9112 §3 endless method", "A".repeat(LIMITS.requestLineBytes + 1), { refused: "414 targetTooLong" }],
  ["6585 §5 long field", `${GET}X: ${"a".repeat(LIMITS.headBytes)}\r\n\r\n`, { refused: "431 headTooLarge" }],
  ["6585 §5 endless field", `${GET}X: ${"a".repeat(LIMITS.headBytes)}`, { refused: "431 headTooLarge" }],
  ["6585 §5 endless field name", `${GET}${"X".repeat(LIMITS.headBytes)}`, { refused: "431 headTooLarge" }],
  ["6585 §5 many short fields", `${GET}${"X: 1\r\n".repeat(LIMITS.fields)}\r\n`, { refused: "431 tooManyFields" }],
  ["6585 §5 endless empty lines", "\r\n".repeat(LIMITS.headBytes), { refused: "431 headTooLarge" }],
];

const unfinished: Row[] = [
  ["nothing yet", "", { more: true }],
  ["half an empty line", "\r", { more: true }],
  ["half a method", "GE", { more: true }],
  ["half a target", "GET /ab", { more: true }],
  ["half a version", "GET / HTTP/1.", { more: true }],
  ["wrong line not ended yet", "GET / HTTX", { more: true }],
  ["half a name", `${GET}Acc`, { more: true }],
  ["half a value", `${GET}Accept: te`, { more: true }],
  ["half a line end", `${GET}Accept: te\r`, { more: true }],
  ["half a blank line", `${GET}\r`, { more: true }],
];

for (const [name, message, wanted] of [...accepted, ...refused, ...unfinished]) {
  Deno.test(`parseRequest() ${name}`, () => {
    assertHas(sameForEveryCut(bytesOf(message), requestOutcome), wanted);
  });
}

Deno.test("parseRequest() 9112 §3 longest request line and head that fit", () => {
  const line = `GET /${"a".repeat(LIMITS.requestLineBytes - 16)} HTTP/1.1\r\n`;
  const rest = LIMITS.headBytes - line.length - H.length - "X: \r\n\r\n".length;
  const message = `${line}${H}X: ${"b".repeat(rest)}\r\n\r\n`;
  assertHas(sameForEveryCut(bytesOf(message), requestOutcome), { consumed: LIMITS.headBytes });
});

Deno.test("parseRequest() 9110 §9.3.8 TRACE where it is wanted", () => {
  const outcome = requestOutcome(bytesOf(`TRACE / HTTP/1.1\r\n${H}\r\n`), [], { ...LIMITS, trace: true });
  assertHas(outcome, { method: "TRACE" });
});

Deno.test("parseRequest() looks at bytes a bounded number of times when they come one by one", () => {
  // A quadratic rescan of 1 MB would take minutes; linear takes milliseconds. No clock is needed to tell.
  const limits = { headBytes: 1 << 20, requestLineBytes: 1 << 19, fields: 16 };
  const message = bytesOf(`GET /${"a".repeat(200_000)} HTTP/1.1\r\n${H}X: ${"b".repeat(200_000)}\r\n\r\n`);
  const cuts = Array.from({ length: message.length - 1 }, (_, i) => i + 1);
  assertHas(requestOutcome2(message, cuts, limits), { method: "GET" });
});

/** As `requestOutcome`, without copying the message for every cut. */
function requestOutcome2(bytes: Uint8Array, cuts: readonly number[], limits: typeof LIMITS): RequestOutcome {
  const head = new RequestHead();
  for (const cut of [...cuts, bytes.length]) {
    const answer = parseRequest(head, bytes, 0, cut, limits);
    if (answer !== 0) return answer < 0 ? { refused: head.refusal?.reason } : { method: head.methodText() };
  }
  return { more: true };
}
