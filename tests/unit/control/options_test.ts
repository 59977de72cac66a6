import assert from "node:assert/strict";
import { proxyOptions } from "../../../runtime/control/proxy_options.ts";
import { masterDownInterval, vouchedInstances, vrrpOptions } from "../../../runtime/control/vrrp_options.ts";
import { instanceStatus } from "./fake_roles.ts";
import { config, pairText } from "./pair_config.ts";

Deno.test("vrrpOptions() tells the ports that are served on the addresses", () => {
  const text = pairText.replace(
    "backends:",
    '  tls: { bind: "192.0.2.100:443", default_backend: web }\n  all: { bind: ":8080", default_backend: web }\n  own: { bind: "192.0.2.1:9000", default_backend: web }\nbackends:',
  );
  assert.deepEqual(vrrpOptions(config(text))[0].ports, [80, 443, 8080]);
});

Deno.test("vrrpOptions() gives each node its priority", () => {
  assert.deepEqual(["dlp1", "dlp2"].map((node) => vrrpOptions(config(pairText, node))[0].priority), [101, 100]);
});

Deno.test("masterDownInterval() follows RFC 3768 and RFC 9568 §6.1", () => {
  const rows: [2 | 3, number, number, number][] = [
    [2, 1000, 100, 3609.375],
    [2, 1000, 200, 3218.75],
    [2, 1000, 254, 3007.8125],
    [3, 100, 100, 360.9375],
    [3, 100, 254, 300.78125],
    [3, 10, 100, 36.09375],
  ];
  for (const [version, advertInterval, priority, expected] of rows) {
    assert.equal(masterDownInterval({ version, advertInterval, priority }), expected);
  }
});

Deno.test("vouchedInstances() vouches for who was active and cannot have been succeeded", () => {
  const instances = vrrpOptions(config());
  const active = [instanceStatus(instances[0], "active")];
  const rows: [string, Parameters<typeof vouchedInstances>[1], number, string[]][] = [
    ["died a moment ago", active, 100, ["VI_1"]],
    ["died a master-down interval ago", active, 3606, []],
    ["was backup", [instanceStatus(instances[0], "backup")], 100, []],
    ["was in fault", [instanceStatus(instances[0], "fault")], 100, []],
    ["was never heard", [], 100, []],
  ];
  for (const [name, last, silent, expected] of rows) {
    assert.deepEqual(vouchedInstances(instances, last, silent), expected, name);
  }
});

Deno.test("proxyOptions() resolves threads and hands the rest on", () => {
  const options = proxyOptions(config(), 4);
  assert.equal(options.threads, 4);
  assert.deepEqual(options.frontends[0].binds, [{ address: "192.0.2.100", port: 80 }]);
  assert.deepEqual(options.backends[0].servers.map(({ name, weight }) => [name, weight]), [["a", 1], ["b", 2]]);
  assert.equal(proxyOptions(config(pairText + "proxy: { threads: 3 }\n"), 4).threads, 3);
});
