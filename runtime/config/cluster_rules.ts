/** `cluster.secret`: the key that both nodes have. */
import type { Case } from "./rules.ts";
import { openSecret } from "./secrets.ts";
import { reach } from "./tree.ts";

/** Shorter ones can be guessed from what they signed. */
const shortest = 16;

/** The key, null where none is given or it was reported. */
export function openClusterSecret({ draft, tree, readSecret, report }: Case): string | null {
  const source = draft.cluster?.secret;
  if (source === null || source === undefined) return null;
  const at = reach(tree, "cluster", "secret");
  const value = openSecret(source, at, { named: draft.secrets ?? new Map(), read: readSecret }, report);
  if (value === undefined || value.length >= shortest) return value ?? null;
  report(at, `must have at least ${shortest} characters: whoever guesses it speaks for the other node`);
  return null;
}
