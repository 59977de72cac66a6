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

/** A brace without its counterpart, or the statement whose block has none. */
export interface Unbalanced {
  readonly line: number;
  readonly text: string;
  readonly why: string;
}

/** Statements that only stand at the top: within a block, they show that it was never closed. */
const SECTIONS = /^(global_defs|vrrp_instance|vrrp_script|vrrp_sync_group|vrrp_track_\w+|virtual_server(_group)?)$/;

/** Where braces do not pair up. Nothing that is read of such a text can be relied on, as a block may hold the next. */
export function unbalancedBraces(text: string): readonly Unbalanced[] {
  const found: Unbalanced[] = [];
  let open: { readonly line: number; readonly text: string }[] = [];
  // A brace on its own line belongs to the statement before.
  let last: { readonly line: number; readonly text: string } | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const written = withoutComment(raw).trim();
    if (/^\$\w+\s*=/.test(written)) continue;
    let words: string[] = [];
    for (const token of [...tokens(written), ""]) {
      if (token !== "{" && token !== "}" && token !== "") {
        words.push(token);
        continue;
      }
      if (words.length > 0) {
        last = { line, text: written };
        const [keyword, name = ""] = /^@/.test(words[0]) ? words.slice(1) : words;
        if (open.length > 0 && SECTIONS.test(keyword ?? "")) {
          const why = `is not closed before line ${line}, where ${`${keyword} ${name}`.trim()} begins`;
          found.push({ ...open[0], why });
          open = [];
        }
        words = [];
      }
      if (token === "{") {
        if (last === null) found.push({ line, text: written, why: "opens a block of nothing" });
        open.push(last ?? { line, text: written });
      } else if (token === "}" && open.pop() === undefined) {
        found.push({ line, text: written, why: "closes nothing" });
      }
      if (token !== "") last = null;
    }
  }
  return open.length === 0 ? found : [...found, { ...open[0], why: "is not closed until the end of the file" }];
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
