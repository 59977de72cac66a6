/** What a plugin asks for, in sentences for whoever has to agree, and what of it is new. Pure. */
import type { Manifest } from "../manifest.ts";

/** One sentence for each thing. */
export function asksOf({ requests, limits }: Manifest): string[] {
  return [
    ...requests.net.map(() => "connections to the servers it checks, and to nothing else"),
    ...requests.secrets.map((name) => `a secret for its "${name}"`),
    ...requests.endpoints.map((name) => `requests to the endpoint "${name}", wherever you say that is`),
    ...requests.commands.map((name) => `running the command "${name}", whatever you say that is`),
    ...requests.store > 0 ? [`${requests.store} bytes that survive restarts`] : [],
    `${Math.round(limits.memory / 2 ** 20)} MiB of memory, and ${limits.deadline} ms for an answer`,
  ];
}

/** Lines that tell what changed; empty where nothing did. */
export function changedAsks(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...after.filter((ask) => !before.includes(ask)).map((ask) => `  now asks for    ${ask}`),
    ...before.filter((ask) => !after.includes(ask)).map((ask) => `  no longer for   ${ask}`),
  ];
}

/** Lines for the configuration; they grant exactly what is asked for. */
export function grantLines(name: string, path: string, { requests }: Manifest): string {
  const grants = [
    ...(requests.net.length > 0 ? [`net: [${requests.net.join(", ")}]`] : []),
    ...(requests.secrets.length > 0 ? [`secrets: [NAME]`] : []),
    ...(requests.endpoints.length > 0
      ? [`endpoints: { ${requests.endpoints.map((one) => `${one}: { url: "https://…" }`).join(", ")} }`]
      : []),
    ...(requests.commands.length > 0
      ? [`commands: { ${requests.commands.map((one) => `${one}: [/path/to/program]`).join(", ")} }`]
      : []),
    ...(requests.store > 0 ? [`store: ${requests.store}B`] : []),
  ];
  // YAML reads some words, "null" and "off", as something else than text.
  const key = /^(true|false|null|yes|no|on|off|y|n)$/i.test(name) || /^[\d.]/.test(name) ? JSON.stringify(name) : name;
  return `plugins:\n  ${key}: { source: ${JSON.stringify(path)}, grants: { ${grants.join(", ")} } }`;
}
