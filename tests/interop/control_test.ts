/** One node of a running pair as its operator has it: reloads, verbs, its own children killed and hung. */
import assert from "node:assert/strict";
import { explain } from "../../runtime/demo/measure.ts";
import { Client } from "../support/client.ts";
import { until } from "../support/command.ts";
import { Pair } from "../support/pair.ts";
import { pairAddress, pairConfig, type Status, tandem, tandemCommand } from "../support/tandem.ts";
import { publicCopy } from "../support/unprivileged.ts";

Deno.test("reload, operator verbs and supervision of a node that serves", async (t) => {
  await using pair = await Pair.start({ instance: ["handover: { connections: auto, drain: 3s }"] });
  const node = pair.node("dlp1");
  const directory = pair.scratch.path;
  const reach = ["--admin", `unix:${directory}/dlp1.sock`];
  const client = await pair.client({ kept: 4, pause: 10, pace: 10 });
  await client.requests(100);

  /** Runs `steps` and asserts that the client noticed nothing. */
  const unnoticed = async (steps: () => Promise<void>) => {
    const from = Client.now();
    await steps();
    await client.requests(50);
    const window = await client.since(from);
    assert.deepEqual(client.failures(window).map(explain), []);
    assert.deepEqual(await pair.lan.holders(pairAddress), ["dlp1"]);
  };
  const transitions = async () => (await node.status()).vrrp[0].counters.transitions;

  await t.step("a reload touches only what changed: no transition, no failed request", async () => {
    const before = await transitions();
    const original = await Deno.readTextFile(pair.file);
    await unnoticed(async () => {
      const open = pairConfig({
        directory,
        servers: { node01: '{ address: "192.168.219.136:80", weight: 3 }', node02: "192.168.219.137:80" },
        instance: ["handover: { connections: auto, drain: 3s }"],
      }).replace('bind: "VI_1:80"', 'bind: ["VI_1:80", "VI_1:8080"]');
      await Deno.writeTextFile(pair.file, open);
      assert.equal((await tandem(["reload", ...reach])).stdout, "updated http-in, backend_servers\n");
      const opened = await pair.lan.host("client").run(["curl", "-s", "-m", "2", `http://${pairAddress}:8080/`]);
      assert.notEqual(opened.stdout, "");
      await Deno.writeTextFile(pair.file, original);
      node.signal("SIGHUP");
      await node.waitFor("the second port is closed", ({ frontends }) => frontends[0].bind.length === 1);
      assert.equal((await tandem(["reload", ...reach])).stdout, "nothing changed\n");
    });
    assert.equal(await transitions(), before);
  });

  await t.step("a bad reload changes nothing and says why", async () => {
    const original = await Deno.readTextFile(pair.file);
    const { config: { sha256 } } = await node.status();
    await Deno.writeTextFile(pair.file, `${original}frontend: {}\n`);
    const refused = await tandem(["reload", ...reach], { allowFailure: true });
    assert.equal(refused.code, 2, "contract section 3: configuration");
    assert.match(refused.stderr, /frontend: unknown key; did you mean "frontends"\?/);
    await Deno.writeTextFile(pair.file, original);
    assert.equal((await node.status()).config.sha256, sha256);
  });

  await t.step("drain sends a server no new clients, and ends by itself", async () => {
    await unnoticed(async () => {
      const drained = await tandem(["drain", "backend_servers/node01", "--for", "2s", "--reason", "disk", ...reach]);
      assert.equal(drained.stdout, "backend_servers/node01 is drain, weight 1: disk\n");
      const since = Client.now();
      await client.requests(100);
      assert.deepEqual([...client.shares(await client.since(since)).keys()], ["node02"]);
      assert.match((await tandem(["status", ...reach])).stdout, /node01 +drain .* disk\n/);
      await node.waitFor("node01 is back", ({ backends }) => backends[0].servers[0].state === "up", 4000);
    });
  });

  await t.step("signals that mean something elsewhere end nothing here, and open no inspector", async () => {
    const children = await node.children();
    await unnoticed(async () => {
      for (const pid of children.values()) {
        // Deno takes them half a second after its start; a stop of the service reaches all of them.
        for (const signal of ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const) Deno.kill(pid, signal);
      }
      for (const signal of ["SIGUSR1", "SIGUSR2"] as const) node.signal(signal);
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    assert.deepEqual(await node.children(), children);
    const { stdout } = await pair.lan.host("dlp1").run(["ss", "-Hltn", "sport = :9229"]);
    assert.equal(stdout, "");
  });

  await t.step("a vrrp process that hangs is replaced, and is not believed to have been active meanwhile", async () => {
    const hung = (await node.children()).get("vrrp") ?? assert.fail("no vrrp process");
    Deno.kill(hung, "SIGSTOP");
    await until("dlp2 serves", async () => (await pair.lan.holders(pairAddress)).includes("dlp2"), { timeout: 6000 });
    await node.waitFor(
      "it is replaced",
      ({ children }) => children[0].pid !== hung && children[0].restarts === 1,
      9000,
    );
    await pair.converged("dlp1");
    const { stdout } = await tandem(["events", "--json", ...reach]);
    const said = stdout.trim().split("\n").map((line) => JSON.parse(line));
    const death = said.findLastIndex(({ type }) => type === "process.state");
    assert.match(said[death].text, /The vrrp process died: SIGKILL; it is started again at once/);
    assert.match(said[death + 1].text, /VI_1: initialize → backup/);
  });

  await t.step("failover --wait returns when the connections have moved, and holds until failback", async () => {
    const from = Client.now();
    const moved = await tandem(["failover", "VI_1", "--reason", "kernel", "--wait", ...reach], { timeout: 10_000 });
    assert.match(moved.stdout, /^VI_1: /);
    assert.ok(Client.now() - from < 8000);
    assert.deepEqual(await pair.lan.holders(pairAddress), ["dlp2"]);
    const again = await tandem(["failover", "VI_1", ...reach], { allowFailure: true });
    assert.deepEqual([again.code, again.stderr], [
      1,
      "tandem: VI_1 is backup here, not active; it is active on 192.168.219.135\n",
    ]);
    await tandem(["failback", "--all", ...reach]);
    await pair.converged("dlp1");
    assert.deepEqual(client.failures(await client.since(from)).map(explain), []);
  });

  await t.step("another node with the same state directory is refused", async () => {
    const argv = tandemCommand(["run", "--config", pair.file, "--node", "dlp1"]);
    const env = { TANDEM_STATE_DIR: `${directory}/dlp1` };
    const { code, stderr } = await pair.lan.host("dlp1").run(argv, { env, allowFailure: true, timeout: 5000 });
    assert.deepEqual([code, stderr.split(";")[0]], [
      1,
      `tandem: Another node runs with the state directory "${directory}/dlp1"`,
    ]);
    await unnoticed(async () => {});
  });
});

Deno.test("the proxy has a uid of its own, and no capability but for low ports", async () => {
  await using pair = await Pair.prepare({ top: ["proxy: { user: nobody }"] });
  using copy = await publicCopy();
  const host = pair.lan.host("dlp1");
  const env = { ...copy.env, DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` };
  const argv = [
    copy.deno,
    "run",
    "-A",
    "--no-prompt",
    `${copy.source}/mod.ts`,
    "run",
    "--config",
    pair.file,
    "--node",
    "dlp1",
  ];
  await Deno.chmod(pair.scratch.path, 0o755);
  await using node = host.spawn(argv, { env: { ...env, TANDEM_STATE_DIR: `${pair.scratch.path}/dlp1` } });
  await node.said(/Node dlp1 is up/, 15_000);
  const told = await tandem(["status", "--json", "--admin", `unix:${pair.scratch.path}/dlp1.sock`]);
  const { children, isolation, missing }: Status = JSON.parse(told.stdout);
  const proxy = children.find(({ role }) => role === "proxy") ?? assert.fail("no proxy process");
  const facts = await Deno.readTextFile(`/proc/${proxy.pid}/status`);
  assert.match(facts, /^Uid:\t65534\t65534\t65534\t65534$/m);
  assert.match(facts, /^Gid:\t65534\t65534\t65534\t65534$/m);
  assert.match(facts, /^Groups:\s*$/m);
  // Bit 10 is CAP_NET_BIND_SERVICE.
  for (const set of ["CapPrm", "CapEff", "CapAmb"]) {
    assert.match(facts, new RegExp(`^${set}:\\t0000000000000400$`, "m"));
  }
  assert.deepEqual([isolation.proxy_user, missing.filter((sentence) => /uid/.test(sentence))], ["nobody", []]);
  await until("it serves", async () => {
    const answer = await host.run(["curl", "-s", "-m", "1", `http://${pairAddress}/`], { allowFailure: true });
    return answer.code === 0 && answer.stdout !== "";
  }, { timeout: 8000 });
});
