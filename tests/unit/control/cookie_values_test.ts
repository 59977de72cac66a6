import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { stickinessOptions } from "../../../runtime/control/cookie_values.ts";
import type { BackendConfig } from "../../../runtime/config/model.ts";
import { backend, configOf } from "../config/loading.ts";

function backendWith(stickiness: string): BackendConfig {
  return configOf(backend("servers: { one: 192.0.2.1:80, two: 192.0.2.2:80 }", `stickiness: ${stickiness}`))
    .backends[0];
}

const cluster = { name: "edge", secret: "0123456789abcdef" };

function values(stickiness: string, of = cluster as { name: string; secret: string | null }) {
  const options = stickinessOptions(backendWith(stickiness), of);
  return options?.by === "cookie" ? options.values : null;
}

Deno.test("stickinessOptions() signs names with the key that both nodes have", () => {
  const wanted = createHmac("sha256", cluster.secret).update("tandem cookie\0app\0one").digest().subarray(0, 16);
  assert.equal(values("{ cookie: S }")?.one, wanted.toString("base64url"));
  assert.match(values("{ cookie: S }")?.two ?? "", /^[\w-]{22}$/);
  assert.notEqual(
    values("{ cookie: S }")?.one,
    values("{ cookie: S }", { ...cluster, secret: "fedcba9876543210" })?.one,
  );
  const keyless = { name: "edge", secret: null };
  assert.deepEqual(values("{ cookie: S }", keyless), values("{ cookie: S }", { ...keyless }));
  assert.notEqual(values("{ cookie: S }", keyless)?.one, values("{ cookie: S }", { name: "other", secret: null })?.one);
});

Deno.test("stickinessOptions() gives plain names, attributes, and nothing to hash by address", () => {
  assert.deepEqual(values("{ cookie: S, value: name }"), { one: "one", two: "two" });
  assert.deepEqual(stickinessOptions(backendWith("{ by: client_ip }"), cluster), { by: "client_ip" });
  const rows: readonly [string, string][] = [
    ["{ cookie: S }", "; Path=/; HttpOnly; SameSite=Lax"],
    ["{ cookie: S, path: /app, same_site: strict }", "; Path=/app; HttpOnly; SameSite=Strict"],
    ["{ cookie: S, same_site: none }", "; Path=/; HttpOnly; SameSite=None; Secure"],
  ];
  for (const [stickiness, attributes] of rows) {
    const options = stickinessOptions(backendWith(stickiness), cluster);
    assert.equal(options?.by === "cookie" && options.attributes, attributes);
  }
});
