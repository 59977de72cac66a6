/** The demo's fixed picture: who is on the network, and the one configuration that both nodes run. */

/** Time between two adverts, and the virtual IP that they are about. */
export const virtualAddress = "192.168.219.100";
export const prefixLength = 24;
/** Name of the interface in every namespace, and of the port to the switch beside it. */
export const device = "ens32";

export interface Machine {
  readonly name: string;
  readonly address: string;
}

export const nodes: readonly (Machine & { readonly priority: number; readonly hostPort: number })[] = [
  { name: "dlp1", address: "192.168.219.134", priority: 101, hostPort: 9700 },
  { name: "dlp2", address: "192.168.219.135", priority: 100, hostPort: 9701 },
];

export const servers: readonly Machine[] = [
  { name: "node01", address: "192.168.219.136" },
  { name: "node02", address: "192.168.219.137" },
];

export const client: Machine = { name: "client", address: "192.168.219.10" };

/** Where a node's admin API listens inside the demo's directory. */
export function adminSocket(directory: string, node: string): string {
  return `${directory}/${node}.sock`;
}

/** The `tandem.yaml` of the pair, the same for both nodes. */
export function configuration(directory: string): string {
  return `version: 1
nodes:
${nodes.map(({ name, address }) => `  ${name}: ${nodeOverlay(address, adminSocket(directory, name))}`).join("\n")}
vrrp:
  VI_1:
    interface: ${device}
    virtual_router_id: 51
    version: 2
    advert_int: 1s
    priority: { ${nodes.map(({ name, priority }) => `${name}: ${priority}`).join(", ")} }
    authentication: { type: pass, password: "1111" }
    virtual_addresses: [${virtualAddress}/${prefixLength}]
frontends:
  http-in:
    bind: "VI_1:80"
    forwardfor: true
    default_backend: backend_servers
backends:
  backend_servers:
    balance: roundrobin
    check: { type: http, path: /, interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
    servers:
${servers.map(({ name, address }) => `      ${name}: ${address}:80`).join("\n")}
proxy: { threads: 1 }
`;
}

function nodeOverlay(address: string, socket: string): string {
  return `{ address: ${address}, admin: { bind: null, socket: ${JSON.stringify(socket)} } }`;
}
