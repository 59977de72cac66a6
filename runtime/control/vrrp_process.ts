/** The vrrp process as control sees it: what it was told, what it said, and everything told again after a death. */
import type { Clock } from "../os/clock.ts";
import type { Exit, RoleListener, RoleProcess } from "../os/process.ts";
import type { Logger } from "../telemetry/log.ts";
import type {
  Hold,
  InstanceOptions,
  InstanceStatus,
  Tracking,
  VrrpCommand,
  VrrpEvent,
  VrrpReport,
  VrrpRuntime,
} from "../vrrp/protocol.ts";
import { type Child, superviseChild } from "./child.ts";
import { isEqual } from "./equal.ts";
import { vouchedInstances } from "./vrrp_options.ts";

export interface VrrpProcessOptions {
  readonly spawn: (listener: RoleListener) => RoleProcess;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the operator holds, asked whenever the process is told everything. */
  readonly holds: () => Readonly<Record<string, Hold>>;
  /** `before` is the status until now; null for an instance that is new to this process. */
  readonly status: (instance: InstanceStatus, before: InstanceStatus | null) => void;
  readonly event: (event: VrrpEvent) => void;
  readonly died: (exit: Exit, wait: number) => void;
}

export type Answer = Extract<VrrpReport, { readonly type: "answer" }>;

export interface VrrpProcess {
  readonly child: Child<VrrpCommand>;
  readonly runtime: VrrpRuntime | null;
  /** The newest status of each instance; of a process that died, the last one. */
  instances(): readonly InstanceStatus[];
  /** Makes `instances` the wanted set; answers the problems met. */
  apply(instances: readonly InstanceOptions[]): Promise<readonly string[]>;
  track(instance: string, tracking: Tracking): void;
  /** The first answer to a planned move, and a promise of the last. `answered` hears each of them as it comes. */
  move(
    command: { readonly type: "failover"; readonly instance: string; readonly hold: Hold | null } | {
      readonly type: "failback";
      readonly instance: string;
    },
    answered?: (answer: Answer) => void,
  ): Promise<{ readonly first: Answer; readonly last: Promise<Answer> }>;
}

/** A vrrp process says something each second: one that has said nothing for so long, ms, is taken for hung. */
const silence = 5000;
/** A process that died after so long a silence, ms, may have been hung for all of it, and its peer active since. */
const doubtful = 1500;

export function startVrrpProcess(options: VrrpProcessOptions): VrrpProcess {
  const { clock, log } = options;
  let wanted: readonly InstanceOptions[] | null = null;
  let runtime: VrrpRuntime | null = null;
  /** When the process last said something, monotonic ms. */
  let heard = clock.monotonic();
  /** When something was last heard after a silence that may have been ours: it may be as old as the silence is long. */
  let heardAgain = -Infinity;
  let known = new Map<string, InstanceStatus>();
  /** What this process said since it was started. */
  let fresh = new Set<string>();
  const tracking = new Map<string, Tracking>();
  const applies = new Map<number, (problems: readonly string[]) => void>();
  const moves = new Map<number, { readonly answer: (answer: Answer) => void }>();
  let nextId = 1;

  function applyCommand(): VrrpCommand & { readonly type: "apply" } {
    const instances = wanted ?? [];
    const dead = child?.diedAt ?? null;
    const vouched = dead === null || fresh.size > 0 || dead - heard > doubtful || dead - heardAgain < doubtful
      ? []
      : vouchedInstances(instances, [...known.values()], clock.monotonic() - dead);
    return {
      type: "apply",
      id: nextId++,
      instances,
      vouched,
      tracking: Object.fromEntries(tracking),
      holds: options.holds(),
    };
  }

  let child: Child<VrrpCommand> | null = null;
  const supervised = superviseChild<VrrpCommand, VrrpReport>({
    name: "vrrp",
    spawn: options.spawn,
    clock,
    log,
    silence,
    started(send) {
      fresh = new Set();
      if (wanted === null) return;
      const command = applyCommand();
      heard = clock.monotonic();
      // Whoever waited for the dead one's answer gets this one's.
      const waiting = [...applies.values()];
      applies.clear();
      applies.set(command.id, (problems) => waiting.forEach((resolve) => resolve(problems)));
      send(command);
    },
    reported(report) {
      const now = clock.monotonic();
      if (now - heard > doubtful) heardAgain = now;
      heard = now;
      switch (report.type) {
        case "ready":
          runtime = report.runtime;
          for (const sentence of report.runtime.missing) log.warning(sentence);
          return;
        case "applied":
          applies.get(report.id)?.(report.problems);
          applies.delete(report.id);
          return;
        case "status":
          return hear(report.instances);
        case "event":
          return options.event(report.event);
        case "answer":
          return moves.get(report.id)?.answer(report);
        case "stopped":
          return;
      }
    },
    died(exit, wait) {
      for (const [id, { answer }] of [...moves]) {
        answer({ type: "answer", id, outcome: "failed", text: "The vrrp process died during the move" });
      }
      options.died(exit, wait);
    },
  });
  child = supervised;

  function hear(instances: readonly InstanceStatus[]): void {
    const before = known;
    known = new Map(instances.map((instance) => [instance.name, instance]));
    for (const instance of instances) {
      const heard = fresh.has(instance.name);
      fresh.add(instance.name);
      options.status(instance, heard ? before.get(instance.name) ?? null : null);
    }
  }

  return {
    child: supervised,
    get runtime() {
      return runtime;
    },
    instances: () => [...known.values()],
    apply(instances) {
      // A node without virtual routers needs no privileges, and no process to have them.
      if (instances.length === 0 && !supervised.started) return Promise.resolve([]);
      supervised.start();
      wanted = instances;
      for (const name of tracking.keys()) if (!instances.some((one) => one.name === name)) tracking.delete(name);
      const command = applyCommand();
      return new Promise((resolve) => {
        applies.set(command.id, resolve);
        supervised.send(command);
      });
    },
    track(instance, value) {
      if (isEqual(tracking.get(instance), value)) return;
      tracking.set(instance, value);
      if (wanted?.some(({ name }) => name === instance)) supervised.send({ type: "track", instance, tracking: value });
    },
    move(command, answered = () => {}) {
      const id = nextId++;
      const first = Promise.withResolvers<Answer>();
      const last = Promise.withResolvers<Answer>();
      moves.set(id, {
        answer(answer) {
          answered(answer);
          first.resolve(answer);
          if (answer.outcome === "accepted" || answer.outcome === "moved") return;
          moves.delete(id);
          last.resolve(answer);
        },
      });
      supervised.send({ ...command, id });
      return first.promise.then((answer) => ({ first: answer, last: last.promise }));
    },
  };
}
