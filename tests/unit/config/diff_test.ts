import assert from "node:assert/strict";
import { diff, isEmpty } from "../../../runtime/config/diff.ts";
import { configOf, fixture } from "./loading.ts";

const pair = fixture("pair.yaml");
const running = configOf(pair);

Deno.test("diff() keeps what did not change, whatever else of the file did", () => {
  const wanted = configOf(`# another text\n${pair}x-note: hello\n`);
  assert.notEqual(wanted.source.sha256, running.source.sha256);
  const plan = diff(running, wanted);
  assert.deepEqual([plan.vrrp.keep, plan.frontends.keep, plan.backends.keep], [["VI_1"], ["http-in"], [
    "backend_servers",
  ]]);
  assert.ok(isEmpty(plan));
});

Deno.test("diff() names the keys that changed in the words of the file", () => {
  const rows: readonly [string, string, string, readonly string[]][] = [
    ["priority: { dlp1: 101", "priority: { dlp1: 102", "vrrp", ["priority changed"]],
    ["advert_int: 1s", "advert_int: 2s", "vrrp", ["advert_int changed"]],
    ['"1111"', '"2222"', "vrrp", ["authentication.password changed"]],
    ['authentication: { type: pass, password: "1111" }', "", "vrrp", ["authentication removed"]],
    ["100/24]", "100/24]\n    track: { interfaces: [eth9] }", "vrrp", ["track.interfaces.eth9 added"]],
    ["100/24]", "100/24, 192.168.219.99/24]", "vrrp", ["virtual_addresses changed"]],
    ["mode: http", "maxconn: 5", "frontends", ["maxconn changed"]],
    ['"VI_1:80"', '"VI_1:81"', "frontends", ["bind changed"]],
    ["node02: 192.168.219.137:80", "node03: 192.168.219.137:80", "backends", [
      "servers.node02 removed",
      "servers.node03 added",
    ]],
    ["node02: 192.168.219.137:80", "node02: { address: 192.168.219.137:80, weight: 2 }", "backends", [
      "servers.node02.weight changed",
    ]],
    ["path: /", "path: /up", "backends", ["check.with.path changed"]],
    ["balance: roundrobin", "timeouts: { connect: 1s }", "backends", ["timeouts.connect changed"]],
  ];
  for (const [from, to, kind, wanted] of rows) {
    assert.ok(pair.includes(from), from);
    const plan = diff(running, configOf(pair.replace(from, to)));
    const [update] = plan[kind as "vrrp"].update;
    assert.deepEqual(update?.changes.map(({ key, how }) => `${key} ${how}`), wanted, to);
    const others = (["vrrp", "frontends", "backends"] as const).filter((one) => one !== kind);
    // The frontend's binds hold the addresses of the instance, so they follow it.
    const follows = from === "100/24]" && to.includes("99/24");
    for (const other of others) assert.equal(plan[other].keep.length, follows && other === "frontends" ? 0 : 1, to);
  }
});

Deno.test("diff() from nothing creates, to nothing removes", () => {
  const start = diff(null, running);
  assert.deepEqual([start.vrrp.create, start.frontends.create, start.backends.create], [["VI_1"], ["http-in"], [
    "backend_servers",
  ]]);
  const stop = diff(running, null);
  assert.deepEqual([stop.vrrp.remove, stop.frontends.remove, stop.backends.remove], [["VI_1"], ["http-in"], [
    "backend_servers",
  ]]);
});

Deno.test("diff() tells settings apart from objects", () => {
  const wanted = configOf(`${pair}proxy: { maxconn: 15000 }\nlog: { level: debug }\n`, { node: "dlp1" });
  const plan = diff(running, wanted);
  assert.deepEqual(plan.settings.map(({ key }) => key), ["proxy.maxconn", "log.level"]);
  assert.deepEqual(plan.frontends.update, []);
});
