import assert from "node:assert/strict";
import { listenAdmin } from "../../../runtime/admin/listen.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { freePort } from "../../support/free_port.ts";

const serve = () => new Response("here");
const lines: string[] = [];
const log = createLogger({ role: "test", format: "json", write: (line) => void lines.push(line) });

async function atSocket(path: string): Promise<string> {
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  return await (await fetch("http://tandem/", { client })).text();
}

Deno.test("listenAdmin() serves a port and a socket, past the socket of a crashed run", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const socket = `${directory}/deep/admin.sock`;
    const bind = `127.0.0.1:${freePort()}`;
    await Deno.mkdir(`${directory}/deep`);
    // A listener that is closed leaves its file.
    Deno.listen({ transport: "unix", path: socket }).close();
    await using listening = await listenAdmin({ bind, socket }, serve, log);
    assert.deepEqual(listening.at, [`http://${bind}`, `unix:${socket}`]);
    assert.equal(await (await fetch(`http://${bind}/`)).text(), "here");
    assert.equal(await atSocket(socket), "here");
    assert.equal(((await Deno.stat(socket)).mode ?? 0) & 0o777, 0o660);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("listenAdmin() says in one sentence that a port is taken", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assert.rejects(listenAdmin({ bind: `127.0.0.1:${listener.addr.port}`, socket: null }, serve, log), {
    message:
      `Cannot listen on 127.0.0.1:${listener.addr.port} for the admin API: another program holds it, perhaps another Tandem node`,
  });
});

Deno.test("listenAdmin() goes without a socket that another node holds, unless there is nothing else", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const socket = `${directory}/admin.sock`;
    await using _other = await listenAdmin({ bind: null, socket }, serve, log);
    {
      await using second = await listenAdmin({ bind: `127.0.0.1:${freePort()}`, socket }, serve, log);
      assert.equal(second.at.length, 1);
      assert.match(second.missing[0], /another program holds it/);
    }
    await assert.rejects(listenAdmin({ bind: null, socket }, serve, log), /another program holds it/);
    assert.equal(await atSocket(socket), "here");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("listenAdmin() tells how a request came, and answers a fault without internals, which go to the log", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const socket = `${directory}/admin.sock`;
    const bind = `127.0.0.1:${freePort()}`;
    await using _listening = await listenAdmin({ bind, socket }, (request, { transport }) => {
      if (request.method === "POST") throw new Error("the inside");
      return new Response(transport);
    }, log);
    assert.equal(await (await fetch(`http://${bind}/`)).text(), "tcp");
    assert.equal(await atSocket(socket), "unix");
    const fault = await fetch(`http://${bind}/`, { method: "POST" });
    assert.equal(fault.status, 500);
    assert.equal(await fault.text(), '{"error":"This is a fault in Tandem; its log says more"}');
    assert.match(JSON.parse(lines.pop() ?? "").error, /^Error: the inside\n/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
