/** What an operator grants a plugin, as what the plugin can do: endpoints, commands, memory. */
import type { Capabilities } from "./broker.ts";
import { type Endpoint, type EndpointOptions, EndpointRefused, requestEndpoint } from "./endpoints.ts";
import type { Granted, Grants } from "./grants.ts";
import { runCommand, sendDatagram } from "./outward.ts";
import { openStore, type PluginStore } from "./store.ts";

export interface GrantedOptions {
  /** Holds the stores, a file for each plugin. */
  readonly directory: string;
  /** Where no endpoint may be: the VRRP peers. Asked anew for every request, for a reload may bring others. */
  readonly outward: EndpointOptions;
}

/** One entry of `grants.endpoints` as written, secrets resolved: what is absent is nothing. */
type WrittenEndpoint = Partial<Endpoint> & { readonly url: string };

/** The capabilities of the plugin that the configuration calls `name`: what {@linkcode Registry} asks for. */
export interface Granting {
  (name: string, grants: Grants, granted: Granted): Omit<Capabilities, "connect">;
  /** Resolves when all stores are on the disk. */
  flush(): Promise<void>;
}

export function createGranting({ directory, outward }: GrantedOptions): Granting {
  // By file: a plugin and its successor of a reload must not overwrite each other's memory.
  const stores = new Map<string, PluginStore>();
  const storeOf = (path: string, bytes: number): PluginStore => {
    const store = stores.get(path) ?? openStore(path, bytes);
    store.limit(bytes);
    stores.set(path, store);
    return store;
  };
  const grant = (name: string, grants: Grants, granted: Granted) => {
    const written = grants.endpoints.map((one) => [one, completed(granted.endpoints[one] as WrittenEndpoint)] as const);
    return {
      ...(written.length === 0 ? {} : endpointCapabilities(Object.fromEntries(written), outward)),
      ...(grants.commands.length === 0 ? {} : { run: commandCapability(grants.commands, granted.commands) }),
      ...(grants.store === 0 ? {} : { store: storeOf(`${directory}/${name}.store.json`, grants.store) }),
    };
  };
  return Object.assign(grant, {
    flush: async () => void await Promise.all([...stores.values()].map((store) => store.flush())),
  });
}

function endpointCapabilities(
  endpoints: Readonly<Record<string, Endpoint>>,
  outward: EndpointOptions,
): Pick<Capabilities, "fetch" | "send"> {
  return {
    fetch: (request) => requestEndpoint(endpoints, request, outward),
    send(endpoint, message) {
      const found = Object.hasOwn(endpoints, endpoint) ? endpoints[endpoint] : null;
      if (found === null) return Promise.reject(new EndpointRefused(`Endpoint "${endpoint}" is not granted`));
      return sendDatagram(found.url.replace(/^udp:\/\//, ""), message, { ...outward, unsafe: found.unsafe });
    },
  };
}

function commandCapability(names: readonly string[], commands: Granted["commands"]): NonNullable<Capabilities["run"]> {
  return (command, args, options, signal) => {
    if (!names.includes(command)) return Promise.reject(new Error(`Command "${command}" is not granted`));
    return runCommand([...commands[command], ...args], options, signal);
  };
}

function completed({ url, headers = {}, signature = null, unsafe = false }: WrittenEndpoint): Endpoint {
  return { url, headers, signature, unsafe };
}
