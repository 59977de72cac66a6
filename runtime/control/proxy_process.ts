/** The proxy process as control sees it: what it was told, what it said, and everything told again after a death. */
import { type Clock, within } from "../os/clock.ts";
import type { Exit, RoleListener, RoleProcess } from "../os/process.ts";
import type {
  BackendCounters,
  Evidence,
  FrontendCounters,
  ListenerStatus,
  ProxyCommand,
  ProxyOptions,
  ProxyReport,
  ServerCounters,
  ServerVerdict,
} from "../proxy/protocol.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Child, superviseChild } from "./child.ts";
import { listeningTime } from "./listening_time.ts";
import { createServerPaces, type ServerPace } from "./server_pace.ts";
import type { ProxyFacts } from "./tracking.ts";

export interface ProxyProcessOptions {
  readonly spawn: (listener: RoleListener) => RoleProcess;
  readonly clock: Clock;
  readonly log: Logger;
  /** Every server's verdict, asked whenever the process is told everything. */
  readonly verdicts: () => readonly ServerVerdict[];
  /** Virtual addresses that this node holds, asked whenever the process is told everything. */
  readonly held: () => readonly string[];
  /** Something that trackers judge by may have changed. */
  readonly changed: () => void;
  /** Lines of the access log that its processes dropped so far. */
  readonly droppedLines: (total: number) => void;
  readonly died: (exit: Exit, wait: number) => void;
  /** A server fails one request after the other. */
  readonly evidence: (evidence: Evidence) => void;
}

export type ProxyReady = Extract<ProxyReport, { readonly type: "ready" }>;

export interface ProxyCounters {
  readonly frontends: readonly FrontendCounters[];
  readonly backends: readonly BackendCounters[];
  readonly servers: readonly ServerCounters[];
  /** Lines of the access log that nobody took in time. */
  readonly droppedLines: number;
}

export interface ProxyProcess {
  readonly child: Child<ProxyCommand>;
  readonly ready: ProxyReady | null;
  /** Ask at least each second: a longer pause counts as a stall of the one who asks. */
  facts(): ProxyFacts;
  counters(): ProxyCounters;
  /** How a server has answered of late. */
  pace(backend: string, server: string): ServerPace;
  /** Makes `options` the wanted set; answers what listens then. */
  apply(options: ProxyOptions): Promise<readonly ListenerStatus[]>;
  send(command: Extract<ProxyCommand, { readonly type: "verdicts" | "plan" | "retire" | "reinstate" | "held" }>): void;
  /** Whether everything told before is what every engine thread goes by, within `patience` ms. */
  settled(patience: number): Promise<boolean>;
}

type Status = Extract<ProxyReport, { readonly type: "status" }>;

function sumDropped({ threads }: Status): number {
  return threads.reduce((sum, { droppedLines = 0 }) => sum + droppedLines, 0);
}

/** A proxy process says something every 250 ms. */
const silence = 10_000;
/** Whoever did not look for longer than this, ms, was away itself. */
const attention = 1000;

export function startProxyProcess(options: ProxyProcessOptions): ProxyProcess {
  const { clock, log } = options;
  let wanted: ProxyOptions | null = null;
  let ready: ProxyReady | null = null;
  let running = false;
  let listeners: readonly ListenerStatus[] = [];
  let status: Status | null = null;
  const listened = listeningTime(clock, attention);
  let heard = listened();
  /** Dropped lines of this process, and of those before it. */
  let dropped = 0;
  let droppedBefore = 0;
  const applies = new Map<number, (listeners: readonly ListenerStatus[]) => void>();
  /** What to do when the process, or its successor, has settled. */
  const settling = new Map<number, () => void>();
  let nextId = 1;
  const paces = createServerPaces();

  const applyCommand = (wanted: ProxyOptions): ProxyCommand & { readonly type: "apply" } => ({
    type: "apply",
    id: nextId++,
    options: wanted,
    verdicts: options.verdicts(),
  });

  const child = superviseChild<ProxyCommand, ProxyReport>({
    name: "proxy",
    spawn: options.spawn,
    clock,
    log,
    silence,
    started(send) {
      running = true;
      heard = listened();
      if (wanted === null) return;
      const command = applyCommand(wanted);
      // Whoever waited for the dead one's answer gets this one's.
      const waiting = [...applies.values()];
      applies.clear();
      applies.set(command.id, (answer) => waiting.forEach((resolve) => resolve(answer)));
      send(command);
      const addresses = options.held();
      if (addresses.length > 0) send({ type: "held", addresses });
      for (const id of settling.keys()) send({ type: "settle", id });
    },
    reported(report) {
      heard = listened();
      switch (report.type) {
        case "ready":
          ready = report;
          for (const sentence of report.missing) log.warning(sentence);
          return;
        case "applied":
          listeners = report.listeners;
          applies.get(report.id)?.(report.listeners);
          applies.delete(report.id);
          return options.changed();
        case "settled":
          return settling.get(report.id)?.();
        case "listeners":
          listeners = report.listeners;
          return options.changed();
        case "status":
          status = report;
          paces.observe(report.servers, clock.monotonic());
          dropped = sumDropped(report);
          if (dropped > 0) options.droppedLines(droppedBefore + dropped);
          return options.changed();
        case "evidence":
          return options.evidence(report.evidence);
        case "thread":
          return log.warning(report.text, { thread: report.thread });
        case "stopped":
          return;
      }
    },
    died(exit, wait) {
      running = false;
      droppedBefore += dropped;
      dropped = 0;
      paces.restart();
      listeners = [];
      status = null;
      options.died(exit, wait);
      options.changed();
    },
  });

  return {
    child,
    get ready() {
      return ready;
    },
    facts: () => ({ running, listeners, threads: status?.threads ?? [], reportAge: listened() - heard }),
    counters: () => ({
      frontends: status?.frontends ?? [],
      backends: status?.backends ?? [],
      servers: status?.servers ?? [],
      droppedLines: droppedBefore + dropped,
    }),
    pace: paces.of,
    apply(next) {
      wanted = next;
      const command = applyCommand(next);
      return new Promise((resolve) => {
        applies.set(command.id, resolve);
        child.send(command);
      });
    },
    send: (command) => child.send(command),
    async settled(patience) {
      const id = nextId++;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      settling.set(id, () => resolve(true));
      child.send({ type: "settle", id });
      try {
        return await within(clock, patience, promise, false);
      } finally {
        settling.delete(id);
      }
    },
  };
}
