/**
 * `notify` and its like in keepalived.conf: programs that are told of moves. One notifier tells of all instances of all nodes,
 * so they are carried where every instance has the same.
 */
import type { Leave } from "./keepalived_instance.ts";
import type { Statement } from "./keepalived_text.ts";

/** The hooks of one instance on one node. */
export interface Hooks {
  readonly statements: readonly Statement[];
  /** Whoever hears of those that are not carried. */
  readonly leave: Leave;
}

const keyword = /^notify(_master|_backup|_fault|_stop)?$/;

/** Hooks, and the rest of an instance's block. */
export function splitHooks(
  block: readonly Statement[],
): { readonly hooks: readonly Statement[]; readonly rest: readonly Statement[] } {
  const isHook = ({ words }: Statement) => keyword.test(words[0]);
  return { hooks: block.filter(isHook), rest: block.filter((statement) => !isHook(statement)) };
}

/** Entries of `notify:`: one, or none where the instances differ. */
export function readHooks(instances: readonly Hooks[]): readonly Readonly<Record<string, unknown>>[] {
  const written = instances.map(({ statements }) => statements.map(({ words }) => words));
  if (written.every((words) => words.length === 0)) return [];
  const alike = written.every((words) => JSON.stringify(words.toSorted()) === JSON.stringify(written[0].toSorted()));
  const why = alike ? reasonAgainst(written[0]) : "one notifier tells of all instances on all nodes, and theirs differ";
  if (why !== null) {
    for (const { statements, leave } of instances) {
      for (const statement of statements) {
        const entry = `{ use: keepalived, with: { ${
          statement.words[0]
        }: [PROGRAM, ARGUMENTS] }, events: vrrp.transition }`;
        leave(statement, `${why}; add to notify: ${entry}`);
      }
    }
    return [];
  }
  const hooks = written[0].map(([name, command]) => [name, command.trim().split(/\s+/)]);
  return [{ use: "keepalived", with: Object.fromEntries(hooks), events: "vrrp.transition" }];
}

/** Why hooks cannot be carried though all have the same, or null. */
function reasonAgainst(hooks: readonly (readonly string[])[]): string | null {
  for (const [name, command, user] of hooks) {
    if (command === undefined || command.trim() === "") return `${name} names no program`;
    if (user !== undefined) return "programs run as whoever Tandem runs as, not as another user";
    if (/["'\\]/.test(command)) return "quotes within a command are not carried";
  }
  if (new Set(hooks.map(([name]) => name)).size < hooks.length) return "only one program of a kind is carried";
  return null;
}
