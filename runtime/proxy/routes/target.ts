/** Targets made of templates: where a redirect leads, and what a rewritten request asks for. */
import { bytesOf } from "../../http/mod.ts";
import { escape } from "../../http/path.ts";
import { fill, type Template } from "../../http/template.ts";

/**
 * Value of Location, or null where it would lead to no host: HTTP/1.0 requests may name none. What may not stand in a URI is percent-encoded, so no capture ends the line; and a location that
 * was meant as a path stays one: "//evil.example" would lead to another host.
 */
export function location(to: Template, value: (name: string) => string): string | null {
  const text = uriText(fill(to, value));
  if (/^[a-z]+:\/\/(?:[/?#:]|$)/i.test(text)) return null;
  return to.literals[0].startsWith("//") ? text : text.replace(/^\/{2,}/, "/");
}

/** The rewritten target with the query as it was sent, unless the template has one of its own; null if it is no path. */
export function rewritten(path: Template, sentQuery: string, value: (name: string) => string): Uint8Array | null {
  const text = uriText(fill(path, value));
  if (!text.startsWith("/") || text.includes("#")) return null;
  const ownQuery = path.names.includes("uri") || path.literals.some((literal) => literal.includes("?"));
  return bytesOf(ownQuery || sentQuery === "" ? text : `${text}?${sentQuery}`);
}

function uriText(text: string): string {
  return text.replace(/[^\x21-\x7e]|["<>\\^`{|}]/gu, (character) => {
    return [...new TextEncoder().encode(character)].map(escape).join("");
  });
}
