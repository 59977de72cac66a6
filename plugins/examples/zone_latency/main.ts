/**
 * Requests stay in the zone of the balancer as long as its servers are well, and among servers of a zone the faster gets
 * more. Both only as far as it does no harm: a zone that is overloaded or failing spills over, and no server is starved, or
 * nobody would ever learn that it is fast again.
 */
import { definePolicy, type PolicyServer, s } from "tandem/plugin";

export default definePolicy({
  config: {
    label: s.string({ default: "zone", description: "the label that names a server's zone" }),
    prefer: s.number({
      default: 0.9,
      minimum: 0,
      maximum: 1,
      description: "part of the requests that stays in the zone",
    }),
    minUp: s.integer({ default: 1, minimum: 1, description: "fewer servers than this in the zone: no preference" }),
    maxErrorRate: s.number({
      default: 0.2,
      minimum: 0,
      maximum: 1,
      description: "a zone that fails more is not preferred",
    }),
  },
  plan({ servers }, ctx) {
    const { label, prefer, minUp, maxErrorRate } = ctx.config;
    const zone = ctx.host.labels[label];
    const regular = servers.filter((server) => !server.backup);
    const usable = regular.length > 0 ? regular : servers;
    const near = usable.filter((server) => zone !== undefined && server.labels[label] === zone);
    const far = usable.filter((server) => !near.includes(server));
    const preferred = near.length >= minUp && errorRate(near) <= maxErrorRate;
    const groups = !preferred || far.length === 0 ? [{ part: 1, group: usable }] : [
      { part: prefer, group: near },
      { part: 1 - prefer, group: far },
    ];
    const weights = Object.fromEntries(groups.flatMap(({ part, group }) => share(group, part)));
    return {
      ttlMs: 3000,
      pick: "random2",
      weights,
      explain: explain(zone, near.length, usable.length, preferred, prefer),
    };
  },
});

/** A thousandth is as fine as traffic shows, and a plan that does not flicker is one that is not sent. */
const FINEST = 1000;
/** No server gets less than this part of what its speed peers get. */
const LEAST = 0.1;

/** The requests of a group over its servers, by weight and speed. */
function share(group: readonly PolicyServer[], part: number): [string, number][] {
  const usual = median(group.flatMap(({ latencyMs }) => latencyMs ?? []));
  const wants = group.map((server) => server.weight * speed(server, usual));
  const sum = wants.reduce((a, b) => a + b, 0) || 1;
  return group.map(({ name }, index) => [name, Math.max(1, Math.round(part * FINEST * wants[index] / sum))]);
}

/** 1 for a server as fast as its peers or not measured yet, less for a slower or a failing one. */
function speed({ latencyMs, errorRate }: PolicyServer, usual: number | null): number {
  const pace = latencyMs === null || usual === null || latencyMs <= usual ? 1 : usual / latencyMs;
  return Math.max(LEAST, pace * (1 - errorRate));
}

function errorRate(group: readonly PolicyServer[]): number {
  return group.reduce((sum, server) => sum + server.errorRate, 0) / group.length;
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function explain(zone: string | undefined, near: number, all: number, preferred: boolean, prefer: number): string {
  if (zone === undefined) return "this node has no zone: every server alike, by speed";
  if (!preferred) return `zone ${zone} has ${near} of ${all} servers, too few or failing: no preference`;
  return `${Math.round(prefer * 100)} % to the ${near} of ${all} servers in zone ${zone}`;
}
