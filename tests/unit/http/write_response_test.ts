import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";

const head = new http.ResponseHead();
const out = new Uint8Array(8192);
const lines = (...all: string[]) => all.map((line) => line + "\r\n").join("") + "\r\n";

interface Client {
  minor?: number;
  keepAlive?: boolean;
  toHead?: boolean;
  edits?: http.FieldEdits | null;
  append?: Uint8Array;
}

function rewritten(message: string, client: Client): string {
  const bytes = http.bytesOf("junk" + message);
  const { minor = 1, keepAlive = true, toHead = false } = client;
  head.reset();
  const length = http.parseResponse(head, bytes, 4, bytes.length, toHead);
  assert.ok(length > 0, `refused: ${head.refusal?.reason}`);
  const end = http.writeResponse(out, 3, out.length, head, {
    clientMinor: minor,
    close: http.endsConnection(head, minor, keepAlive),
    edits: client.edits ?? null,
    append: client.append ?? null,
  });
  return http.textOf(out, 3, end);
}

type Row = readonly [name: string, received: string[], sent: string[], client?: Client];
const OK = "HTTP/1.1 200 Fine with \u00e4";
const L = "Content-Length: 5";
const C = "Transfer-Encoding: chunked";
const OLD: Client = { minor: 0, keepAlive: false };
const OLD_KEEP: Client = { minor: 0 };

