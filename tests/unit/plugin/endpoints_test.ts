import assert from "node:assert/strict";
import { endpointSecrets, nothingGranted } from "../../../runtime/plugin/grants.ts";
import {
  type Endpoint,
  forbiddenAddresses,
  isForbidden,
  requestEndpoint,
  targetHeaders,
  targetUrl,
} from "../../../runtime/plugin/endpoints.ts";

const urls: [base: string, path: string, url: string][] = [
  ["https://h.example/x", "", "https://h.example/x"],
  ["https://h.example/x", "/y", "https://h.example/x/y"],
  ["https://h.example/x/", "/y", "https://h.example/x/y"],
  ["https://h.example/x?k=1", "/y", "https://h.example/x/y?k=1"],
  ["https://h.example/x?k=1", "?a=b", "https://h.example/x?a=b"],
  ["https://h.example", "/y?a=b", "https://h.example/y?a=b"],
  ["https://h.example/x", "//evil.example/", "https://h.example/x//evil.example/"],
];
for (const [base, path, url] of urls) {
  Deno.test(`targetUrl() of ${base} and "${path}"`, () => assert.equal(targetUrl(base, path).href, url));
}
for (
  const path of [
    "/../y",
    "/..",
    "/a/../../y",
    "/%2e%2e/y",
    "@evil.example/",
    "https://evil.example/",
    "/a b",
    "/a\r\nx: y",
    "/\\..\\..\\y",
  ]
) {
  Deno.test(`targetUrl() refuses ${JSON.stringify(path)}`, () => {
    assert.throws(() => targetUrl("https://h.example/x", path), { name: "EndpointRefused" });
  });
}

const endpoint: Endpoint = {
  url: "https://h.example",
  headers: { authorization: "Bearer t" },
  signature: null,
  unsafe: false,
};
const request = { endpoint: "hook", method: "POST", path: "", headers: [], body: new TextEncoder().encode("body") };

Deno.test("targetHeaders() lets a plugin replace nothing of the operator's, and nothing of the connection", () => {
  const headers = [["Authorization", "mine"], ["Host", "evil"], ["Content-Length", "1"], ["X-A", "b"]] as const;
  assert.deepEqual(targetHeaders(endpoint, { ...request, headers }), [
    ["authorization", "Bearer t"],
    ["content-length", "4"],
    ["x-a", "b"],
  ]);
});
Deno.test("targetHeaders() signs the body", () => {
  // RFC 4231 test case 2.
  const signed = { ...endpoint, headers: {}, signature: { header: "X-Signature", secret: "Jefe" } };
  const body = new TextEncoder().encode("what do ya want for nothing?");
  assert.deepEqual(targetHeaders(signed, { ...request, body })[1], [
    "x-signature",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ]);
});
Deno.test("targetHeaders() refuses a header that would be two", () => {
  assert.throws(() => targetHeaders(endpoint, { ...request, headers: [["x-a", "b\r\nc: d"]] }), TypeError);
});

const addresses: [address: string, forbidden: boolean][] = [
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["169.254.169.254", true],
  ["0.0.0.0", true],
  ["224.0.0.18", true],
  ["::1", true],
  ["::", true],
  ["::ffff:127.0.0.1", true],
  ["fe80::1", true],
  ["fd00:ec2::254", true],
  ["10.0.0.2", true],
  ["10.0.0.3", false],
  ["192.0.2.1", false],
  ["2001:db8::1", false],
];
for (const [address, forbidden] of addresses) {
  Deno.test(`isForbidden() of ${address} is ${forbidden}`, () => {
    assert.equal(isForbidden(forbiddenAddresses({ unsafe: false }, { forbidden: ["10.0.0.2"] }), address), forbidden);
  });
}

Deno.test("requestEndpoint() sends, signs, and follows no redirect", async () => {
  const seen: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (incoming) => {
    const { pathname, search } = new URL(incoming.url);
    seen.push(
      `${incoming.method} ${pathname}${search} ${incoming.headers.get("authorization")} ${await incoming.text()}`,
    );
    return new Response("moved", {
      status: 307,
      headers: { location: "http://127.0.0.1:1/elsewhere", "set-cookie": "a=b" },
    });
  });
  const url = `http://127.0.0.1:${server.addr.port}/base`;
  const response = await requestEndpoint(
    { hook: { ...endpoint, url, unsafe: true } },
    { ...request, path: "/v1?a=b" },
    { forbidden: [] },
  );
  assert.deepEqual(seen, ["POST /base/v1?a=b Bearer t body"]);
  assert.equal(response.status, 307);
  assert.equal(new TextDecoder().decode(response.body), "moved");
  assert.ok(!response.headers.some(([name]) => name === "set-cookie"));
});

const refusals: [name: string, url: string, forbidden: string[], message: RegExp][] = [
  ["a literal loopback address", "http://127.0.0.1:1/", [], /Address 127\.0\.0\.1 is reached only under net_unsafe/],
  ["a bracketed one", "http://[::1]:1/", [], /Address ::1 is reached only under net_unsafe/],
  ["an address in disguise", "http://2130706433:1/", [], /127\.0\.0\.1/],
  [
    "a name that resolves to loopback",
    "http://localhost:1/",
    [],
    /"localhost" is at (127\.0\.0\.1|::1), reached only under net_unsafe/,
  ],
  ["a peer", "http://192.0.2.7:1/", ["192.0.2.7"], /Address 192\.0\.2\.7/],
];
for (const [name, url, forbidden, message] of refusals) {
  Deno.test(`requestEndpoint() does not reach ${name}`, async () => {
    await assert.rejects(requestEndpoint({ hook: { ...endpoint, url } }, request, { forbidden }), message);
  });
}
Deno.test("requestEndpoint() knows granted names only", async () => {
  await assert.rejects(
    requestEndpoint({ hook: endpoint }, { ...request, endpoint: "toString" }, { forbidden: [] }),
    /"toString" is not granted; there is hook/,
  );
});
Deno.test("requestEndpoint() gives up on an endpoint that does not answer", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  await assert.rejects(
    requestEndpoint({ hook: { ...endpoint, url, unsafe: true } }, request, { forbidden: [], timeout: 50 }),
    /within 50 ms/,
  );
  (await accepted).close();
});

Deno.test("endpointSecrets() is all that an endpoint could answer with, and no address", () => {
  const endpoints = {
    hook: {
      url: "https://a.example/",
      headers: { authorization: "Bearer abc" },
      signature: { header: "x-s", secret: "k" },
    },
    plain: { url: "https://b.example/" },
    // Only what is written as a secret is one, and what proves who we are; a level is not.
    level: { url: "https://u:p%40ss@c.example/", headers: { "x-level": "info", "x-key-id": "one", "X-API-Key": "k2" } },
    named: { url: "https://d.example/", headers: { "x-level": "info", room: "r" }, secretHeaders: ["room"] },
  };
  assert.deepEqual(endpointSecrets({ ...nothingGranted, endpoints }), ["Bearer abc", "abc", "k", "k2", "p@ss", "r"]);
});
