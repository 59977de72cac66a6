/** What a plan means, in words. Pure. */
import type { Plan } from "../config/diff.ts";

/** Settings that processes are started with, and cannot be told later. */
const fixed = /^(node$|proxy\.user|admin|log\.level|isolation)/;

/** "created http-in, updated VI_1", or "nothing changed". */
export function describePlan(plan: Plan): string {
  const parts = [
    ...phrase("created", plan, ({ create }) => create),
    ...phrase("updated", plan, ({ update }) => update.map(({ name }) => name)),
    ...told(plan),
    ...phrase("removed", plan, ({ remove }) => remove),
    ...deferred(plan).map((key) => `${key} takes effect when the node is started again`),
  ];
  return parts.length === 0 ? "nothing changed" : parts.join("; ");
}

/** Settings that changed but take effect only at the next start. */
export function deferred({ settings }: Plan): string[] {
  return settings.map(({ key }) => key).filter((key) => fixed.test(key));
}

/** Settings that who goes by them is told, or looks up. */
const followed = /^(log\.access|metrics|nodes|notify|proxy\.(?:threads|maxconn))/;

/** Settings that were told to who goes by them: "log.access", "metrics". */
function told({ settings }: Plan): string[] {
  const keys = settings.flatMap(({ key }) => followed.exec(key)?.[0] ?? []);
  return keys.length === 0 ? [] : [`updated ${[...new Set(keys)].join(", ")}`];
}

function phrase(verb: string, plan: Plan, names: (change: Plan["vrrp"]) => readonly string[]): string[] {
  const all = [...names(plan.vrrp), ...names(plan.frontends), ...names(plan.backends), ...names(plan.plugins)];
  return all.length === 0 ? [] : [`${verb} ${all.join(", ")}`];
}
