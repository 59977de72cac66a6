/**
 * What a frontend and a route change of a response, done to answers of our own: whoever relies on a field of every response
 * (HSTS, CORS, a request id) needs it on a 503 most of all. HAProxy calls it `http-after-response`.
 */
import { bytesOf, type FieldEdits } from "../../http/mod.ts";
import { dropsField } from "../../http/field_edits.ts";
import type { Answer } from "./answer.ts";

/** Changes of one response. */
export interface ResponseFields {
  readonly edits: FieldEdits;
  /** Lines whose values depend on the request. */
  readonly lines: Uint8Array | null;
}

/** The answer as the changes leave it; its framing is not theirs to change. */
export function withFields({ status, lines, body }: Answer, { edits, lines: more }: ResponseFields): Answer {
  const kept = edits.drop.length === 0 ? lines : lines.split(/(?<=\r\n)/).filter((line) => {
    const name = bytesOf(line.slice(0, line.indexOf(":")));
    return !dropsField(edits, name, 0, name.length);
  }).join("");
  return { status, lines: kept + latin1(edits.append) + (more === null ? "" : latin1(more)), body };
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
