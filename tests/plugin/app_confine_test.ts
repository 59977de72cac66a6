/** The confinement of an application by itself: to which sockets it comes if Deno's own sandbox were no sandbox. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { type Measure, shortfalls } from "../../runtime/os/confine.ts";

const PROBE = `
const [balancer, tries] = Deno.args;
const report: Record<string, string> = {};
const attempt = async (name: string, work: () => unknown) => {
  try { await work(); report[name] = "done"; } catch (error) { report[name] = error.name; }
};
for (const path of [balancer, ...JSON.parse(tries)]) {
  await attempt(path.replace(/^\\0/, "@"), async () => (await Deno.connect({ transport: "unix", path })).close());
}
await attempt("listen beside it", () => Deno.listen({ transport: "unix", path: balancer + ".mine" }));
await attempt("listen in its own memory", () => Deno.listen({ transport: "unix", path: "/tmp/mine.sock" }));
await attempt("listen without a name", () => Deno.listen({ transport: "unix", path: "\\0mine" }));
await attempt("a datagram socket", () => Deno.listenDatagram({ transport: "unixpacket", path: "/tmp/datagram.sock" }));
await attempt("TCP", () => Deno.connect({ hostname: "127.0.0.1", port: 1 }));
await attempt("remove the balancer", () => Deno.removeSync(balancer));
await attempt("write beside it", () => Deno.writeTextFileSync(balancer + ".txt", "x"));
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report) + "\\n"));
`;

/** A listener that anybody may connect to. */
async function listening(path: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  if (path.startsWith("/")) await Deno.chmod(path, 0o777);
  return server;
}

Deno.test({
  name: "an application comes to the balancer's socket and to no other, whatever its rights are in Deno",
  ignore: Deno.uid() !== 0,
  async fn() {
    const id = crypto.randomUUID().slice(0, 8);
    const directory = await Deno.makeTempDir({ prefix: "tandem-app-confine-" });
    const others = ["/run", "/var/tmp", "/dev/shm", "/tmp"].map((place) => `${place}/tandem-test-${id}.sock`);
    const servers: Server[] = [];
    try {
      await Deno.chmod(directory, 0o755);
      await Deno.mkdir(`${directory}/balancer`);
      await Deno.writeTextFile(`${directory}/probe.ts`, PROBE);
      const balancer = `${directory}/balancer/forward.sock`;
      for (const path of [balancer, ...others, `\0tandem-test-${id}`]) servers.push(await listening(path));
      const tries = JSON.stringify([...others, `/var/run/tandem-test-${id}.sock`, `\0tandem-test-${id}`]);
      const options = JSON.stringify({ directory, user: { uid: 61_185, gid: 61_185 }, balancer, tries });
      const stage = new URL("fixtures/app_stage.ts", import.meta.url).pathname;
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", stage, options],
        stdin: "null",
      }).output();
      const [measures, report] = new TextDecoder().decode(stdout).trim().split("\n");
      assert.ok(report, `No report: ${new TextDecoder().decode(stderr)}`);
      assert.deepEqual(shortfalls(JSON.parse(measures) as Measure[]), []);
      const { "/tmp/balancer/forward.sock": reached, ...rest } = JSON.parse(report);
      assert.equal(reached, "done");
      for (const [what, result] of Object.entries(rest)) {
        assert.match(String(result), /^(NotFound|PermissionDenied|ConnectionRefused)$/, what);
      }
      assert.equal(Object.keys(rest).length, others.length + 2 + 7);
    } finally {
      for (const server of servers) await new Promise((resolve) => server.close(resolve));
      await Deno.remove(directory, { recursive: true });
    }
  },
});
