/** What a configuration must know of the plugins it names. Nothing of them runs for it; who loads the configuration asks. */
import type { JsonSchema } from "../../plugins/declaration.ts";
import { isAppFile } from "./route_model.ts";
import { child, type Tree } from "./tree.ts";
import { parseYaml } from "./yaml.ts";

/** A plugin as its manifest and its files tell. Sizes in bytes, durations in ms. */
export interface PluginFacts {
  /** "acme/pg-role". */
  readonly plugin: string;
  readonly version: string;
  readonly kind: "checker" | "policy" | "notifier" | "app";
  /** Over its files. */
  readonly sha256: string;
  readonly limits: { readonly memory: number; readonly deadline: number };
  /** JSON Schema of `with:`. */
  readonly schema: JsonSchema;
  /** What was asked for and is not granted: a sentence each, with the line to add. */
  readonly missing: (granted: GrantedConfig) => readonly string[];
}

/** `plugins.NAME.grants`, its secrets resolved. */
export interface GrantedConfig {
  readonly net: readonly string[];
  /** "targets" and names of endpoints that may be at loopback, link-local and peers' addresses. */
  readonly netUnsafe: readonly string[];
  readonly secrets: readonly string[];
  readonly endpoints: Readonly<Record<string, EndpointConfig>>;
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** Bytes. */
  readonly store: number;
}

export interface EndpointConfig {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Names of those that were not written as they are, but as where a secret is. */
  readonly secretHeaders: readonly string[];
  readonly signature: { readonly header: string; readonly secret: string } | null;
  readonly unsafe: boolean;
}

/** What is wrong with a value, from its top. */
export interface OptionProblem {
  readonly path: readonly string[];
  readonly message: string;
}

export interface PluginKnowledge {
  /** The plugin at a source as it is written, or what is wrong with it. */
  readonly source: (source: string) => PluginFacts | { readonly problems: readonly string[] };
  /** SHA-256 of the plugin of this name in `tandem.lock`; null where it is not locked. */
  readonly locked: (name: string) => string | null;
  /** Schemas of the notifiers that come with Tandem. */
  readonly notifiers: Readonly<Record<string, JsonSchema>>;
  readonly check: (schema: JsonSchema, value: unknown) => readonly OptionProblem[];
  /** Why the module at a path as it is written cannot be an application; null where nothing is known against it. */
  readonly appProblem: (path: string) => string | null;
}

/** Where nobody can look at plugins. */
export const noPlugins: PluginKnowledge = {
  source: () => ({ problems: ["plugins cannot be looked at here"] }),
  locked: () => null,
  notifiers: {},
  check: () => [],
  appProblem: () => null,
};

/** Every source that any node of the file names, to be read before the file is loaded. */
export function pluginSources(text: string, file: string): readonly string[] {
  return [...new Set(topsOf(text, file).flatMap((top) => sourcesOf(child(top, "plugins"))))];
}

/** Every module that a route of any node names as its application. */
export function appFiles(text: string, file: string): readonly string[] {
  const frontends = topsOf(text, file).flatMap((top) => valuesOf(child(top, "frontends")));
  const routes = frontends.flatMap((frontend) => {
    const list = child(frontend, "routes");
    return list?.kind === "list" ? list.items : [];
  });
  return [...new Set(routes.flatMap((route) => textOf(child(route, "app"))).filter(isAppFile))];
}

/** The file, and what its nodes say otherwise. */
function topsOf(text: string, file: string): readonly Tree[] {
  const { tree } = parseYaml(text, file);
  return tree === null ? [] : [tree, ...valuesOf(child(tree, "nodes"))];
}

function valuesOf(map: Tree | undefined): readonly Tree[] {
  return map?.kind === "map" ? [...map.entries.values()].map(({ value }) => value) : [];
}

function textOf(tree: Tree | undefined): string[] {
  return tree?.kind === "scalar" && typeof tree.value === "string" ? [tree.value] : [];
}

function sourcesOf(plugins: Tree | undefined): string[] {
  return valuesOf(plugins).flatMap((plugin) => textOf(child(plugin, "source")));
}
