/** PROXY protocol in haproxy.cfg: of binds, and of servers, where Tandem has it for a whole backend. */
import assert from "node:assert/strict";
import { importConfiguration } from "../../../runtime/config/import.ts";

Deno.test("importConfiguration() carries accept-proxy, and send-proxy where all servers of a backend agree", () => {
  const rows: readonly [bind: string, servers: readonly string[], wanted: readonly RegExp[], left: number][] = [
    ["accept-proxy", [""], [/bind: \{ address: 192\.0\.2\.9:80, proxy_protocol: true \}/], 0],
    ["", ["send-proxy", "send-proxy"], [/bind: 192\.0\.2\.9:80\n/, /send_proxy: v1/, /two/], 0],
    ["", ["send-proxy-v2 proxy-v2-options crc32c"], [/send_proxy: v2/], 1],
    ["", ["send-proxy", "send-proxy-v2"], [/send_proxy: v1/, /servers: \{ one: [^,]+ \}/], 1],
    ["", ["send-proxy", ""], [/send_proxy: v1/, /servers: \{ one: [^,]+ \}/], 1],
  ];
  for (const [bind, servers, wanted, left] of rows) {
    const lines = servers.map((words, i) => `  server ${["one", "two"][i]} 192.0.2.${i + 1}:80 ${words}`);
    const text =
      `frontend in\n  mode http\n  bind 192.0.2.9:80 ${bind}\n  default_backend web\nbackend web\n  mode http\n${
        lines.join("\n")
      }\n`;
    const imported = importConfiguration({ keepalived: [], haproxy: { file: "haproxy.cfg", text } });
    assert.ok("yaml" in imported);
    for (const pattern of wanted) assert.match(imported.yaml, pattern, text);
    assert.equal(imported.leftovers.length, left, text);
  }
});
