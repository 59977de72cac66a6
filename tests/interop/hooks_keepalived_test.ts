/** Hooks that were written for keepalived: the same moves, played to keepalived and to Tandem, call them with the same words. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { Lan } from "../support/namespaces.ts";
import { type KeepalivedInstance, startKeepalived } from "../support/peers.ts";
import { Scratch } from "../support/scratch.ts";
import { pairAddress, startTandem } from "../support/tandem.ts";

const addresses = { dlp1: "192.168.219.134/24", dlp2: "192.168.219.135/24" } as const;

const instance = (priority: number, lines: readonly string[] = []): KeepalivedInstance => ({
  virtualRouterId: 51,
  priority,
  password: "1111",
  addresses: [`${pairAddress}/24`],
  lines,
});

/** A hook that adds a line to `file`: its name and its arguments, each in angle brackets. */
async function writeHook(scratch: Scratch, name: string, file: string): Promise<string> {
  const path = scratch.file(`hook-${name}`);
  // One write for the line: keepalived runs two of them at once.
  await Deno.writeTextFile(path, `#!/bin/sh\necho "${name}$(printf ' <%s>' "$@")" >> ${file}\n`);
  await Deno.chmod(path, 0o755);
  return path;
}

type Hooks = Readonly<Record<string, string>>;
type Subject = { end(): Promise<void> };

/** Whoever runs on dlp1, and what its hooks were told. */
class Stage implements AsyncDisposable {
  private constructor(readonly lan: Lan, readonly scratch: Scratch, readonly hooks: Hooks) {}

  static async set(): Promise<Stage> {
    const lan = await Lan.create(addresses);
    const scratch = new Scratch();
    const names = ["notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"];
    const file = scratch.file("told");
    const hooks = await Promise.all(names.map(async (name) => [name, await writeHook(scratch, name, file)]));
    return new Stage(lan, scratch, Object.fromEntries(hooks));
  }

  async told(): Promise<string[]> {
    return (await Deno.readTextFile(this.scratch.file("told")).catch(() => "")).trim().split("\n");
  }

  /** Waits until the newest of the hook for all states is of `state`. */
  async last(state: string): Promise<string> {
    return await until(`the hook is told of ${state}`, async () => {
      const line = (await this.told()).findLast((line) => line.startsWith("notify "));
      return line?.includes(`<${state}>`) && line;
    }, { timeout: 15_000 });
  }

  async keepalived(lines: readonly string[] = []): Promise<Subject> {
    const hooks = Object.entries(this.hooks).map(([name, path]) =>
      `${name} ${name === "notify" ? path : `"${path} a b"`}`
    );
    const running = await startKeepalived(this.lan.host("dlp1"), {
      directory: this.scratch.path,
      instances: [instance(101, [...hooks, ...lines])],
      globals: ["script_user root"],
    });
    return { end: async () => void await running.stop() };
  }

  async tandem(more = "", track = ""): Promise<Subject> {
    const argv = Object.entries(this.hooks).map(([name, path]) =>
      `${name}: [${path}${name === "notify" ? "" : ", a, b"}]`
    );
    const { path: directory } = this.scratch;
    await Deno.writeTextFile(
      `${directory}/tandem.yaml`,
      `version: 1
nodes: { dlp1: { address: 192.168.219.134 } }
admin: { bind: none, socket: ${directory}/dlp1.sock }
vrrp:
  VI_1:
    interface: ens32
    virtual_router_id: 51
    version: 2
    priority: 101
    authentication: { type: pass, password: "1111" }
    virtual_addresses: [${pairAddress}/24]
${track}
notify: [{ use: keepalived, with: { ${argv.join(", ")} }, events: vrrp.transition }]
${more}`,
    );
    const node = await startTandem(this.lan.host("dlp1"), { file: `${directory}/tandem.yaml`, directory });
    return {
      end: async () => void await node.stop(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lan[Symbol.asyncDispose]();
    this.scratch[Symbol.dispose]();
  }
}

/** Plays the moves to whoever `start` starts, and answers what each hook was told, in its order. */
async function play(start: (stage: Stage) => Promise<Subject>): Promise<Record<string, string[]>> {
  await using stage = await Stage.set();
  const { lan, scratch } = stage;
  const subject = await start(stage);
  try {
    await stage.last("MASTER");
    const peer = await startKeepalived(lan.host("dlp2"), { directory: scratch.path, instances: [instance(150)] });
    await stage.last("BACKUP").finally(() => peer.stop());
    await stage.last("MASTER");
    await lan.host("dlp1").ip(["link", "set", "ens32", "down"]);
    await stage.last("FAULT");
    await lan.host("dlp1").ip(["link", "set", "ens32", "up"]);
    await stage.last("MASTER");
    await subject.end();
    await stage.last("STOP");
    // keepalived starts the hook for the state and the one for all at once, so that either may be first.
    await until("both hooks are told", async () => (await stage.told()).length === 16);
    const lines = await stage.told();
    return Object.fromEntries(
      Object.keys(stage.hooks).map((hook) => [hook, lines.filter((line) => line.startsWith(`${hook} `))]),
    );
  } finally {
    await subject.end();
  }
}

Deno.test("hooks get the words of keepalived, for the same moves", async () => {
  const ofKeepalived = await play((stage) => stage.keepalived());
  assert.deepEqual(await play((stage) => stage.tandem()), ofKeepalived);
  const states = ["BACKUP", "MASTER", "BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP"];
  const words = states.map((state) => `notify <INSTANCE> <VI_1> <${state}> <101>`);
  assert.deepEqual(ofKeepalived.notify, words);
});

Deno.test("hooks get the effective priority, as keepalived's do", async () => {
  {
    await using stage = await Stage.set();
    await stage.lan.host("dlp1").ip(["link", "set", "lo", "up"]);
    const subject = await stage.keepalived(["track_interface {", "  lo weight 10", "}"]);
    await stage.last("MASTER").then((line) => assert.equal(line, "notify <INSTANCE> <VI_1> <MASTER> <111>"))
      .finally(subject.end);
  }
  {
    // Nobody serves, so that it yields: priority 1, and active all the same where it is alone.
    await using stage = await Stage.set();
    const backends = `backends: { app: { check: {}, servers: { one: 192.168.219.250:80 } } }\n`;
    const subject = await stage.tandem(backends, "    track: { backends: [app] }");
    await stage.last("MASTER").then((line) => assert.equal(line, "notify <INSTANCE> <VI_1> <MASTER> <1>"))
      .finally(subject.end);
  }
});
