/**
 * A child that is started before anybody knows what to tell it: while the configuration is still being read, its process
 * loads. What it says meanwhile is kept for whoever takes it.
 */
import type { RoleListener, RoleProcess } from "../os/process.ts";

export interface Prestarted {
  /** The waiting process at the first call, as long as it lives; a new one after that. */
  readonly spawn: (listener: RoleListener) => RoleProcess;
  /** Ends the process if nobody took it. */
  discard(): void;
}

export function prestart(spawn: (listener: RoleListener) => RoleProcess): Prestarted {
  let listening: RoleListener | null = null;
  const kept: ((listener: RoleListener) => void)[] = [];
  const pass = (tell: (listener: RoleListener) => void) => {
    if (listening === null) kept.push(tell);
    else tell(listening);
  };
  let waiting: RoleProcess | null = spawn({
    message: (value) => pass((listener) => listener.message(value)),
    garbage: (line) => pass((listener) => listener.garbage(line)),
  });
  waiting.exited.then(() => waiting = null);
  return {
    spawn(listener) {
      if (waiting === null) return spawn(listener);
      const taken = waiting;
      waiting = null;
      // The taker does not know the process yet: what was kept is told in the next turn.
      queueMicrotask(() => {
        listening = listener;
        for (const tell of kept.splice(0)) tell(listener);
      });
      return taken;
    },
    discard() {
      waiting?.end();
      waiting = null;
    },
  };
}
