/** What is wrong with a plugin's code, found by reading it. Pure. */
import type { Manifest } from "../manifest.ts";

/** Lines and columns count from 1. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What was found, and how sure it is. */
export interface Requested {
  /** Used and not asked for: it will be refused. */
  readonly findings: readonly Finding[];
  /** Asked for and not seen. A name may be computed and `ctx` taken apart, so that it may well be used. */
  readonly remarks: readonly Finding[];
}

export function formatFinding({ file, line, column, message }: Finding): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** `import … from "x"`, `export … from "x"`, `import("x")`. Text in comments and strings is taken for code at worst. */
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])((?:(?!\1)[^\\\n])*)\1/g;

/**
 * Imports that no plugin may have: everything must be in its directory, and nothing is fetched at start.
 *
 * @param packages what its kind may import without having it
 */
export function forbiddenImports(
  file: string,
  text: string,
  files: ReadonlySet<string>,
  packages: ReadonlySet<string> = new Set(),
): Finding[] {
  return [...withoutComments(text).matchAll(SPECIFIER)].flatMap((match) => {
    const specifier = match[2];
    const message = packages.has(specifier) ? null : whyForbidden(file, specifier, files);
    if (message === null) return [];
    return [{ file, ...position(text, match.index + match[0].indexOf(specifier)), message }];
  });
}

function whyForbidden(file: string, specifier: string, files: ReadonlySet<string>): string | null {
  if (specifier === "tandem/plugin" || specifier.startsWith("node:")) return null;
  if (isTest(file)) return null; // tests run on the author's machine, not in the sandbox
  if (specifier === "tandem/plugin/test") return `"${specifier}" is for tests: name the file *_test.ts`;
  if (/^(npm|jsr):/.test(specifier)) return `"${specifier}" would be fetched: copy what you need into the plugin`;
  if (/^https?:/.test(specifier)) return `"${specifier}" would be fetched: copy it into the plugin`;
  if (!/^\.\.?\//.test(specifier)) return `"${specifier}" is no file of the plugin: paths begin with "./"`;
  const target = resolve(file, specifier);
  if (target === null) return `"${specifier}" is outside of the plugin's directory`;
  return files.has(target) ? null : `"${specifier}" does not exist`;
}

export function isTest(file: string): boolean {
  return /(_test|\.test)\.[mt]?[jt]s$/.test(file);
}

/** The path from the plugin's top; null outside of it. */
function resolve(file: string, specifier: string): string | null {
  const steps = file.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") { if (steps.pop() === undefined) return null; }
    else if (step !== ".") steps.push(step);
  }
  return steps.join("/");
}

/** What the code uses against what the manifest asks for, as far as reading the code shows it. */
export function unrequested(
  manifest: Manifest,
  sources: ReadonlyMap<string, string>,
  secrets: readonly string[],
): Requested {
  const { requests } = manifest;
  const findings: Finding[] = [], remarks: Finding[] = [];
  const used = { connect: false, endpoints: new Set<string>(), commands: new Set<string>(), store: false };
  for (const [file, original] of sources) {
    if (isTest(file)) continue;
    const text = withoutComments(original);
    const at = (index: number, message: string) => findings.push({ file, ...position(original, index), message });
    for (const { index } of text.matchAll(/\bctx\.connect\s*\(/g)) {
      used.connect = true;
      if (!requests.net.includes("targets")) {
        at(index, "uses ctx.connect, but plugin.yaml does not ask for net: [targets]");
      }
    }
    for (const { index, 1: name } of text.matchAll(/\bctx\.(?:fetch|send)(?:!|\?\.)?\s*\(\s*["']([\w-]+)["']/g)) {
      used.endpoints.add(name);
      if (!requests.endpoints.includes(name)) {
        at(index, `uses the endpoint "${name}", which plugin.yaml does not ask for`);
      }
    }
    for (const { index, 1: name } of text.matchAll(/\bctx\.run(?:!|\?\.)?\s*\(\s*["']([\w-]+)["']/g)) {
      used.commands.add(name);
      if (!requests.commands.includes(name)) {
        at(index, `runs the command "${name}", which plugin.yaml does not ask for`);
      }
    }
    for (const { index } of text.matchAll(/\bctx\.store\b/g)) {
      used.store = true;
      if (requests.store === 0) at(index, "uses ctx.store, but plugin.yaml asks for no store");
    }
  }
  const ofManifest = (message: string) => ({ file: "plugin.yaml", line: 1, column: 1, message });
  const unseen = (message: string) => remarks.push(ofManifest(message));
  if (requests.net.includes("targets") && !used.connect) {
    unseen("asks for net: [targets], and ctx.connect() is nowhere to be seen");
  }
  for (const name of requests.endpoints) {
    if (!used.endpoints.has(name)) {
      unseen(`asks for the endpoint "${name}", and ctx.fetch("${name}") is nowhere to be seen`);
    }
  }
  for (const name of requests.commands) {
    if (!used.commands.has(name)) {
      unseen(`asks for the command "${name}", and ctx.run("${name}") is nowhere to be seen`);
    }
  }
  if (requests.store > 0 && !used.store) unseen("asks for a store, and ctx.store is nowhere to be seen");
  for (const name of secrets) {
    if (!requests.secrets.includes(name)) {
      findings.push(ofManifest(`declares the secret "${name}" and does not ask for it: requests.secrets`));
    }
  }
  for (const name of requests.secrets) {
    if (!secrets.includes(name)) unseen(`asks for the secret "${name}", and no key of that name is s.secret()`);
  }
  return { findings, remarks };
}

function position(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index);
  return { line: before.split("\n").length, column: index - before.lastIndexOf("\n") };
}

/** Comments become spaces, so that positions stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|[\s;{}(,])\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, " "));
}
