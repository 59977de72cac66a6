/** `import`: the configurations of keepalived and HAProxy as one tandem.yaml on stdout, what it could not carry on stderr. */
import { readForeignConfiguration } from "./configuration.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions } from "./options.ts";
import { print, printError } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("import", args, {
    keepalived: { type: "string", multiple: true },
    haproxy: { type: "string" },
  });
  const { keepalived = [], haproxy } = values;
  if (keepalived.length === 0 && haproxy === undefined) {
    throw new CommandError(Exit.usage, '"import" needs --keepalived or --haproxy; see tandem import --help');
  }
  const named = keepalived.map(nodeAndFile);
  const [sources, proxy, { importConfiguration }, { formatLeftover }] = await Promise.all([
    Promise.all(named.map(async ({ node, file }) => ({ node, file, text: await readForeignConfiguration(file) }))),
    haproxy === undefined ? null : readForeignConfiguration(haproxy).then((text) => ({ file: haproxy, text })),
    import("../config/import.ts"),
    import("../config/leftover.ts"),
  ]);
  const imported = importConfiguration({ keepalived: sources, haproxy: proxy });
  if ("refused" in imported) {
    const lines = imported.refused.map(formatLeftover).join("\n");
    throw new CommandError(Exit.usage, `Cannot import: a brace is missing, or there is one too many\n${lines}`);
  }
  const { yaml, leftovers } = imported;
  print(yaml.trimEnd());
  if (leftovers.length === 0) return Exit.done;
  printError(leftovers.map(formatLeftover).join("\n"));
  // Several things may be said of one line.
  const lines = new Set(leftovers.map(({ file, line }) => `${file}:${line}`)).size;
  printError(`${lines === 1 ? "1 line was" : `${lines} lines were`} not carried over`);
  return Exit.done;
}

/** "dlp1=/etc/keepalived/keepalived.conf"; a path may hold "=", a node's name no slash. */
function nodeAndFile(text: string): { readonly node: string | null; readonly file: string } {
  const [, node, file] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
  return node === undefined ? { node: null, file: text } : { node, file };
}
