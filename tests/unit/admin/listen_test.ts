import assert from "node:assert/strict";
import { listenAdmin } from "../../../runtime/admin/listen.ts";
import { freePort } from "../../support/free_port.ts";

const serve = () => new Response("here");

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
    await using listening = await listenAdmin({ bind, socket }, serve);
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
  await assert.rejects(listenAdmin({ bind: `127.0.0.1:${listener.addr.port}`, socket: null }, serve), {
    message:
      `Cannot listen on 127.0.0.1:${listener.addr.port} for the admin API: another program holds it, perhaps another Tandem node`,
  });
});

Deno.test("listenAdmin() goes without a socket that another node holds, unless there is nothing else", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const socket = `${directory}/admin.sock`;
    await using _other = await listenAdmin({ bind: null, socket }, serve);
    {
      await using second = await listenAdmin({ bind: `127.0.0.1:${freePort()}`, socket }, serve);
      assert.equal(second.at.length, 1);
      assert.match(second.missing[0], /another program holds it/);
    }
    await assert.rejects(listenAdmin({ bind: null, socket }, serve), /another program holds it/);
    assert.equal(await atSocket(socket), "here");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
