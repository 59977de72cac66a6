/** The grammar of keepalived.conf: words, blocks in braces, comments, definitions and lines for one node only. */

export interface Statement {
  readonly line: number;
  readonly words: readonly string[];
  /** The line as it stands, without comment. */
  readonly text: string;
  readonly block: readonly Statement[] | null;
}

interface OpenStatement extends Statement {
  block: Statement[] | null;
}

/**
 * @param node `@NODE` before a line keeps it for that node, `@^NODE` for all others
 */
export function parseKeepalived(text: string, node: string | null): readonly Statement[] {
  const root: Statement[] = [];
  const open: Statement[][] = [root];
  const definitions = new Map<string, string>();
  let last: OpenStatement | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const written = withoutComment(raw).trim();
    const [, name, value] = /^\$(\w+)\s*=\s*(.*)$/.exec(written) ?? [];
    if (name !== undefined) {
      definitions.set(name, value);
      continue;
    }
    const line = substitute(written, definitions);
    let words: string[] = [];
    const finish = () => {
      if (words.length === 0) return;
      last = { line: index + 1, words, text: line, block: null };
      open[open.length - 1].push(last);
      words = [];
    };
    for (const token of tokens(line)) {
      if (token === "{") {
        finish();
        const block: Statement[] = [];
        // A brace on its own line belongs to the statement before.
        if (last !== null) (last as OpenStatement).block = block;
        open.push(block);
        last = null;
      } else if (token === "}") {
        finish();
        if (open.length > 1) open.pop();
        last = null;
      } else words.push(token.startsWith('"') ? token.slice(1, -1) : token);
    }
    finish();
  }
  return forNode(root, node);
}

/** Names of nodes that lines are kept for: `@dlp1 priority 101`. */
export function conditionNames(text: string): readonly string[] {
  const names = [...text.matchAll(/^[ \t]*@\^?([\w.-]+)/gm)].map(([, name]) => name);
  return [...new Set(names)];
}

function forNode(statements: readonly Statement[], node: string | null): readonly Statement[] {
  return statements.flatMap((statement) => {
    const block = statement.block && forNode(statement.block, node);
    const [, not, name] = /^@(\^?)(.+)$/.exec(statement.words[0]) ?? [];
    if (name === undefined) return [{ ...statement, block }];
    const meant = (name === node) !== (not === "^");
    return meant && statement.words.length > 1 ? [{ ...statement, words: statement.words.slice(1), block }] : [];
  });
}

/** "!" and "#" begin a comment anywhere outside quotes, also within a password. */
function withoutComment(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '"') quoted = !quoted;
    else if (!quoted && (line[i] === "#" || line[i] === "!")) return line.slice(0, i);
  }
  return line;
}

function tokens(line: string): readonly string[] {
  return line.match(/"[^"]*"|[{}](?=\s|$)|(?:[^\s{}"]|[{}](?!\s|$))+|[{}]/g) ?? [];
}

function substitute(line: string, definitions: ReadonlyMap<string, string>): string {
  return line.replace(/\$\{(\w+)\}|\$(\w+)/g, (whole, braced, plain) => definitions.get(braced ?? plain) ?? whole);
}
