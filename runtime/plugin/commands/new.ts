/** `plugin new`: a directory with a plugin that passes `plugin check` and `plugin test` as it is. */
import { KIT_FILES, SDK_FILES } from "../kit_files.ts";
import { say, UsageError, words } from "./terminal.ts";
import { template, type TemplateKind } from "./templates.ts";
import type { Kits } from "./workshop.ts";

const KINDS: readonly TemplateKind[] = ["checker", "policy", "notifier", "app"];

export async function run(args: readonly string[], kits: Kits): Promise<number> {
  const { positionals: [kind, name, where] } = words(args, {}, [2, 3]);
  if (!KINDS.includes(kind as TemplateKind)) throw new UsageError(`"${kind}" is none of ${KINDS.join(", ")}`);
  const match = /^([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9-]*)$/.exec(name);
  if (!match) throw new UsageError(`"${name}" must be PUBLISHER/NAME in lower case, as acme/pg-role`);
  const directory = where ?? match[2];
  try {
    Deno.mkdirSync(directory);
  } catch (cause) {
    throw new UsageError(`Cannot make "${directory}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const packages = kind === "app" ? (await kits.app()).types : {};
  const files = template({ name, publisher: match[1], kind: kind as TemplateKind, packages });
  for (const path of SDK_FILES) files[`.tandem/${path}`] = KIT_FILES[path];
  for (const [path, text] of Object.entries(files)) {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent !== "") Deno.mkdirSync(`${directory}/${parent}`, { recursive: true });
    Deno.writeTextFileSync(`${directory}/${path}`, text);
  }
  say(
    `${directory}: works as it is (${kind}). Next: tandem plugin check ${directory} && tandem plugin test ${directory}`,
  );
  return 0;
}
