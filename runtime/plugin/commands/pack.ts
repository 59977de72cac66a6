/** `plugin pack`: the plugin as one file. The same files make the same bytes, whoever packs them. */
import { pack, unpack } from "../pack.ts";
import { type PluginSource, readSource, sourceOf } from "../source.ts";
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
  const bytes = pack(packed);
  // Whoever gets it reads it in this way: what fails here is not written.
  const { sha256 } = readPacked(output, bytes);
  await Deno.writeFile(output, bytes);
  say(`${output}: ${manifest.name} ${manifest.version}, sha256 ${sha256}`);
  return 0;
}

function readPacked(output: string, bytes: Uint8Array): PluginSource {
  try {
    return sourceOf(output, unpack(bytes));
  } catch (cause) {
    throw new CommandFailed(`Cannot pack "${output}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
