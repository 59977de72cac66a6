import assert from "node:assert/strict";
import * as http from "../../../runtime/http/mod.ts";

const head = new http.ResponseHead();
const body = new http.BodyDecoder();

for (const status of [400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505]) {
  Deno.test(`canned() ${status} is a valid response in every variant`, () => {
    for (const close of [true, false]) {
      for (const toHead of [true, false]) {
        for (const clientMinor of [0, 1]) {
          const bytes = http.canned(status, { close, toHead, clientMinor });
          head.reset();
          const length = http.parseResponse(head, bytes, 0, bytes.length, toHead);
          assert.ok(length > 0, head.refusal?.reason);
          assert.equal(head.status, status);
          assert.equal(head.keepAlive, !close);
          body.begin(head.framing, head.contentLength, { of: "response", unchunk: false, most: 1000 });
          assert.equal(length + body.decode(bytes, length, bytes.length), bytes.length);
          assert.equal(body.state, http.BODY_DONE);
        }
      }
    }
  });
}

Deno.test("canned() 9110 §15.5.6 405 says what is allowed", () => {
  assert.match(http.textOf(http.canned(405, { close: true, toHead: true }), 0, 300), /\r\nAllow: GET, /);
});

Deno.test("canned() answers an unprepared status with 500", () => {
  assert.match(http.textOf(http.canned(299, { close: true, toHead: false }), 0, 12), /^HTTP\/1.1 500/);
});
