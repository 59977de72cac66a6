import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";
import { sameForEveryCut } from "./feed.ts";

interface Outcome {
  state: "more" | "done" | string;
  /** All that is passed on. */
  out?: string;
  /** Octets of the body, framing included. */
  consumed?: number;
  payload?: number;
}

const REQUEST: http.BodyOptions = { of: "request", unchunk: false, most: 1000 };
const RESPONSE: http.BodyOptions = { of: "response", unchunk: false, most: 1000 };
const UNCHUNK: http.BodyOptions = { of: "response", unchunk: true, most: 1000 };

const shared = new http.BodyDecoder();

function decode(framing: http.Framing, length: number, options: http.BodyOptions) {
  return (bytes: Uint8Array, cuts: readonly number[]): Outcome => {
    shared.begin(framing, length, options);
    let out = "";
    let consumed = 0;
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      const buffer = new Uint8Array(cut - from + 6).fill(0x41);
      buffer.set(bytes.subarray(from, cut), 3);
      const used = shared.decode(buffer, 3, 3 + cut - from);
      assert.ok(shared.outEnd <= 3 + used || shared.state === http.BODY_REFUSED);
      assert.ok(buffer.subarray(3 + cut - from).every((octet) => octet === 0x41), "wrote behind its range");
      out += http.textOf(buffer, 3, shared.outEnd);
      consumed += used;
      from = cut;
      if (shared.state !== http.BODY_MORE) break;
    }
    if (shared.state === http.BODY_REFUSED) return { state: `${shared.refusal?.status} ${shared.refusal?.reason}` };
    if (shared.state === http.BODY_DONE) out += http.textOf(shared.tail, 0, shared.tailEnd);
    return { state: shared.state === http.BODY_DONE ? "done" : "more", out, consumed, payload: shared.payload };
  };
}

type Row = readonly [name: string, message: string, wanted: Outcome, options?: http.BodyOptions];

const BIG = "a".repeat(300);

