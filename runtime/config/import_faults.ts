/** Whether tandem.yaml would take a value that another configuration gives: asked of the decoder that `check` asks. */
import type { Decoder } from "./decoder.ts";
import { child } from "./tree.ts";
import { parseYaml } from "./yaml.ts";

/** Why a value would be refused where it is written, or null. */
export function faultOf(decoder: Decoder<unknown>, value: unknown): string | null {
  const faults: string[] = [];
  const { tree } = parseYaml(JSON.stringify({ value }), "");
  const written = tree === null ? undefined : child(tree, "value");
  if (written !== undefined) decoder.decode(written, (_, message) => faults.push(message));
  return faults[0] ?? null;
}
