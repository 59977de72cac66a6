/** `plugin check`: everything that can be known about a plugin before an operator has it. */
import { isDeepStrictEqual } from "node:util";
import { parseDocument } from "yaml";
import type { JsonSchema } from "../../../plugins/declaration.ts";
import { contradictions } from "../schema.ts";
import { type PluginSource, readSource, SourceError } from "../source.ts";
import { type Finding, forbiddenImports, formatFinding, unrequested } from "./findings.ts";
import { say, words } from "./terminal.ts";
import { type KitPlace, type Kits, openKit, openWorkshop } from "./workshop.ts";

export async function run(args: readonly string[], kits: Kits): Promise<number> {
  const { values, positionals } = words(args, { frozen: { type: "boolean" } }, [0, 1]);
  const directory = positionals[0] ?? ".";
  using place = openKit(kits);
  const { findings, remarks, wrote } = await check(directory, place, values.frozen ?? false);
  for (const finding of findings) say(finding, { error: true });
  for (const remark of remarks) say(`remark: ${remark}`, { error: true });
  if (wrote) say(`${directory}/plugin.yaml: config: written from the code`);
  if (findings.length === 0) say(`${directory}: fine`);
  return findings.length === 0 ? 0 : 1;
}

export interface Checked {
  /** Each is a failure. */
  readonly findings: readonly string[];
  /** What an author may want to know, and may well have meant. */
  readonly remarks: readonly string[];
  readonly wrote: boolean;
}

/** @param frozen a schema that is not that of the code is a finding, and not corrected */
export async function check(
  directory: string,
  place: KitPlace,
  frozen: boolean,
): Promise<Checked> {
  const failed = (findings: readonly string[]): Checked => ({ findings, remarks: [], wrote: false });
  let source: PluginSource;
  try {
    source = await readSource(directory);
  } catch (error) {
    if (error instanceof SourceError) return failed(error.problems);
    throw error;
  }
  const sources = moduleTexts(source);
  const names = new Set(source.files.keys());
  const packages = new Set(Object.keys((await place.additionOf(source.manifest.kind))?.imports ?? {}));
  const imports = [...sources].flatMap(([file, text]) => forbiddenImports(file, text, names, packages));
  const show = (finding: Finding) => formatFinding({ ...finding, file: `${directory}/${finding.file}` });
  if (imports.length > 0) return failed(imports.map(show));
  const types = await checkTypes(directory, [...sources.keys()], await place.typesOf(source.manifest.kind));
  const loaded = await declaredSchema(source, place);
  const entry = `${directory}/${source.manifest.entry}`;
  if ("problem" in loaded) return failed([...types, `${entry}: ${loaded.problem}`]);
  const requested = unrequested(source.manifest, sources, secretsOf(loaded.schema));
  const wrong = contradictions(loaded.schema).map(({ path, message }) =>
    `${entry}: config: ${path.filter((step) => step !== "properties").join(".")}: ${message}`
  );
  const findings = [...types, ...wrong, ...requested.findings.map(show)];
  const stale = !isDeepStrictEqual(loaded.schema, JSON.parse(JSON.stringify(source.manifest.config)));
  if (stale && frozen) {
    findings.push(`${directory}/plugin.yaml: config: is not what the code declares: run tandem plugin check`);
  }
  if (stale && !frozen) await writeSchema(`${directory}/plugin.yaml`, loaded.schema);
  return { findings, remarks: requested.remarks.map(show), wrote: stale && !frozen };
}

/** The schema as the code declares it, asked of the code in its sandbox. */
async function declaredSchema(
  source: PluginSource,
  place: KitPlace,
): Promise<{ readonly schema: JsonSchema } | { readonly problem: string }> {
  try {
    await using workshop = await openWorkshop(source, place);
    return { schema: workshop.loaded.schema as JsonSchema };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function moduleTexts(source: PluginSource): Map<string, string> {
  const decoder = new TextDecoder();
  const modules = [...source.files].filter(([file]) => /\.[mc]?[jt]sx?$/.test(file));
  return new Map(modules.map(([file, bytes]) => [file, decoder.decode(bytes)]));
}

function secretsOf(schema: JsonSchema): string[] {
  return Object.entries(schema.properties ?? {}).filter(([, one]) => one["x-tandem"] === "secret").map(([name]) =>
    name
  );
}

/**
 * What `deno check` finds.
 *
 * @param imports the import map; null where this program has no Deno, or does not know the types of a package
 */
async function checkTypes(directory: string, files: readonly string[], imports: string | null): Promise<string[]> {
  if (imports === null) return [];
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "check",
      "--quiet",
      "--no-config",
      "--no-lock",
      `--import-map=${imports}`,
      ...files.map((file) => `${directory}/${file}`),
    ],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  if (output.success) return [];
  return [
    new TextDecoder().decode(output.stderr).trim().replace(
      /\n*Found \d+ errors?\.[\s\S]*$|\n*error: Type checking[\s\S]*$/,
      "",
    ),
  ];
}

/** Replaces `config:` and leaves all else, comments too, as the author wrote it. */
async function writeSchema(path: string, schema: JsonSchema): Promise<void> {
  const document = parseDocument(await Deno.readTextFile(path));
  document.set("config", document.createNode(schema));
  await Deno.writeTextFile(path, document.toString({ lineWidth: 120, flowCollectionPadding: true }));
}
