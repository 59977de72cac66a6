/** Cost of one head, for profiling runtime/http: deno bench -A tests/bench/http_head_bench.ts */

import * as http from "../../runtime/http/mod.ts";

const SMALL = http.bytesOf(
  "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n",
);
const BROWSER = http.bytesOf(
  "GET /shop/articles/4711?ref=home&lang=de HTTP/1.1\r\nHost: shop.example\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
    "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
    "Referer: https://shop.example/\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n" +
    "Cookie: session=0123456789abcdef0123456789abcdef; consent=1; theme=dark; _ga=GA1.2.123456789.1234567890\r\n" +
    "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n\r\n",
);
const RESPONSE = http.bytesOf(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 09:00:00 GMT\r\nContent-Type: text/html\r\n" +
    'Content-Length: 12\r\nLast-Modified: Sun, 22 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nETag: "6741"\r\n' +
    "Accept-Ranges: bytes\r\n\r\nHello world\n",
);
const CHUNKS = http.bytesOf("400\r\n" + "a".repeat(1024) + "\r\n0\r\n\r\n");

const request = new http.RequestHead();
const response = new http.ResponseHead();
const body = new http.BodyDecoder();
const out = new Uint8Array(16384);
const rewrite: http.RequestRewrite = {
  client: http.bytesOf("198.51.100.7"),
  scheme: http.HTTP,
  trusted: false,
  target: null,
  host: http.bytesOf("192.0.2.80:80"),
  close: false,
  tunnel: true,
  edits: null,
  append: null,
};
const toClient: http.ResponseRewrite = { clientMinor: 1, close: false, edits: null, append: null };
const bodyOptions: http.BodyOptions = { of: "response", unchunk: false, most: 1e9 };

function parse(bytes: Uint8Array): number {
  request.reset();
  return http.parseRequest(request, bytes, 0, bytes.length);
}

for (const [name, bytes] of [["small", SMALL], ["browser", BROWSER]] as const) {
  Deno.bench(`request, ${name}: parse`, () => void parse(bytes));
  Deno.bench(`request, ${name}: parse and write`, () => {
    parse(bytes);
    http.writeRequest(out, 0, out.length, request, rewrite);
  });
}

Deno.bench("response: parse", () => {
  response.reset();
  http.parseResponse(response, RESPONSE, 0, RESPONSE.length, false);
});
Deno.bench("response: parse and write", () => {
  response.reset();
  http.parseResponse(response, RESPONSE, 0, RESPONSE.length, false);
  http.writeResponse(out, 0, out.length, response, toClient);
});
Deno.bench("body: one chunk of 1 KiB", () => {
  body.begin(http.BY_CHUNKS, http.NONE, bodyOptions);
  body.decode(CHUNKS, 0, CHUNKS.length);
});
