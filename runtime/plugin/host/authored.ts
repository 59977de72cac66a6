/** Errors as the author of a plugin wants to read them: their own files and lines, nothing of ours. */
import { TEXT_LIMIT, type WireError } from "../protocol.ts";

const FRAMES = 8;

/** What of `error` crosses the pipe. `directory` is where the plugin was loaded from: paths become relative to it. */
export function toWireError(error: unknown, directory: string): WireError {
  try {
    return wireErrorOf(error, directory);
  } catch {
    // A getter or a proxy that throws when it is looked at. Its call must be answered all the same.
    return { name: "Error", message: "Threw what cannot be shown" };
  }
}

function wireErrorOf(error: unknown, directory: string): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: `Threw ${describe(error)}, which is no Error` };
  // Number("soon"): when to try again is then up to the back-off.
  const afterMs = "afterMs" in error && Number.isFinite(error.afterMs) ? { afterMs: error.afterMs as number } : {};
  const stack = authoredStack(error.stack ?? "", directory);
  return {
    name: String(error.name).slice(0, 100),
    message: relative(String(error.message), directory).slice(0, TEXT_LIMIT),
    ...(stack === "" ? {} : { stack }),
    ...placeIn(stack),
    ...afterMs,
  };
}

/** Of the first frame, `at check (main.ts:14:9)` or `at main.ts:14:9`: where the author begins to look. */
function placeIn(stack: string): { readonly at?: string } {
  const at = /([^\s()]+:\d+:\d+)\)?$/.exec(stack.split("\n")[0])?.[1];
  return at === undefined ? {} : { at };
}

/** One line for a log: name, message and place. */
export function sentenceOf({ name, message, at }: WireError): string {
  return `${name}: ${message}${at === undefined || message.includes(at) ? "" : ` (at ${at})`}`;
}

/** `at check (main.ts:14:9)`, only frames of the plugin. */
function authoredStack(stack: string, directory: string): string {
  return stack.split("\n")
    .filter((line) => /^\s+at /.test(line) && line.includes(directory))
    .slice(0, FRAMES)
    .map((line) => relative(line.trim(), directory))
    .join("\n");
}

function relative(text: string, directory: string): string {
  return text.replaceAll(`file://${directory}/`, "").replaceAll(`${directory}/`, "");
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value)?.slice(0, 200) ?? String(value);
  } catch {
    return `a ${typeof value}`;
  }
}

/** The error of control's answer, as plugin code sees it. */
export function fromWireError(error: WireError): Error {
  const made = new Error(error.message);
  made.name = error.name;
  return made;
}
