import assert from "node:assert/strict";
import { relay } from "../../../runtime/demo/relay.ts";
import { freePort } from "../../support/free_port.ts";

Deno.test("relay() passes requests on to a Unix socket, also one that appears later", async () => {
  const directory = await Deno.makeTempDir();
  const [port, path] = [freePort(), `${directory}/node.sock`];
  try {
    using _relay = relay(port, path);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`), "nobody behind it yet");
    const server = Deno.serve({ path, onListen: () => {} }, (request) => new Response(new URL(request.url).pathname));
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: "close" } });
    assert.equal(await response.text(), "/healthz");
    await server.shutdown();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("relay() says which address is taken", () => {
  using holder = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.throws(() => relay(holder.addr.port, "/nowhere.sock"), {
    message: new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${holder.addr.port}: .*(in use|EADDRINUSE)`),
  });
});
