/**
 * The PostgreSQL example, sandboxed, against a real primary and its real replica. Only where PostgreSQL is installed: its own
 * tests cover every message without one.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openCgroups } from "../../runtime/os/cgroup.ts";
import { systemClock } from "../../runtime/os/clock.ts";
import { connect } from "../../runtime/health/connection.ts";
import { Registry } from "../../runtime/plugin/registry.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import { freePort } from "../support/free_port.ts";

const binaries = [17, 16, 15, 14, 13].map((version) => `/usr/lib/postgresql/${version}/bin`).find((path) => {
  try {
    return Deno.statSync(`${path}/initdb`).isFile;
  } catch {
    return false;
  }
});

if (binaries !== undefined && Deno.uid() === 0) {
  Deno.test("the PostgreSQL example tells a real primary from a real replica, by SCRAM", async () => {
    const directory = await Deno.makeTempDir({ prefix: "tandem-postgres-" });
    await Deno.chmod(directory, 0o755);
    const registry = new Registry({
      directory,
      host: () => ({ node: "dlp1", cluster: "edge", labels: {} }),
      cgroups: openCgroups(),
      isolation: "available",
      clock: systemClock,
      log: createLogger({ role: "control", write: () => {} }),
      changed: () => {},
    });
    const data = `${directory}/pg`;
    await Deno.mkdir(data);
    await Deno.chown(data, 65534, 65534);
    const [primary, replica] = [freePort(), freePort()];
    const pg = async (program: string, ...args: string[]) => await asNobody([`${binaries}/${program}`, ...args], data);
    const start = (name: string, port: number) =>
      pg(
        "pg_ctl",
        "-D",
        `${data}/${name}`,
        "-w",
        "-l",
        `${data}/${name}.log`,
        "-o",
        `-p ${port} -k ${data} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=1MB`,
        "start",
      );
    try {
      await Deno.writeTextFile(`${data}/pw`, "pencil", { mode: 0o644 });
      await pg(
        "initdb",
        "-D",
        `${data}/primary`,
        "-U",
        "tandem",
        "-A",
        "scram-sha-256",
        "--pwfile",
        `${data}/pw`,
        "--no-sync",
      );
      await start("primary", primary);
      await pg(
        "pg_basebackup",
        "-D",
        `${data}/replica`,
        "-R",
        "-d",
        `host=127.0.0.1 port=${primary} user=tandem password=pencil`,
        "--no-sync",
      );
      await start("replica", replica);
      const grants = { net: ["targets"], secrets: ["pg"], endpoints: {}, commands: {}, store: 0 };
      const source = fileURLToPath(new URL("../../plugins/examples/pg_role", import.meta.url));
      const use = (id: string, password: string) => ({ id, plugin: "pg", with: { role: "primary", password } });
      assert.deepEqual(
        await registry.apply([{ name: "pg", source, grants, sha256: null }], [
          use("right", "pencil"),
          use("wrong", "crayon"),
        ]),
        { problems: [] },
      );
      const check = async (port: number, id = "right") => {
        const signal = AbortSignal.timeout(5000);
        return await registry.checker(id).check(
          { backend: "pg", server: "s", address: "127.0.0.1", port, labels: {} },
          {
            config: null,
            host: { node: "dlp1", cluster: "edge", labels: {}, api: 1 },
            signal,
            clock: { now: Date.now, monotonic: () => performance.now(), sleep: () => Promise.resolve() },
            log: { debug() {}, info() {}, warn() {}, error() {} },
            connect: () => connect("127.0.0.1", port, signal),
          },
        );
      };
      assert.deepEqual(await check(primary), { state: "up", reason: "primary" });
      assert.deepEqual(await check(replica), { state: "standby", reason: "replica, 0 ms behind" });
      assert.deepEqual(await check(primary, "wrong"), {
        state: "down",
        reason: 'password authentication failed for user "tandem" (28P01)',
        phase: "login",
      });
      await pg("pg_ctl", "-D", `${data}/primary`, "-m", "immediate", "stop");
      await pg("pg_ctl", "-D", `${data}/replica`, "-w", "promote");
      assert.deepEqual(await check(primary), { state: "down", reason: "connect refused", phase: "connect" });
      assert.deepEqual(await check(replica), { state: "up", reason: "primary" });
    } finally {
      await registry.stop();
      for (const name of ["primary", "replica"]) {
        await pg("pg_ctl", "-D", `${data}/${name}`, "-m", "immediate", "stop").catch(() => {});
      }
      await Deno.remove(directory, { recursive: true });
    }
  });
}

/** PostgreSQL refuses to run as root. */
async function asNobody(argv: readonly string[], cwd: string): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command("setpriv", {
    args: ["--reuid=65534", "--regid=65534", "--clear-groups", ...argv],
    cwd,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, `${argv[0]}: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
}
