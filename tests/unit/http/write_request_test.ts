import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";

const PLAIN: http.RequestRewrite = {
  client: null,
  scheme: http.HTTP,
  trusted: false,
  target: null,
  host: http.bytesOf("192.0.2.80:80"),
  close: false,
  tunnel: true,
  edits: null,
  append: null,
};
const FORWARD: Partial<http.RequestRewrite> = { client: http.bytesOf("198.51.100.7") };
const TRUSTED: Partial<http.RequestRewrite> = { ...FORWARD, trusted: true };

const head = new http.RequestHead();
const out = new Uint8Array(8192);

function rewritten(message: string, rewrite: Partial<http.RequestRewrite>): string {
  const bytes = http.bytesOf("junk" + message);
  head.reset();
  const length = http.parseRequest(head, bytes, 4, bytes.length);
  assert.ok(length > 0, `refused: ${head.refusal?.reason}`);
  const end = http.writeRequest(out, 7, out.length, head, { ...PLAIN, ...rewrite });
  return http.textOf(out, 7, end);
}

/** Head lines without CRLF, blank line left out. */
const lines = (...all: string[]) => all.map((line) => line + "\r\n").join("") + "\r\n";

type Row = readonly [name: string, received: string[], sent: string[], rewrite?: Partial<http.RequestRewrite>];
const G = "GET /a/../b?c= HTTP/1.1";
const H = "Host: A.example:80";

const rows: Row[] = [
  ["9110 §7.6 nothing is added or changed", [G, H, "b: 1", "A:2", "B:  3 "], [G, H, "b: 1", "A:2", "B:  3 "]],
  ["9110 §5.3 Cookie lines stay apart", [G, H, "Cookie: a", "Cookie: b"], [G, H, "Cookie: a", "Cookie: b"]],
  ["9112 §2.3 own version", ["GET / HTTP/1.0", H], ["GET / HTTP/1.1", H]],
  ["9112 §2.3 higher minor", ["GET / HTTP/1.7", H], ["GET / HTTP/1.1", H]],
  ["9112 §2.2 leading empty line dropped", ["", G, H], [G, H]],
  ["9112 §3.2 Host for HTTP/1.0", ["GET / HTTP/1.0"], ["GET / HTTP/1.1", "Host: 192.0.2.80:80"]],
  ["9112 §3.2.2 Host from an absolute target", ["GET http://x.example/ HTTP/1.0"], [
    "GET http://x.example/ HTTP/1.1",
    "Host: x.example",
  ]],
  [
    "9110 §7.6.1 Connection and what it names",
    [G, H, "Connection: X-One, x-two", "X-ONE: 1", "X-Two: 2", "X-Three: 3"],
    [
      G,
      H,
      "X-Three: 3",
    ],
  ],
  ["9110 §7.6.2 OPTIONS with hops left", ["OPTIONS * HTTP/1.1", H, "MAX-forwards: 10", "A: 1"], [
    "OPTIONS * HTTP/1.1",
    H,
    "A: 1",
    "Max-Forwards: 9",
  ]],
  ["9110 §7.6.2 beside configured fields", ["OPTIONS / HTTP/1.1", H, "Max-Forwards: 1", "A: 1"], [
    "OPTIONS / HTTP/1.1",
    H,
    "B: 1",
    "Max-Forwards: 0",
  ], { edits: http.compileEdits({ remove: ["a"], add: { B: "1" } }) }],
  ["9110 §7.6.2 no number is left to the origin", ["OPTIONS / HTTP/1.1", H, "Max-Forwards: -1"], [
    "OPTIONS / HTTP/1.1",
    H,
    "Max-Forwards: -1",
  ]],
  ["9110 §7.6.2 other methods do not count", [G, H, "Max-Forwards: 3"], [G, H, "Max-Forwards: 3"]],
  ["9110 §7.6.1 two Connection fields", [G, H, "Connection: x-one", "X-One: 1", "Connection: x-two", "X-Two: 2"], [
    G,
    H,
  ]],
  ["9110 §7.6.1 Host, length and forwarding stay", [
    "POST / HTTP/1.1",
    "Connection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Proto",
    H,
    "X-Forwarded-For: 1",
    "Content-Length: 0",
  ], ["POST / HTTP/1.1", H, "X-Forwarded-For: 1", "Content-Length: 0"]],
  ["CVE-2022-31813 forwarding cannot be nominated away", [G, H, "Connection: x-forwarded-for, x-forwarded-host"], [
    G,
    H,
    "X-Forwarded-For: 198.51.100.7",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: A.example:80",
  ], FORWARD],
  ["9110 §7.6.1 hop-by-hop", [
    G,
    "Connection: keep-alive",
    "Keep-Alive: timeout=5",
    H,
    "Proxy-Connection: close",
    "TE: gzip",
    "Upgrade: websocket",
    "HTTP2-Settings: x",
  ], [G, H]],
  ["9112 §9.6 close is not imposed on the origin", [G, H, "Connection: close"], [G, H]],
  ["9112 §9.6 close of our own", [G, H], [G, H, "Connection: close"], { close: true }],
  ["9110 §10.1.4 TE: trailers passes, nominated", [G, H, "TE: trailers, deflate;q=0.5", "Connection: TE"], [
    G,
    H,
    "TE: trailers",
    "Connection: TE",
  ]],
  [
    "9110 §7.8 upgrade offered",
    [G, H, "connection: upgrade, x", "upgrade: websocket", "X: 1", "Sec-WebSocket-Key: k"],
    [
      G,
      H,
      "upgrade: websocket",
      "Sec-WebSocket-Key: k",
      "Connection: Upgrade",
    ],
  ],
  ["9110 §7.8 upgrade not offered on this route", [G, H, "Connection: upgrade", "Upgrade: websocket"], [G, H], {
    tunnel: false,
  }],
  ["9113 §3.1 h2c never offered", [G, H, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"], [
    G,
    H,
  ]],
  ["9112 §6.1 coding written by us", ["POST / HTTP/1.1", H, "transfer-encoding:\tCHUNKED", "X: 1"], [
    "POST / HTTP/1.1",
    H,
    "X: 1",
    "Transfer-Encoding: chunked",
  ]],
  ["9112 §6.2 length verbatim", ["POST / HTTP/1.1", "Content-Length: 05", H], [
    "POST / HTTP/1.1",
    "Content-Length: 05",
    H,
  ]],
  ["9110 §10.1.1 Expect passes", ["POST / HTTP/1.1", H, "Expect: 100-continue", "Content-Length: 1"], [
    "POST / HTTP/1.1",
    H,
    "Expect: 100-continue",
    "Content-Length: 1",
  ]],
  ["9110 §10.1.1 Expect of HTTP/1.0 does not", ["POST / HTTP/1.0", H, "Expect: 100-continue", "Content-Length: 1"], [
    "POST / HTTP/1.1",
    H,
    "Content-Length: 1",
  ]],
  ["forwardfor off leaves the client's", [G, H, "X-Forwarded-For: 1", "Forwarded: for=1"], [
    G,
    H,
    "X-Forwarded-For: 1",
    "Forwarded: for=1",
  ]],
  [
    "forwardfor replaces the client's",
    [
      G,
      "x-forwarded-for: 6.6.6.6",
      "X-FORWARDED-PROTO: https",
      H,
      "X-Forwarded-Host: evil",
      "X-Forwarded-For: 6.6.6.7",
      "Forwarded: for=6.6.6.6",
      "X: 1",
    ],
    [G, H, "X: 1", "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: A.example:80"],
    FORWARD,
  ],
  ["forwardfor of a trusted proxy appends", [
    G,
    H,
    "X-Forwarded-For: 203.0.113.9, 10.0.0.1",
    "X-Forwarded-For:",
    "X-Forwarded-For: 10.0.0.2",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
  ], [
    G,
    H,
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-For: 203.0.113.9, 10.0.0.1, 10.0.0.2, 198.51.100.7",
  ], TRUSTED],
  ["forwardfor of a trusted proxy that says nothing", [G, H], [
    G,
    H,
    "X-Forwarded-For: 198.51.100.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: A.example:80",
  ], { ...TRUSTED, scheme: http.HTTPS }],
  ["forwardfor without a host", ["GET / HTTP/1.0"], [
    "GET / HTTP/1.1",
    "Host: 192.0.2.80:80",
    "X-Forwarded-For: 198.51.100.7",
    "X-Forwarded-Proto: http",
  ], FORWARD],
  ["underscores that shadow fields of ours", [
    G,
    H,
    "X_Forwarded_For: 6.6.6.6",
    "x-forwarded_proto: https",
    "Content_Length: 5",
    "Transfer_Encoding: chunked",
    "my_field: 1",
  ], [G, H, "my_field: 1"]],
  ["rewritten target", [G, H], ["GET /v2/x HTTP/1.1", H], { target: http.bytesOf("/v2/x") }],
  ["configured fields", [G, H, "X-A: 1", "x_a: 2", "X-B: 3", "x-c: 4"], [G, H, "X-B: 3", "X-A: new", "X-B: more"], {
    edits: http.compileEdits({ set: { "X-A": "new" }, add: { "X-B": "more" }, remove: ["X-C"] }),
  }],
  ["configured Host", [G, H], [G, "Host: other"], { edits: http.compileEdits({ set: { Host: "other" } }) }],
  ["further lines", [G, H], [G, H, "X-Request-Id: 7"], { append: http.bytesOf("X-Request-Id: 7\r\n") }],
];