const chunked: Row[] = [
  ["9112 §7.1 empty body", "0\r\n\r\n", { state: "done", out: "0\r\n\r\n", payload: 0 }],
  ["9112 §7.1 chunks pass as they are cut", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", {
    state: "done",
    out: "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    payload: 6,
  }],
  ["9112 §7.1 hexadecimal in both cases", `12C\r\n${BIG}\r\n12c\r\n${BIG}\r\n0\r\n\r\n`, {
    state: "done",
    payload: 600,
  }],
  ["9112 §7.1 leading zeros", "0005\r\nhello\r\n000\r\n\r\n", { state: "done", out: "0005\r\nhello\r\n000\r\n\r\n" }],
  ["9112 §7.1 the next message stays", "0\r\n\r\nGET /", { state: "done", out: "0\r\n\r\n", consumed: 5 }],
  ["9112 §7.1 data may look like framing", "7\r\n0\r\n\r\nGE\r\n0\r\n\r\n", { state: "done", payload: 7 }],
  ["9112 §7.1.1 extension dropped", "5;a=b;c\r\nhello\r\n0;last\r\n\r\n", {
    state: "done",
    out: "5\r\nhello\r\n0\r\n\r\n",
    consumed: 26,
  }],
  ["9112 §7.1.1 blanks around the extension", "5 \t; a = b\r\nhello\r\n0\r\n\r\n", {
    state: "done",
    out: "5\r\nhello\r\n0\r\n\r\n",
  }],
  ["9112 §7.1.1 quoted semicolon and escape", '5;a="x;\\"y"\r\nhello\r\n0\r\n\r\n', {
    state: "done",
    out: "5\r\nhello\r\n0\r\n\r\n",
  }],
  ["9112 §7.1.2 trailers pass", "0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", {
    state: "done",
    out: "0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
  }],
  ...["Content-Length: 5", "Transfer-Encoding: chunked", "Host: x", "Authorization: x", "Cookie: a", "Set-Cookie: a"]
    .concat([
      "X-Forwarded-For: 1",
      "x_forwarded_for: 1",
      "Forwarded: for=1",
      "Connection: close",
      "Trailer: x",
      "TE: x",
    ])
    .concat(["Content-Type: a/b", "Content-Encoding: gzip", "Range: x", "Expect: 100-continue", "content_length: 5"])
    .map((line): Row => [`9110 §6.5.1 trailer ${line} dropped`, `0\r\n${line}\r\nX: 1\r\n\r\n`, {
      state: "done",
      out: "0\r\nX: 1\r\n\r\n",
    }]),
  ["9110 §6.5.1 only trailer dropped", "0\r\nHost: x\r\n\r\nGET", { state: "done", out: "0\r\n\r\n", consumed: 14 }],
  [
    "9112 §7.1 unchunked for HTTP/1.0",
    "5;x\r\nhello\r\n1\r\n!\r\n0\r\nX: 1\r\n\r\n",
    { state: "done", out: "hello!" },
    UNCHUNK,
  ],
  ["9112 §7.1 blanks behind the size from an old origin", "5  \r\nhello\r\n0 \r\n\r\n", {
    state: "done",
    out: "5\r\nhello\r\n0\r\n\r\n",
  }, RESPONSE],
  ["9112 §7.1 blanks behind the size from a client", "5 \r\nhello\r\n0\r\n\r\n", { state: "400 chunkExtension" }],
  ["9112 §7.1 no size", "\r\nhello\r\n", { state: "400 chunkSize" }],
  ["9112 §7.1 extension without size", ";a\r\n", { state: "400 chunkSize" }],
  ...["0x5", "+5", "-5", "5,", "5.", "g", "5h", " 5", "\t5", "_", "5_0", "\u00b25", "\0", "5\0"]
    .map((size): Row => [`9112 §7.1 chunk size ${JSON.stringify(size)}`, `${size}\r\nhello\r\n0\r\n\r\n`, {
      state: "400 chunkSize",
    }]),
  ["9112 §7.1 two sizes", "5 5\r\nhello\r\n", { state: "400 chunkSize" }],
  ["9112 §7.1 17 digits", "00000000000000005\r\nhello\r\n", { state: "400 chunkSize" }],
  ["9112 §7.1 size of 2^53", "20000000000000\r\n", { state: "400 chunkSize" }],
  ["9112 §7.1 size of 2^64", "10000000000000000\r\n", { state: "400 chunkSize" }],
  ["9112 §7.1 size that wraps to 5", "100000005\r\nhello\r\n", { state: "413 bodyTooLarge" }],
  ["9112 §2.2 bare LF behind the size", "5\nhello\r\n", { state: "400 bareLf" }],
  ["9112 §2.2 bare LF behind the extension", "5;a\nhello\r\n", { state: "400 bareLf" }],
  ["9112 §2.2 bare CR behind the size", "5\rhello\r\n", { state: "400 bareCr" }],
  ["9112 §2.2 bare CR in the extension", "5;a\rb\r\nhello\r\n", { state: "400 bareCr" }],
  ["9112 §2.2 CR CR LF behind the size", "5\r\r\nhello\r\n", { state: "400 bareCr" }],
  ["CVE-2025-55315 LF inside an extension hides a chunk", "2;\nxx\r\n2a\r\n0\r\n\r\n", { state: "400 bareLf" }],
  ["9112 §7.1.1 quoted CRLF", '5;a="\r\nhello"\r\n0\r\n\r\n', { state: "400 chunkExtension" }],
  ["9112 §7.1.1 escaped CRLF", '5;a="\\\r\nhello"\r\n0\r\n\r\n', { state: "400 chunkExtension" }],
  ["9112 §7.1.1 NUL in the extension", "5;a\0\r\nhello\r\n", { state: "400 chunkExtension" }],
  ["CVE-2024-22019 endless extension", `5;${"a".repeat(2000)}`, { state: "400 chunkExtension" }],
  ["9112 §7.1 data longer than its size", "5\r\nhello!\r\n0\r\n\r\n", { state: "400 chunkEnd" }],
  ["9112 §7.1 LF behind data", "5\r\nhello\n0\r\n\r\n", { state: "400 chunkEnd" }],
  ["9112 §7.1 CR behind data", "5\r\nhello\r0\r\n\r\n", { state: "400 chunkEnd" }],
  ["9112 §7.1 nothing behind data", "5\r\nhello0\r\n\r\n", { state: "400 chunkEnd" }],
  ["9112 §2.2 bare LF behind the last chunk", "0\n\r\n", { state: "400 bareLf" }],
  ["9112 §2.2 bare LF as end", "0\r\n\n", { state: "400 bareLf" }],
  ["9112 §2.2 bare CR as end", "0\r\n\rX", { state: "400 bareCr" }],
  ["9112 §7.1.2 trailer without colon", "0\r\nX\r\n\r\n", { state: "400 trailer" }],
  ["9112 §7.1.2 trailer folded", "0\r\nX: 1\r\n y\r\n\r\n", { state: "400 trailer" }],
  ["9112 §7.1.2 space before the colon", "0\r\nX : 1\r\n\r\n", { state: "400 trailer" }],
  ["9112 §7.1.2 NUL in a trailer", "0\r\nX: a\0\r\n\r\n", { state: "400 trailer" }],
  ["9112 §2.2 bare LF in trailers", "0\r\nX: 1\nY: 2\r\n\r\n", { state: "400 bareLf" }],
  ["9112 §2.2 bare CR in trailers", "0\r\nX: 1\rY: 2\r\n\r\n", { state: "400 bareCr" }],
  ["9112 §7.1.2 a request instead of trailers", "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", { state: "400 trailer" }],
  ["9112 §7.1.2 endless trailers", `0\r\n${"X: 1\r\n".repeat(2000)}\r\n`, { state: "400 trailer" }],
  ["9112 §7.1 larger than allowed", `3E9\r\n`, { state: "413 bodyTooLarge" }],
  ["9112 §7.1 larger than allowed in sum", `12C\r\n${BIG}\r\n12C\r\n${BIG}\r\n12C\r\n${BIG}\r\n12C\r\n`, {
    state: "413 bodyTooLarge",
  }],
  ["9112 §7.1 faults of an origin", "5\r\nhello!\r\n", { state: "502 chunkEnd" }, RESPONSE],
  ["9112 §8 cut in a size", "5", { state: "more", out: "5" }],
  ["9112 §8 cut in data", "5\r\nhel", { state: "more", out: "5\r\nhel", payload: 3 }],
  ["9112 §8 cut before the last chunk", "5\r\nhello\r\n", { state: "more", payload: 5 }],
  ["9112 §8 cut before the end", "5\r\nhello\r\n0\r\n", { state: "more", payload: 5 }],
  ["9112 §8 cut in the end", "0\r\n\r", { state: "more", out: "0\r\n\r" }],
];

