/** Signals that a process shall not hear, and those it listens to. */
import { symbolsOf } from "./libc.ts";

const numbers = { SIGINT: 2, SIGUSR1: 10, SIGUSR2: 12, SIGPIPE: 13, SIGTERM: 15 } as const;
const SIG_IGN = 1n;

/**
 * Deaf to `signals` for good, and in programs started from here until they decide otherwise.
 *
 * Half a second after its start Deno takes signals for itself, each once: SIGINT and SIGTERM to end the program, SIGUSR1 to
 * open an inspector without a password, through which every user of the machine is who we are. So it has to take them now,
 * and then they are taken away from it.
 */
export function ignoreSignals(...signals: readonly (keyof typeof numbers)[]): void {
  if (Deno.build.os !== "linux") return;
  const { signal } = symbolsOf(["signal"]);
  const nobody = () => {};
  for (const name of signals) {
    Deno.addSignalListener(name, nobody);
    signal(numbers[name], SIG_IGN);
    Deno.removeSignalListener(name, nobody);
  }
}

/** Runs `listener` on each of `signals` until disposed. */
export function onSignals(signals: readonly Deno.Signal[], listener: (signal: Deno.Signal) => void): Disposable {
  const listeners = signals.map((signal) => [signal, () => listener(signal)] as const);
  for (const [signal, run] of listeners) Deno.addSignalListener(signal, run);
  return {
    [Symbol.dispose]() {
      for (const [signal, run] of listeners.splice(0)) Deno.removeSignalListener(signal, run);
    },
  };
}
