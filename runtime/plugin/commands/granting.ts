/** All that a plugin asks for, granted by nobody's configuration: for the rules that its kind must keep. */
import type { Capabilities } from "../broker.ts";
import type { Manifest } from "../manifest.ts";

export interface Granting {
  /** What is not asked for is absent, as on a node. */
  readonly capabilities: Capabilities;
  /** How often something outside of this process was asked. */
  readonly asked: () => number;
}

/** Endpoints that answer 200 and commands that end with 0; or 503, and no way to reach them, where they `fail`. */
export function grantAll({ requests }: Manifest, { fail = false } = {}): Granting {
  let asked = 0;
  const ask = (what: string, name: string, granted: readonly string[]) => {
    if (!granted.includes(name)) throw new Error(`${what} "${name}" is not granted`);
    asked++;
  };
  const reach = (what: string, name: string, granted: readonly string[]) => {
    ask(what, name, granted);
    if (fail) throw new Error(`Cannot reach ${what.toLowerCase()} "${name}"`);
  };
  const { endpoints, commands } = requests;
  const capabilities: Capabilities = {
    ...(endpoints.length === 0 ? {} : {
      // deno-lint-ignore require-await
      async fetch({ endpoint }) {
        ask("Endpoint", endpoint, endpoints);
        return { status: fail ? 503 : 200, headers: [], body: new Uint8Array(0) };
      },
      // deno-lint-ignore require-await
      send: async (endpoint) => reach("Endpoint", endpoint, endpoints),
    }),
    ...(commands.length === 0 ? {} : {
      // deno-lint-ignore require-await
      async run(command) {
        reach("Command", command, commands);
        return { code: 0, output: "" };
      },
    }),
    ...(requests.store === 0 ? {} : { store: memoryStore() }),
  };
  return { capabilities, asked: () => asked };
}

function memoryStore() {
  const kept = new Map<string, string>();
  return {
    get: (key: string) => kept.get(key) ?? null,
    set: (key: string, value: string | null) => void (value === null ? kept.delete(key) : kept.set(key, value)),
  };
}
