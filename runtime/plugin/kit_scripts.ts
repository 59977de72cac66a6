/**
 * The modules of the kit as JavaScript, beside their TypeScript: Deno would strip the types at every start, because what runs
 * in a sandbox keeps nothing. Done once for each kit. Pure.
 */
import * as nodeModule from "node:module";

type Strip = (code: string, options: { readonly mode: "transform"; readonly sourceMap: false }) => string;

/** Of `./frame.ts`, the specifiers of modules that are stripped as well. */
const RELATIVE = /(\b(?:from|import)\s*\(?\s*")(\.{1,2}\/[^"\n]+)\.ts"/g;

/** Where the JavaScript of `path` is. */
export function scriptOf(path: string): string {
  return path.replace(/\.ts$/, ".js");
}

/**
 * JavaScript of every `.ts` of `files`, under its new name; null where this Deno cannot do it, whose processes then do.
 *
 * @param files text by path
 */
export function scriptsOf(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  const strip = (nodeModule as { readonly stripTypeScriptTypes?: Strip }).stripTypeScriptTypes;
  if (strip === undefined) return null;
  try {
    const modules = Object.entries(files).filter(([path]) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
    return Object.fromEntries(modules.map(([path, text]) => {
      const script = strip(text, { mode: "transform", sourceMap: false });
      return [scriptOf(path), script.replace(RELATIVE, '$1$2.js"')];
    }));
  } catch {
    return null;
  }
}
