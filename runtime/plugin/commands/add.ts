/** `plugin add`: shows what a plugin asks for, and locks its content. Nothing is fetched at any other time. */
import type { Manifest } from "../manifest.ts";
import { LOCK_FILE, readLock, writeLock } from "../lock.ts";
import { type PluginSource, readSource } from "../source.ts";
import { CommandFailed, say, words } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals: [given] } = words(args, { name: { type: "string" } }, [1, 1]);
  const path = await fetched(given);
  const source = await readSource(path);
  const name = values.name ?? source.manifest.name.split("/")[1];
  const lock = await readLock(LOCK_FILE);
  const before = lock[name];
  say(describe(source));
  if (before) {
    say(
      before.sha256 === source.sha256
        ? `It is locked already, with the same content.`
        : `Before: ${before.plugin} ${before.version}, sha256 ${before.sha256}`,
    );
  }
  const { manifest, sha256 } = source;
  const entry = { source: path, plugin: manifest.name, version: manifest.version, sha256 };
  await writeLock(LOCK_FILE, { ...lock, [name]: entry });
  say(`\nLocked in ${LOCK_FILE}. Grant what you agree to, in tandem.yaml:\n\n${grantLines(name, path, manifest)}`);
  return 0;
}

function describe({ manifest, sha256, files }: PluginSource): string {
  const { requests, publisher, limits } = manifest;
  const asks = [
    ...requests.net.map(() => "connections to the servers it checks, and to nothing else"),
    ...requests.secrets.map((name) => `a secret for its "${name}"`),
    ...requests.endpoints.map((name) => `requests to the endpoint "${name}", wherever you say that is`),
    ...requests.commands.map((name) => `running the command "${name}", whatever you say that is`),
    ...requests.store > 0 ? [`${requests.store} bytes that survive restarts`] : [],
  ];
  return [
    `${manifest.name} ${manifest.version}: a ${manifest.kind} by ${publisher.name}, ${
      publisher.license ?? "no license named"
    }`,
    `${files.size} files, sha256 ${sha256}`,
    `It asks for:`,
    ...(asks.length === 0 ? ["  nothing"] : asks.map((ask) => `  ${ask}`)),
    `It may use ${Math.round(limits.memory / 2 ** 20)} MiB, and answers within ${limits.deadline} ms.`,
  ].join("\n");
}

/** Lines for the configuration; they grant exactly what is asked for. */
export function grantLines(name: string, path: string, { requests }: Manifest): string {
  const grants = [
    ...(requests.net.length > 0 ? [`net: [${requests.net.join(", ")}]`] : []),
    ...(requests.secrets.length > 0 ? [`secrets: [NAME]`] : []),
    ...(requests.endpoints.length > 0
      ? [`endpoints: { ${requests.endpoints.map((one) => `${one}: { url: "https://…" }`).join(", ")} }`]
      : []),
    ...(requests.commands.length > 0
      ? [`commands: { ${requests.commands.map((one) => `${one}: [/path/to/program]`).join(", ")} }`]
      : []),
    ...(requests.store > 0 ? [`store: ${requests.store}B`] : []),
  ];
  return `plugins:\n  ${name}: { source: ${JSON.stringify(path)}, grants: { ${grants.join(", ")} } }`;
}

/** A path that can be read: packages are fetched with the operator's own npm, archives are unpacked beside. */
async function fetched(given: string): Promise<string> {
  if (!given.startsWith("npm:") && !/\.(tgz|tar\.gz)$/.test(given)) return given;
  const archive = given.startsWith("npm:") ? await npmPack(given.slice(4)) : given;
  const directory = archive.split("/").at(-1)!.replace(/\.(tgz|tar\.gz)$/, "");
  await Deno.mkdir(directory, { recursive: true });
  // --no-same-owner: what the archive says about owners is of no interest; npm puts everything in package/.
  await command(["tar", "-xzf", archive, "-C", directory, "--strip-components=1", "--no-same-owner"]);
  return `./${directory}`;
}

async function npmPack(specifier: string): Promise<string> {
  const output = await command(["npm", "pack", "--json", "--ignore-scripts", specifier]);
  const [{ filename }] = JSON.parse(output) as { filename: string }[];
  return filename;
}

async function command([path, ...args]: readonly string[]): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(path, { args: [...args], stdin: "null" }).output();
  } catch (cause) {
    throw new CommandFailed(`Cannot run "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const decoder = new TextDecoder();
  if (!output.success) throw new CommandFailed(`"${path}" failed: ${decoder.decode(output.stderr).trim()}`);
  return decoder.decode(output.stdout);
}
