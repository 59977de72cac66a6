/** `plugin pack`: the plugin as one file. The same files make the same bytes, whoever packs them. */
import { pack } from "../pack.ts";
import { readSource } from "../source.ts";
import { isTest } from "./findings.ts";
import { CommandFailed, say, words } from "./terminal.ts";
import { check } from "./check.ts";
import { type Kits, openKit } from "./workshop.ts";

export async function run(args: readonly string[], kits: Kits): Promise<number> {
  const { values, positionals } = words(args, { output: { type: "string" } }, [0, 1]);
  const directory = positionals[0] ?? ".";
  using place = openKit(kits);
  const { findings } = await check(directory, place, true);
  if (findings.length > 0) throw new CommandFailed(`Cannot pack "${directory}":\n${findings.join("\n")}`);
  const { manifest, files } = await readSource(directory);
  const packed = new Map([...files].filter(([path]) => !isTest(path) && path !== "deno.json"));
  const output = values.output ?? `${manifest.name.replace("/", "-")}-${manifest.version}.tandem`;
  await Deno.writeFile(output, pack(packed));
  const { sha256 } = await readSource(output);
  say(`${output}: ${manifest.name} ${manifest.version}, sha256 ${sha256}`);
  return 0;
}
