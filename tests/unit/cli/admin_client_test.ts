import assert from "node:assert/strict";
import { endpointsOf } from "../../../runtime/cli/admin_client.ts";
import { commands } from "../../../runtime/cli/commands.ts";
import { CommandError } from "../../../runtime/cli/exit.ts";

Deno.test("endpointsOf() finds the node by --admin, else TANDEM_ADMIN, else the configuration", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/tandem.yaml`;
  const head = "version: 1\nnodes: { n1: { address: 192.0.2.1 } }\n";
  const rows: [string, string | null, { admin?: string; node?: string }, string[]][] = [
    ["URL", null, { admin: "http://h:1" }, ["http://h:1"]],
    ["host and port", null, { admin: "h:1" }, ["http://h:1"]],
    ["unix", null, { admin: "unix:/a" }, ["unix:/a"]],
    ["path", null, { admin: "/a" }, ["unix:/a"]],
    ["defaults of a configuration", "", {}, ["http://127.0.0.1:9700", "unix:/run/tandem/admin.sock"]],
    ["address only", 'admin: { bind: "127.0.0.1:9", socket: null }', {}, ["http://127.0.0.1:9"]],
    ["socket only", "admin: { bind: null, socket: /a }", {}, ["unix:/a"]],
  ];
  const before = Deno.env.get("TANDEM_ADMIN");
  try {
    Deno.env.delete("TANDEM_ADMIN");
    for (const [name, admin, reach, expected] of rows) {
      if (admin !== null) await Deno.writeTextFile(file, `${head}${admin}\n`);
      const config = admin === null ? {} : { config: file, node: "n1" };
      assert.deepEqual(await endpointsOf({ ...config, ...reach }), expected, name);
    }
    await Deno.writeTextFile(file, "version: 1\nnodes: { n1: {}, n2: {} }\n");
    assert.deepEqual(await endpointsOf({ config: file }), ["http://127.0.0.1:9700", "unix:/run/tandem/admin.sock"]);
    await Deno.writeTextFile(file, "version: 1\nnodes: { n1: {}, n2: { admin: { bind: '127.0.0.1:9' } } }\n");
    await assert.rejects(endpointsOf({ config: file }), /listen at different places: name one with --node or --admin/);
    Deno.env.set("TANDEM_ADMIN", "http://env:1");
    assert.deepEqual(await endpointsOf({ config: file }), ["http://env:1"]);
  } finally {
    if (before === undefined) Deno.env.delete("TANDEM_ADMIN");
    else Deno.env.set("TANDEM_ADMIN", before);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("no command takes the yes of something that is not a Tandem node", async () => {
  await using other = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({ hello: 1 }),
  );
  const at = `http://127.0.0.1:${other.addr.port}`;
  const orders = [
    ["drain", "b/a"],
    ["maint", "b/a"],
    ["ready", "b/a"],
    ["weight", "b/a", "3"],
    ["reload"],
    ["failover", "VI_1"],
    ["failover", "--all", "--wait"],
    ["failback", "VI_1"],
    ["failback", "--all"],
    ["status"],
    ["status", "--json"],
    ["events"],
    ["logs"],
    ["plugin", "list"],
    ["plugin", "reset", "x"],
  ];
  for (const [name, ...args] of orders) {
    const { run } = await commands.find((one) => one.name === name)!.load();
    await assert.rejects(run([...args, "--admin", at]), (error) => {
      assert.ok(error instanceof CommandError);
      assert.equal(error.code, 3);
      assert.ok(error.message.startsWith(`What answers at ${at} is not a Tandem node; `), error.message);
      return true;
    }, `${name} ${args.join(" ")}`);
  }
});
