/** From where a secret is to what it is. What it is leaves this file only as a value, never in a message. */
import type { Report } from "./decoder.ts";
import { hint } from "./nearest.ts";
import { decodeText } from "./text_file.ts";
import type { Tree } from "./tree.ts";
import type { SecretSource } from "./value_decoders.ts";

/** Reads a secret that is not in the file itself. Throws an Error whose message says what failed, without the secret. */
export type ReadSecret = (source: { readonly file: string } | { readonly env: string }) => string;

export interface Secrets {
  /** The section `secrets:`. */
  readonly named: ReadonlyMap<string, SecretSource | undefined>;
  readonly read: ReadSecret;
}

/** The secret at `tree`, or undefined after a report. */
export function openSecret(source: SecretSource, tree: Tree, secrets: Secrets, report: Report): string | undefined {
  if ("name" in source) {
    const target = secrets.named.get(source.name);
    if (target !== undefined && !("name" in target)) return openSecret(target, tree, secrets, report);
    const message = secrets.named.has(source.name)
      ? `secret "${source.name}" must not name another one`
      : `unknown secret "${source.name}"${hint(source.name, secrets.named.keys())}`;
    report(tree, message);
    return undefined;
  }
  if ("inline" in source) return source.inline;
  try {
    const value = secrets.read(source);
    if (value !== "") return value;
    report(tree, `is empty in ${"file" in source ? `"${source.file}"` : `the environment variable ${source.env}`}`);
  } catch (cause) {
    report(tree, cause instanceof Error ? cause.message : String(cause));
  }
  return undefined;
}

/** Reads from files and the environment; one line break at the end of a file is its editor's, not the secret's. */
export function readSecretFrom(directory: string): ReadSecret {
  return (source) => {
    if ("env" in source) {
      const value = Deno.env.get(source.env);
      if (value === undefined) throw new Error(`The environment variable ${source.env} is not set`);
      return value;
    }
    const path = source.file.startsWith("/") ? source.file : `${directory}/${source.file}`;
    const text = decodeText(readBytes(path));
    if (text.ok) return text.value.replace(/\r?\n$/, "");
    throw new Error(`Cannot read the secret file "${path}": ${text.reason}`);
  };
}

function readBytes(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (cause) {
    throw new Error(`Cannot read the secret file "${path}": ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "it does not exist";
  if (cause instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (cause instanceof Deno.errors.IsADirectory) return "it is a directory";
  return cause instanceof Error ? cause.message.replace(/ \(os error \d+\).*$/, "") : String(cause);
}
