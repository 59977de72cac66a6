/** Lines of haproxy.cfg that no reader understands, and what becomes of those whom a lost line kept out. */
import type { Leave, Line, Section } from "./haproxy_text.ts";

/** Sections without the lines that mean something else than they say. */
export function readable(sections: readonly Section[], leave: Leave): readonly Section[] {
  const open = leaveOpen(leave);
  return sections.map((section) => ({
    ...section,
    lines: section.lines.filter((line) => {
      const why = section.kind === "" ? "stands before any section" : reasonAgainst(line);
      if (why !== null) open(line, why);
      return why === null;
    }),
  }));
}

function reasonAgainst({ words: [keyword], variables }: Line): string | null {
  if (/^\.[a-z]+$/.test(keyword)) {
    return "conditions are not decided here: the lines around are carried as if all of them were meant";
  }
  return variables ? "environment variables are not read: write the value into the file" : null;
}

/** Nobody must believe that the door is shut because it was. */
export function leaveOpen(leave: Leave): Leave {
  return (line, why) => leave(line, keepsOut(line) ? `${why}; whom this line keeps out is let in` : why);
}

function keepsOut({ words: [keyword, ...rest] }: Line): boolean {
  if (keyword === "block" || /^reqi?(deny|tarpit)$/.test(keyword)) return true;
  if (keyword === "http-request") return /^(auth|deny|reject|silent-drop|tarpit)$/.test(rest[0] ?? "");
  return keyword === "tcp-request" && /^(reject|silent-drop)$/.test(rest[1] ?? "");
}
