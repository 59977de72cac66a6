/** Finding and reading the configuration as commands do. */
import type { Config } from "../config/model.ts";
import type { PluginKnowledge } from "../config/plugin_facts.ts";
import { CommandError, Exit } from "./exit.ts";

/** Where a configuration is looked for when none is named. */
const places = ["./tandem.yaml", "/etc/tandem/tandem.yaml"];

/** The file: `named` by `--config`, else by TANDEM_CONFIG, else the first place that has one, else null. */
export function findConfiguration(named: string | null): string | null {
  return named ?? (Deno.env.get("TANDEM_CONFIG") || null) ?? places.find(exists) ?? null;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** @throws {CommandError} that lists the places when there is no configuration. */
export function requireConfiguration(named: string | null): string {
  const found = findConfiguration(named);
  if (found !== null) return found;
  throw new CommandError(
    Exit.usage,
    `No configuration: none at ${places.join(" or ")}, and neither --config nor TANDEM_CONFIG names one`,
  );
}

/** @throws {CommandError} when it cannot be read, or is not UTF-8. */
export async function readConfiguration(file: string): Promise<string> {
  const { decodeText } = await import("../config/text_file.ts");
  const text = decodeText(await readBytes(file));
  if (text.ok) return text.value;
  throw new CommandError(Exit.usage, `Cannot read the configuration "${file}": ${text.reason}`);
}

/** Of another program, whose comments may be in any old encoding. @throws {CommandError} when it cannot be read. */
export async function readForeignConfiguration(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(file);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "it does not exist"
      : cause instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : cause instanceof Deno.errors.IsADirectory
      ? "it is a directory"
      : cause instanceof Error
      ? cause.message.replace(/ \(os error \d+\).*$/, "")
      : String(cause);
    throw new CommandError(Exit.usage, `Cannot read the configuration "${file}": ${why}`, { cause });
  }
}

/**
 * Loads the configuration of one node.
 *
 * @throws {CommandError} whose message lists every problem, a line each.
 */
export async function loadConfiguration(file: string, node: string | null): Promise<Config> {
  // The parsers take longer to load than the file: nothing that does without should wait for them.
  const [text, { load }, { formatProblem }, { readSecretFrom }] = await Promise.all([
    readConfiguration(file),
    import("../config/load.ts"),
    import("../config/problem.ts"),
    import("../config/secrets.ts"),
  ]);
  const loaded = load(text, {
    file,
    plugins: await knowledgeOfPlugins(text, file),
    node: node ?? (Deno.env.get("TANDEM_NODE") || null),
    hostname: Deno.hostname(),
    readSecret: readSecretFrom(directoryOf(file)),
  });
  if (loaded.ok) return loaded.config;
  const problems = loaded.problems.map(formatProblem);
  throw new CommandError(Exit.usage, `The configuration has ${count(problems.length)}:\n${problems.join("\n")}`);
}

/** Read only where the text speaks of plugins, notifiers or applications: nobody else should wait for it. */
export async function knowledgeOfPlugins(text: string, file: string): Promise<PluginKnowledge | undefined> {
  if (!/\b(plugins|notify|app["']?:)/.test(text)) return undefined;
  const { readPluginKnowledge } = await import("../control/plugin_knowledge.ts");
  return await readPluginKnowledge(text, file, directoryOf(file));
}

export function directoryOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash === -1 ? "." : file.slice(0, slash) || "/";
}

export function count(problems: number): string {
  return problems === 1 ? "1 problem" : `${problems} problems`;
}
