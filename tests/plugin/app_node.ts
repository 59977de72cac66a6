/** A node on this machine whose routes are served by plugins, and a client that asks all the time. */
import assert from "node:assert/strict";
import { freePort, get } from "../interop/proxy_support.ts";
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type Status, type TandemNode } from "../support/tandem.ts";

/** This machine, as it is. */
const here = { name: "n1", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;

export type PluginView = Status["plugins"][number];

export interface AppNode extends AsyncDisposable {
  readonly node: TandemNode;
  readonly port: number;
  /** Writes the plugin `name`; `more` are further lines of its manifest. */
  write(name: string, main: string, more?: string): Promise<void>;
  /** Writes a file beside the configuration. */
  file(name: string, text: string): Promise<void>;
  /** With other lines, or as it is. */
  reload(lines?: readonly string[]): Promise<{ readonly status: number; readonly body: string }>;
  plugin(name: string): Promise<PluginView>;
}

const manifest = (name: string, more: string) =>
  `name: acme/${name}\nversion: 1.0.0\nkind: app\nentry: main.ts\npublisher: { name: Acme }\n${more}`;

/** An application whose `fetch` has this body. */
export function appWith(body: string, before = ""): string {
  return `import { defineApp } from "tandem/plugin";
${before}
export default defineApp({ async fetch(request: Request, ctx: any): Promise<Response> {
  const { pathname } = new URL(request.url);
  ${body}
} });\n`;
}

/**
 * @param lines of the configuration below its head; PORT in them is where `port` is
 * @param files beside it
 */
export async function startAppNode(
  plugins: Readonly<Record<string, string>>,
  lines: readonly string[],
  proxy = "{ threads: 1 }",
  files: Readonly<Record<string, string>> = {},
): Promise<AppNode> {
  const scratch = new Scratch();
  // Where the proxy's own user is another one, it has to come here too.
  await Deno.chmod(scratch.path, 0o755);
  const port = freePort();
  const file = scratch.file("tandem.yaml");
  const configure = (lines: readonly string[]) =>
    Deno.writeTextFile(
      file,
      [
        "version: 1",
        `admin: { bind: none, socket: ${scratch.path}/n1.sock }`,
        `proxy: ${proxy}`,
        ...lines.map((line) => line.replaceAll("PORT", String(port))),
      ].join("\n") + "\n",
    );
  const write: AppNode["write"] = async (name, main, more = "") => {
    await Deno.mkdir(scratch.file(name), { recursive: true });
    await Deno.writeTextFile(scratch.file(`${name}/plugin.yaml`), manifest(name, more));
    await Deno.writeTextFile(scratch.file(`${name}/main.ts`), main);
  };
  for (const [name, main] of Object.entries(plugins)) await write(name, main);
  const place = (name: string, text: string) => Deno.writeTextFile(scratch.file(name), text);
  for (const [name, text] of Object.entries(files)) await place(name, text);
  await configure(lines);
  const node = await startTandem(here, { file, directory: scratch.path });
  await node.waitFor("it runs", ({ phase }) => phase === "running");
  return {
    node,
    port,
    write,
    file: place,
    async reload(lines) {
      if (lines !== undefined) await configure(lines);
      return await node.api("POST", "/api/v1/reload");
    },
    async plugin(name) {
      return (await node.status()).plugins.find((one) => one.name === name) ?? assert.fail(`No plugin "${name}"`);
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
      scratch[Symbol.dispose]();
    },
  };
}

/** Asks again and again, a new connection each, until it is stopped; answers what was not `wanted`. */
export function askAllTheTime(port: number, path: string, wanted: RegExp) {
  let asking = true;
  const wrong: string[] = [];
  let asked = 0;
  const run = (async () => {
    while (asking) {
      asked++;
      const answer = await get(port, path).catch((error) => `no answer: ${error.message}`);
      if (!wanted.test(answer)) wrong.push(answer);
    }
  })();
  return {
    async stop(): Promise<{ readonly asked: number; readonly wrong: readonly string[] }> {
      asking = false;
      await run;
      return { asked, wrong };
    },
  };
}
