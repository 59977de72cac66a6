/** `failover`: hands instances over to the peer, and holds them there. */
import { printable } from "../bytes/printable.ts";
import type { Status } from "../control/status.ts";
import { demand, operator, order } from "./admin_client.ts";
import { CommandError, Exit } from "./exit.ts";
import { parseOptions, reachOptions, saidOptions } from "./options.ts";
import { print } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions("failover", args, {
    ...reachOptions,
    ...saidOptions,
    all: { type: "boolean" },
    wait: { type: "boolean" },
  }, [0, 1]);
  if ((positionals.length === 0) !== (values.all === true)) {
    throw new CommandError(Exit.usage, "Name one INSTANCE, or --all of them; see tandem failover --help");
  }
  const instances = values.all ? await activeInstances(values) : positionals;
  if (instances.length === 0) {
    print("Nothing is active here");
    return Exit.done;
  }
  const body = { for: values.for, reason: values.reason, by: operator(), wait: values.wait };
  // Side by side: each waits for its own peer and connections.
  const answers = await Promise.all(instances.map(async (instance) => {
    const { text } = await order(values, "POST", `/api/v1/vrrp/${encodeURIComponent(instance)}/failover`, body);
    return `${instance}: ${text}`;
  }));
  answers.map(printable).forEach(print);
  return Exit.done;
}

async function activeInstances(reach: Parameters<typeof demand>[0]): Promise<string[]> {
  const status: Status = await demand(reach, "GET", "/api/v1/status");
  return status.vrrp.filter(({ state }) => state === "active").map(({ name }) => name);
}