for (const [name, received, sent, rewrite] of rows) {
  Deno.test(`writeRequest() ${name}`, () => {
    assert.deepEqual(rewritten(lines(...received), rewrite ?? {}).split("\r\n"), lines(...sent).split("\r\n"));
  });
}

Deno.test("writeRequest() answers DOES_NOT_FIT and writes nothing", () => {
  const bytes = http.bytesOf(lines(G, H, `X: ${"x".repeat(500)}`));
  head.reset();
  http.parseRequest(head, bytes, 0, bytes.length);
  const small = new Uint8Array(400);
  assert.equal(http.writeRequest(small, 0, small.length, head, PLAIN), http.DOES_NOT_FIT);
  assert.ok(small.every((octet) => octet === 0));
});

Deno.test("writeRequest() never writes behind the end it was given", () => {
  const message = lines(G, H, "TE: trailers", "Transfer-Encoding: chunked", "X-Forwarded-For: 203.0.113.9", "X: 1");
  const bytes = http.bytesOf(message);
  head.reset();
  http.parseRequest(head, bytes, 0, bytes.length);
  const rewrite = { ...PLAIN, ...TRUSTED, close: true, append: http.bytesOf("A: b\r\n") };
  for (let size = 0; size < 1000; size++) {
    const room = new Uint8Array(size + 64);
    const end = http.writeRequest(room, 0, size, head, rewrite);
    assert.ok(end <= size);
    assert.ok(room.subarray(size).every((octet) => octet === 0));
  }
});
