/** `tandem plugin …`: what authors and operators of plugins do by hand. */
import type { Kits } from "./commands/workshop.ts";
import { CommandFailed, say, UsageError } from "./commands/terminal.ts";

export interface Verb {
  readonly usage: string;
  readonly summary: string;
  readonly load: () => Promise<{ run(args: readonly string[], kits: Kits): Promise<number> }>;
}

const verbs: Readonly<Record<string, Verb>> = {
  new: {
    usage: "checker|policy|notifier|app PUBLISHER/NAME [DIR]",
    summary: "a directory with a plugin that works",
    load: () => import("./commands/new.ts"),
  },
  check: {
    usage: "[DIR] [--frozen]",
    summary: "manifest, types, imports, schema; every finding with its place",
    load: () => import("./commands/check.ts"),
  },
  test: {
    usage: "[DIR] [--watch]",
    summary: "the author's tests, and those of its kind in the real sandbox",
    load: () => import("./commands/test.ts"),
  },
  pack: {
    usage: "[DIR] [--output FILE]",
    summary: "one file of it, and its sha256",
    load: () => import("./commands/pack.ts"),
  },
  add: {
    usage: "SOURCE [--name NAME]",
    summary: "what it asks for, and its content into tandem.lock; SOURCE: directory, packed file, .tgz or npm:PACKAGE",
    load: () => import("./commands/add.ts"),
  },
  remove: { usage: "NAME", summary: "out of tandem.lock", load: () => import("./commands/remove.ts") },
};

/**
 * Runs `tandem plugin ARGS…` and answers the exit code: 0 done, 1 it did not work, 2 usage.
 *
 * @param kits what kinds need beside the kit of all
 * @param others verbs of whoever calls; what they throw is theirs to tell, all else is told here
 */
export async function pluginCommand(
  args: readonly string[],
  kits: Kits,
  others: Readonly<Record<string, Verb>> = {},
): Promise<number> {
  const [name, ...rest] = args;
  const all = { ...verbs, ...others };
  const verb = name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
  if (verb === undefined) {
    const known = Object.entries(all).map(([name, { usage, summary }]) => `  ${name} ${usage}\n      ${summary}`);
    const help = name === undefined || name === "--help" || name === "-h";
    say(
      help
        ? `tandem plugin:\n${known.join("\n")}`
        : `tandem: Unknown command "plugin ${name}"; tandem plugin lists them`,
      {
        error: !help,
      },
    );
    return help ? 0 : 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    say(`tandem plugin ${name} ${verb.usage}\n\n${verb.summary}`);
    return 0;
  }
  if (Object.hasOwn(others, name)) return await (await verb.load()).run(rest, kits);
  try {
    return await (await verb.load()).run(rest, kits);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say(`tandem: ${message}${error instanceof UsageError ? `; tandem plugin ${name} ${verb.usage}` : ""}`, {
      error: true,
    });
    if (!(error instanceof UsageError || error instanceof CommandFailed) && Deno.env.get("TANDEM_DEBUG")) throw error;
    return error instanceof UsageError ? 2 : 1;
  }
}
