/** The classic pair as a configuration, without checks: servers are up at once. */
import { load } from "../../../runtime/config/load.ts";
import { formatProblem } from "../../../runtime/config/problem.ts";
import type { Config } from "../../../runtime/config/model.ts";

export const pairText = `
version: 1
nodes: { dlp1: { address: 192.0.2.1 }, dlp2: { address: 192.0.2.2 } }
vrrp:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    priority: { dlp1: 101, dlp2: 100 }
    virtual_addresses: [192.0.2.100/24]
frontends:
  http-in: { bind: "VI_1:80", default_backend: web }
backends:
  web:
    servers: { a: 192.0.2.11:80, b: { address: 192.0.2.12:80, weight: 2 } }
`;

export function config(text = pairText, node = "dlp1"): Config {
  const loaded = load(text, { file: "tandem.yaml", node, hostname: "x", readSecret: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  return loaded.config;
}