const rows: Row[] = [
  ["9110 §7.6 nothing is added or changed", [OK, "b: 1", L, "B:  2 "], [OK, "b: 1", L, "B:  2 "]],
  ["9112 §4 missing reason gets its space", ["HTTP/1.1 204"], ["HTTP/1.1 204 "]],
  ["9110 §5.3 Set-Cookie lines stay apart", [OK, L, "Set-Cookie: a", "Set-Cookie: b"], [
    OK,
    L,
    "Set-Cookie: a",
    "Set-Cookie: b",
  ]],
  ["9112 §2.3 own version", ["HTTP/1.0 200 OK", L], ["HTTP/1.1 200 OK", L]],
  ["9110 §7.6.1 hop-by-hop", [OK, "Connection: keep-alive, x", "Keep-Alive: timeout=5", "X: 1", L, "Upgrade: h2c"], [
    OK,
    L,
  ]],
  ["9110 §7.6.1 length cannot be nominated away", [OK, "Connection: content-length", L], [OK, L]],
  ["9112 §9.6 the origin's close is not the client's", [OK, "Connection: close", L], [OK, L]],
  ["9112 §9.6 the client's close", [OK, L], [OK, L, "Connection: close"], { keepAlive: false }],
  ["9112 §9.3 HTTP/1.0 that stays is told so", [OK, L], [OK, L, "Connection: keep-alive"], OLD_KEEP],
  ["9112 §9.3 HTTP/1.0 that closes", [OK, L], [OK, L, "Connection: close"], OLD],
  ["9112 §6.1 chunked", [OK, "transfer-encoding: CHUNKED", "X: 1"], [OK, "X: 1", C]],
  ["9112 §6.1 chunked to HTTP/1.0", [OK, C, "X: 1"], [OK, "X: 1", "Connection: close"], OLD_KEEP],
  ["9112 §6.3 coding beats length", [OK, L, C], [OK, C]],
  ["9112 §6.3 close-delimited", [OK, "X: 1"], [OK, "X: 1", "Connection: close"]],
  ["9110 §9.3.2 HEAD keeps length", [OK, L], [OK, L], { toHead: true }],
  ["9110 §9.3.2 HEAD keeps coding", [OK, C], [OK, C], { toHead: true }],
  ["9110 §9.3.2 HEAD without framing stays open", [OK, "X: 1"], [OK, "X: 1"], { toHead: true }],
  ["9110 §9.3.2 HEAD of HTTP/1.0", [OK, C], [OK, "Connection: keep-alive"], { toHead: true, minor: 0 }],
  ["9110 §15.4.5 304 keeps length", ["HTTP/1.1 304 N", L, "ETag: x"], ["HTTP/1.1 304 N", L, "ETag: x"]],
  ["9110 §8.6 204 loses length", ["HTTP/1.1 204 N", L, "ETag: x"], ["HTTP/1.1 204 N", "ETag: x"]],
  ["9112 §6.1 204 loses coding", ["HTTP/1.1 204 N", C], ["HTTP/1.1 204 N"]],
  ["8297 103", ["HTTP/1.1 103 Early Hints", "Link: </a>"], ["HTTP/1.1 103 Early Hints", "Link: </a>"], {
    keepAlive: false,
  }],
  ["9110 §15.2.2 101", [
    "HTTP/1.1 101 Switching Protocols",
    "connection: Upgrade",
    "upgrade: websocket",
    "Sec-WebSocket-Accept: x",
  ], ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "Sec-WebSocket-Accept: x", "Connection: Upgrade"]],
  ["9110 §15.5.22 426", ["HTTP/1.1 426 U", "Connection: Upgrade", "Upgrade: websocket", L], [
    "HTTP/1.1 426 U",
    "Upgrade: websocket",
    L,
    "Connection: Upgrade",
  ]],
  ["9110 §15.5.22 426 that closes", ["HTTP/1.1 426 U", "Connection: Upgrade", "Upgrade: websocket", L], [
    "HTTP/1.1 426 U",
    "Upgrade: websocket",
    L,
    "Connection: close, Upgrade",
  ], { keepAlive: false }],
  ["configured fields", [OK, L, "Server: x", "A: 1"], [OK, L, "A: 1", "A: 2", "B: 3"], {
    edits: http.compileEdits({ remove: ["server"], add: { A: "2", B: "3" } }),
  }],
  ["configured fields not on 103", ["HTTP/1.1 103 E"], ["HTTP/1.1 103 E"], {
    edits: http.compileEdits({ add: { A: "2" } }),
  }],
  [
    "configured fields and further lines on 101",
    [
      "HTTP/1.1 101 S",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Server: x",
    ],
    ["HTTP/1.1 101 S", "Upgrade: websocket", "Connection: Upgrade", "A: 2", "Set-Cookie: S=1"],
    {
      edits: http.compileEdits({ remove: ["server"], add: { A: "2" } }),
      append: http.bytesOf("Set-Cookie: S=1\r\n"),
    },
  ],
  ["further lines", [OK, L], [OK, L, "Set-Cookie: S=1"], { append: http.bytesOf("Set-Cookie: S=1\r\n") }],
];

for (const [name, received, sent, client] of rows) {
  Deno.test(`writeResponse() ${name}`, () => {
    assert.deepEqual(rewritten(lines(...received), client ?? {}).split("\r\n"), lines(...sent).split("\r\n"));
  });
}

Deno.test("writeResponse() 9112 §2.2 bare LF goes out as CRLF", () => {
  assert.equal(
    rewritten("HTTP/1.1 200 OK\nB: 1 \r\nConnection: x\nContent-Length: 5\n\r\n", {}),
    lines("HTTP/1.1 200 OK", "B: 1", "Content-Length: 5"),
  );
});

Deno.test("writeResponse() never writes behind the end it was given", () => {
  const bytes = http.bytesOf("HTTP/1.1 200 OK\nB: 1\n" + "A:\n".repeat(40) + "Transfer-Encoding: chunked\n\n");
  head.reset();
  http.parseResponse(head, bytes, 0, bytes.length, false);
  for (let size = 0; size < 800; size++) {
    const room = new Uint8Array(size + 64);
    const end = http.writeResponse(room, 0, size, head, { clientMinor: 1, close: true, edits: null, append: null });
    assert.ok(end <= size);
    assert.ok(room.subarray(size).every((octet) => octet === 0));
  }
});
