/** The grammar of haproxy.cfg: sections of lines of words, with quotes, escapes and comments. */

export interface Line {
  readonly line: number;
  readonly words: readonly string[];
  /** As it stands, without indentation. */
  readonly text: string;
  /** Whether HAProxy would put values of environment variables into it. */
  readonly variables: boolean;
}

export interface Section {
  /** "global", "defaults", "frontend", "backend", "listen", or one that Tandem does not know; "" before the first. */
  readonly kind: string;
  readonly name: string;
  readonly head: Line;
  readonly lines: readonly Line[];
}

/** Where a line goes that cannot be carried over. */
export type Leave = (line: Line, why: string) => void;

const kinds: ReadonlySet<string> = new Set([
  "global",
  "defaults",
  "frontend",
  "backend",
  "listen",
  "peers",
  "resolvers",
  "userlist",
  "mailers",
  "program",
  "cache",
  "ring",
  "log-forward",
  "http-errors",
  "fcgi-app",
  "crt-store",
  "traces",
  "acme",
]);

export function parseHaproxy(text: string): readonly Section[] {
  const sections: (Section & { lines: Line[] })[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const { words, variables } = split(raw);
    if (words.length === 0) continue;
    const line = { line: index + 1, words, text: raw.trim(), variables };
    if (kinds.has(words[0])) sections.push({ kind: words[0], name: words[1] ?? "", head: line, lines: [] });
    else if (sections.length === 0) sections.push({ kind: "", name: "", head: line, lines: [line] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections;
}

/**
 * Words of a line (HAProxy's configuration manual, 2.2 and 2.3): "…" and '…' quote, a backslash escapes, "#" begins a
 * comment, and within "…" a dollar begins a variable.
 */
function split(line: string): Pick<Line, "words" | "variables"> {
  const words: string[] = [];
  let variables = false;
  let word: string | null = null;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (quote === "" && char === "#") break;
    if (quote === "" && (char === " " || char === "\t")) {
      if (word !== null) words.push(word);
      word = null;
    } else if (quote === "" && (char === '"' || char === "'")) {
      quote = char;
      word ??= "";
    } else if (char === quote) quote = "";
    else if (char === "\\" && quote !== "'" && i + 1 < line.length) word = (word ?? "") + escaped(line[++i]);
    else {
      if (quote === '"' && /^\$[{A-Za-z_]/.test(line.slice(i, i + 2))) variables = true;
      word = (word ?? "") + char;
    }
  }
  if (word !== null) words.push(word);
  return { words, variables };
}

function escaped(char: string): string {
  return ({ n: "\n", r: "\r", t: "\t" } as Readonly<Record<string, string>>)[char] ?? char;
}
