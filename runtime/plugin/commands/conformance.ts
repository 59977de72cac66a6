/** What every plugin of a kind must do, asked of it in its real sandbox. */
import type { JsonSchema } from "../../../plugins/declaration.ts";
import type { Event, PolicyInput } from "../../../plugins/contract.ts";
import { decodePlan, decodeVerdict } from "../../../plugins/answers.ts";
import { PluginThrew, PluginUnavailable } from "../failure.ts";
import { checkOptions } from "../options.ts";
import type { PluginKind } from "../protocol.ts";
import { appRules } from "./app_rules.ts";
import { grantAll } from "./granting.ts";
import type { Workshop } from "./workshop.ts";

export interface Rule {
  readonly name: string;
  /** Throws with what is wrong. */
  readonly test: (workshop: Workshop) => Promise<void>;
}

/** A config that the schema takes: defaults where there are, and the simplest value where there are none. */
export function sampleConfig(schema: JsonSchema): unknown {
  const given: Record<string, unknown> = {};
  for (const name of schema.required ?? []) given[name] = sampleValue(schema.properties?.[name] ?? {});
  return checkOptions(schema, given).value;
}

function sampleValue(schema: JsonSchema): unknown {
  if (schema.enum) return schema.enum[0];
  if (schema["x-tandem"] === "duration") return "1s";
  switch (schema.type) {
    case "number":
    case "integer":
      return schema.minimum ?? Math.min(1, schema.maximum ?? 1);
    case "boolean":
      return false;
    case "array":
      return Array.from({ length: schema.minItems ?? 0 }, () => sampleValue(schema.items ?? {}));
    case "object":
      return {};
    default:
      return "x".repeat(Math.max(8, schema.minLength ?? 0)).slice(0, schema.maxLength ?? 64);
  }
}

const target = { backend: "web", server: "node01", address: "192.0.2.1", port: 80, labels: {} };

const checkerRules: readonly Rule[] = [
  {
    name: "a server that refuses is down",
    async test(workshop) {
      const connect = () => Promise.reject(new Error("connect refused"));
      const verdict = await verdictOf(workshop, { connect });
      if (verdict.state === "up") throw new Error(`said up: ${verdict.reason}`);
    },
  },
  {
    name: "a server that never answers is down by the deadline, and the plugin obeys the signal",
    async test(workshop) {
      const connect = () => new Promise<never>(() => {});
      const verdict = await verdictOf(workshop, { connect }, 300);
      if (verdict.state === "up") throw new Error(`said up without having connected: ${verdict.reason}`);
    },
  },
  {
    name: "ten checks at once are answered, each with a verdict",
    async test(workshop) {
      const connect = () => Promise.reject(new Error("connect refused"));
      await Promise.all(Array.from({ length: 10 }, () => verdictOf(workshop, { connect })));
    },
  },
];

async function verdictOf(
  workshop: Workshop,
  capabilities: { connect: () => Promise<never> },
  deadline = 2000,
): Promise<{ readonly state: string; readonly reason: string }> {
  try {
    const all = { ...grantAll(workshop.manifest).capabilities, ...capabilities };
    return decodeVerdict(await workshop.call("check", target, deadline, { capabilities: all }));
  } catch (error) {
    if (error instanceof PluginThrew) return { state: "down", reason: error.message };
    if (error instanceof PluginUnavailable) throw new Error(`gave no answer: ${error.message}`);
    throw error;
  }
}

function policyInput(count: number, because: PolicyInput["because"] = "start"): PolicyInput {
  const servers = Array.from({ length: count }, (_, index) => ({
    name: `node${index}`,
    address: `192.0.2.${index + 1}`,
    port: 80,
    weight: 1 + index % 3,
    backup: false,
    labels: { zone: "abc"[index % 3] },
    connections: index,
    queued: 0,
    latencyMs: index === 0 ? null : index,
    errorRate: 0,
  }));
  return { backend: "web", generation: 1, because, servers };
}

const policyRules: readonly Rule[] = [1, 2, 16, 200].map((count) => ({
  name: `a plan for ${count} server${count === 1 ? "" : "s"} is valid and in time`,
  async test(workshop) {
    const input = policyInput(count);
    const { capabilities } = grantAll(workshop.manifest);
    const answer = await workshop.call("plan", input, 1000, { capabilities });
    decodePlan(answer, new Set(input.servers.map(({ name }) => name)));
  },
}));

const event: Event = {
  v: 1,
  id: "dlp1-1",
  seq: 1,
  at: "2026-01-01T00:00:00.000Z",
  node: "dlp1",
  cluster: "edge",
  type: "server.state",
  severity: "warning",
  about: "web/node01",
  resolves: null,
  text: "node01 is down: connect refused",
  attempt: 1,
  fields: { state: "down" },
};

const notifierRules: readonly Rule[] = [
  {
    name: "an event is delivered",
    async test(workshop) {
      const { capabilities } = grantAll(workshop.manifest);
      await workshop.call("notify", event, 2000, { capabilities });
    },
  },
  {
    name: "an endpoint that fails is told, and not swallowed",
    async test(workshop) {
      const { capabilities, asked } = grantAll(workshop.manifest, { fail: true });
      const failed = await workshop.call("notify", { ...event, id: "dlp1-2", about: "web/node02" }, 2000, {
        capabilities,
      }).then(() => false, (error) => error instanceof PluginThrew);
      if (asked() > 0 && !failed) throw new Error("what it asked failed, and the event counts as delivered");
    },
  },
];

export const conformance: Readonly<Record<PluginKind, readonly Rule[]>> = {
  checker: checkerRules,
  policy: policyRules,
  notifier: notifierRules,
  app: appRules,
};
