/** Lines of another program's configuration that an import could not carry over. */

export interface Leftover {
  readonly file: string;
  readonly line: number;
  /** As it stands there, without what may be a secret. */
  readonly text: string;
  /** Why not, and what to do instead. */
  readonly why: string;
}

/** `FILE:LINE: TEXT: WHY`. */
export function formatLeftover({ file, line, text, why }: Leftover): string {
  return `${file}:${line}: ${text}: ${why}`;
}

/** In the order of the files, each once: a file that is read for two nodes has its lines once. */
export function sortLeftovers(leftovers: readonly Leftover[]): readonly Leftover[] {
  const files = [...new Set(leftovers.map(({ file }) => file))];
  const seen = new Set<string>();
  return [...leftovers]
    .sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line)
    .filter((leftover) => {
      const text = formatLeftover(leftover);
      return seen.has(text) ? false : seen.add(text);
    });
}

/** `line` with what follows a word such as auth_pass left out. */
export function withoutSecrets(line: string): string {
  return line.replace(/(\b[\w-]*(?:pass|secret|auth)[\w-]*)\s+(?!type\b|\{).+$/i, "$1 …").slice(0, 200);
}
