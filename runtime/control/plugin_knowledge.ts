/** What a configuration must know of its plugins: manifests, contents and locks, read before it is loaded. */
import { appFiles, type PluginFacts, type PluginKnowledge, pluginSources } from "../config/plugin_facts.ts";
import { builtInSchema } from "../plugin/builtin.ts";
import { effectiveGrants } from "../plugin/grants.ts";
import { type Lock, LOCK_FILE, readLock } from "../plugin/lock.ts";
import { checkOptions } from "../plugin/options.ts";
import { readSource, SourceError } from "../plugin/source.ts";
import { appFileProblem } from "./app_files.ts";

const notifiers = ["webhook", "command", "syslog", "keepalived"] as const;

/**
 * @param file as named in problems
 * @param directory of the file: sources and the lock are relative to it
 */
export async function readPluginKnowledge(text: string, file: string, directory: string): Promise<PluginKnowledge> {
  const sources = pluginSources(text, file);
  const files = appFiles(text, file);
  const problems = Promise.all(files.map((path) => appFileProblem(pathOf(path, directory))));
  const [lock, ...facts] = await Promise.all([
    readLock(`${directory}/${LOCK_FILE}`).catch((error) => String(error instanceof Error ? error.message : error)),
    ...sources.map((source) => readFacts(pathOf(source, directory))),
  ]);
  const known = new Map(sources.map((source, index) => [source, facts[index]]));
  const appProblems = new Map((await problems).map((problem, index) => [files[index], problem]));
  return {
    source(source) {
      if (typeof lock === "string") return { problems: [`cannot be compared with ${LOCK_FILE}: ${lock}`] };
      return known.get(source) ?? { problems: [`"${source}" was not read`] };
    },
    locked: (name) => typeof lock === "string" ? null : lockedIn(lock, name),
    notifiers: Object.fromEntries(notifiers.map((name) => [name, builtInSchema(name)])),
    check: (schema, value) => checkOptions(schema, value).problems,
    appProblem: (path) => appProblems.get(path) ?? null,
  };
}

/** A source as the configuration writes it, as a path. */
export function pathOf(source: string, directory: string): string {
  return source.startsWith("/") ? source : `${directory}/${source.replace(/^\.\//, "")}`;
}

function lockedIn(lock: Lock, name: string): string | null {
  return Object.hasOwn(lock, name) ? lock[name].sha256 : null;
}

async function readFacts(path: string): Promise<PluginFacts | { readonly problems: readonly string[] }> {
  try {
    const { manifest, sha256 } = await readSource(path);
    const { name, version, kind, limits, config, requests } = manifest;
    return {
      plugin: name,
      version,
      kind,
      sha256,
      limits,
      schema: config,
      missing: (granted) => effectiveGrants("", requests, granted).missing.map((line) => line.replace(/^[^:]*: /, "")),
    };
  } catch (error) {
    if (error instanceof SourceError) return { problems: error.problems };
    return { problems: [`${path}: ${error instanceof Error ? error.message : String(error)}`] };
  }
}
