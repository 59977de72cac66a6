import assert from "node:assert/strict";
import { backend, configOf, problemsOf } from "./loading.ts";

Deno.test("load() reads every built-in checker in its short and its long form", () => {
  const rows: [string, string, Readonly<Record<string, unknown>>][] = [
    ["{}", "tcp", {}],
    ["{ port: 81 }", "tcp", { port: 81 }],
    ["{ type: http, path: /x, expect: { status: 204 } }", "http", { path: "/x", expect: { status: [204] } }],
    ["{ type: grpc }", "grpc", {}],
    ["{ type: grpc, service: shop.Cart, authority: shop.example }", "grpc", {
      service: "shop.Cart",
      authority: "shop.example",
    }],
    ["{ use: grpc, with: { port: 9090 } }", "grpc", { port: 9090 }],
    ["{ type: dns, name: example.org }", "dns", { name: "example.org" }],
    ["{ use: dns, with: { name: ., record: NS, recursion: false, expect: { rcode: REFUSED } } }", "dns", {
      name: ".",
      record: "NS",
      recursion: false,
      expect: { rcode: ["REFUSED"] },
    }],
    ["{ type: command, command: [/bin/true, a b] }", "command", { command: ["/bin/true", "a b"] }],
    ["{ type: command, command: [/bin/true], arguments: haproxy, timeout: 5s, interval: 10s }", "command", {
      command: ["/bin/true"],
      arguments: "haproxy",
    }],
  ];
  for (const [written, use, options] of rows) {
    const { check } = configOf(backend(`check: ${written}`)).backends[0];
    assert.deepEqual([check?.use, check?.with, check?.plugin], [use, options, null], written);
  }
});

Deno.test("load() says what is wrong with a check, and where", () => {
  const rows: [string, ...string[]][] = [
    ["{ type: dsn }", '5:20: check.type: must be tcp, http, grpc, dns or command, got "dsn"; did you mean dns?'],
    ["{ type: dns }", "5:12: check.name: is required"],
    ["{ use: dns }", "5:12: check.with: is required"],
    ["{ type: dns, name: a b }", '5:31: check.name: must be a domain name, or "." for the root, got "a b"'],
    [
      "{ type: dns, name: x, record: B }",
      '5:42: check.record: must be A, AAAA, CNAME, MX, NS, PTR, SOA, SRV or TXT, got "B"',
    ],
    [
      "{ type: dns, name: x, expect: { rcode: [] } }",
      "5:51: check.expect.rcode: must not be empty: a check expects something",
    ],
    [
      "{ type: grpc, path: /x }",
      "5:26: check.path: unknown key; there is type, port, service, authority, interval, fast_interval, timeout, rise, fall, initial",
    ],
    ["{ type: command }", "5:12: check.command: is required"],
    ["{ type: command, command: [] }", "5:38: check.command: must name a program"],
    ["{ type: command, command: ls -l }", '5:38: check.command: must be a list, got "ls -l"'],
  ];
  for (const [written, ...wanted] of rows) {
    const text = backend(`check: ${written}`);
    assert.deepEqual(problemsOf(text), wanted.map((line) => line.replace("check.", "backends.app.check.")), written);
  }
});

Deno.test("load() merges a server's check over the backend's where both are the same checker", () => {
  const text = `version: 1
backends:
  app:
    check: { type: command, command: [/bin/one], interval: 5s }
    servers:
      a: { address: 192.0.2.1:80, check: { command: [/bin/two] } }
      b: { address: 192.0.2.2:80, check: { type: dns, name: x } }
      c: 192.0.2.3:80
`;
  const [{ servers }] = configOf(text).backends;
  const checks = servers.map(({ check }) =>
    typeof check === "string" ? check : [check?.use, check?.with, check?.interval]
  );
  assert.deepEqual(checks, [["command", { command: ["/bin/two"] }, 5000], ["dns", { name: "x" }, 2000], "shared"]);
});