for (const [name, message, wanted, options] of chunked) {
  Deno.test(`BodyDecoder ${name}`, () => {
    const outcome = sameForEveryCut(http.bytesOf(message), decode(http.BY_CHUNKS, http.NONE, options ?? REQUEST));
    assert.deepEqual({ ...outcome, ...wanted }, outcome);
  });
}

const others: readonly (readonly [string, http.Framing, number, string, Outcome])[] = [
  ["9112 §6.2 whole", http.BY_LENGTH, 5, "hello", { state: "done", out: "hello", consumed: 5, payload: 5 }],
  ["9112 §6.2 the next message stays", http.BY_LENGTH, 5, "helloGET", { state: "done", out: "hello", consumed: 5 }],
  ["9112 §6.2 cut", http.BY_LENGTH, 5, "hell", { state: "more", out: "hell" }],
  ["9112 §6.2 length 0", http.BY_LENGTH, 0, "GET", { state: "done", out: "", consumed: 0 }],
  ["9112 §6.2 too long", http.BY_LENGTH, 1001, "x", { state: "413 bodyTooLarge" }],
  ["9112 §6.3 none", http.NO_BODY, http.NONE, "GET", { state: "done", out: "", consumed: 0 }],
  ["9112 §6.3 until close", http.BY_CLOSE, http.NONE, "hello", { state: "more", out: "hello" }],
];

for (const [name, framing, length, message, wanted] of others) {
  Deno.test(`BodyDecoder ${name}`, () => {
    const outcome = sameForEveryCut(http.bytesOf(message), decode(framing, length, REQUEST));
    assert.deepEqual({ ...outcome, ...wanted }, outcome);
  });
}

const ends: readonly (readonly [string, http.Framing, number, string, boolean])[] = [
  ["9112 §8 close ends a close-delimited body", http.BY_CLOSE, http.NONE, "hel", true],
  ["9112 §8 close inside a body by length", http.BY_LENGTH, 5, "hel", false],
  ["9112 §8 close inside a chunked body", http.BY_CHUNKS, http.NONE, "5\r\nhello\r\n0\r\n", false],
  ["9112 §8 close behind a body", http.BY_LENGTH, 3, "hel", true],
];

for (const [name, framing, length, message, complete] of ends) {
  Deno.test(`BodyDecoder.endOfStream() ${name}`, () => {
    const bytes = http.bytesOf(message);
    shared.begin(framing, length, REQUEST);
    shared.decode(bytes, 0, bytes.length);
    assert.equal(shared.endOfStream(), complete);
  });
}
