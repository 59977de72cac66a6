/**
 * An engine thread: a Worker that, once started, never returns to its event loop. Messages are fetched from the port
 * when the eventfd behind them wakes it; its own go out at once.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import { openIo } from "../os/open_io.ts";
import { configureLog, type KnownReasons } from "./access_log/thread_log.ts";
import { Engine } from "./engine.ts";
import { Rehearsal } from "./rehearsal.ts";
import { RoutingTable } from "./routing_table.ts";
import { SharedState } from "./shared_state.ts";
import type { ThreadCommand, ThreadReport, ThreadStart } from "./thread_protocol.ts";

interface WorkerScope {
  postMessage(report: ThreadReport): void;
  close(): void;
}

/** Serves until told to stop. `start` is the Worker's first message, a ThreadStart. */
export function run(start: unknown): void {
  const scope = globalThis as unknown as WorkerScope;
  const say = (report: ThreadReport) => scope.postMessage(report);
  try {
    serve(start as ThreadStart, say);
    say({ type: "exited" });
  } catch (error) {
    say({ type: "failed", text: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
  scope.close();
}

function serve(start: ThreadStart, say: (report: ThreadReport) => void): void {
  const shared = new SharedState(start.shared, start.thread);
  const { descriptors } = start.shared;
  using io = openIo({ arena: start.arena, descriptors, owned: shared.owned });
  const engine = new Engine(io, shared, {
    report: (text) => say({ type: "text", text }),
    evidence: (evidence) => say({ type: "evidence", evidence }),
    compare: (id, password, hash) => say({ type: "compare", id, password, hash }),
  });
  const table = new RoutingTable(engine);
  engine.verdictsChanged = () => table.observe();
  engine.seekRoom = () => {
    engine.room.wanted = false;
    table.relieved();
  };
  engine.relieved = () => table.relieved();
  engine.drained = () => {
    // The process may end when this is heard.
    engine.accessLog?.flush();
    say({ type: "drained" });
  };
  const known: KnownReasons = { reasons: new Map() };
  const rehearsal = new Rehearsal(engine);
  io.watch(start.wake, () => {
    for (;;) {
      const received = receiveMessageOnPort(start.port as unknown as Parameters<typeof receiveMessageOnPort>[0]);
      if (received === undefined) return;
      try {
        const command = received.message as ThreadCommand;
        obey(command, engine, table, known, say);
        if (command.type === "apply") rehearsal.plan();
      } catch (error) {
        // Half of what was told must not stay: a new thread begins with the whole.
        return engine.fail(error);
      }
    }
  });
  say({ type: "ready", io: io.name, reason: io.reason });
  engine.run();
  // Nothing hears of connections any more.
  engine.relieved = () => {};
  table.cut();
  engine.accessLog?.flush();
}

function obey(
  command: ThreadCommand,
  engine: Engine,
  table: RoutingTable,
  known: KnownReasons,
  say: (report: ThreadReport) => void,
): void {
  switch (command.type) {
    case "apply":
      table.apply(command.options, command.slots, command.listeners);
      configureLog(engine, command.options.accessLog ?? null, known);
      return say({ type: "applied", id: command.id });
    case "settle":
      engine.observeVerdicts();
      return say({ type: "applied", id: command.id });
    case "plan":
      return table.plan(command.backend, command.plan);
    case "retire":
      engine.retired = new Set(command.addresses);
      return;
    case "reasons":
      known.reasons = command.reasons;
      return;
    case "held":
      engine.routing.held = new Set(command.addresses);
      return;
    case "compared":
      return engine.routing.passwords.answered(command.id, command.matches);
    case "drain":
      engine.drain();
      table.drain(command.patient);
      engine.accessLog?.flush();
      return;
    case "resume":
      return engine.resume();
    case "exit":
      // What came since it said so is served first; it says so again.
      if (!command.drained || engine.isDrained) engine.stop();
  }
}
