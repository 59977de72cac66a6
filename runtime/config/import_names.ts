/** Names of other programs' configurations, made into names that tandem.yaml takes. */
import { nameShape } from "./value_decoders.ts";

/** The same where it will do; else with "_" for what cannot be in a name, and before a number or an address. */
export function importedName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64);
  return nameShape.pattern.test(plain) ? plain : `_${plain}`.slice(0, 64);
}

/** What to say of a name that had to be changed, or null. */
export function renamed(name: string): string | null {
  return importedName(name) === name ? null : `is called "${importedName(name)}" here: must be ${nameShape.wanted}`;
}
