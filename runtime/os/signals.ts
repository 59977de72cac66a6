/** Signals that a process shall not hear, and those it listens to. */
import { symbolsOf } from "./libc.ts";

const numbers = { SIGHUP: 1, SIGINT: 2, SIGUSR1: 10, SIGUSR2: 12, SIGPIPE: 13, SIGTERM: 15 } as const;
const SIG_IGN = 1n;

/** Deaf to `signals` for good, as are programs started from here until they decide otherwise. */
export function ignoreSignals(...signals: readonly (keyof typeof numbers)[]): void {
  for (const name of signals) handle(name, () => SIG_IGN);
}

/**
 * SIGUSR1 does nothing here; programs started from here have it as it was. Deno would open its inspector, without a password:
 * every user of the machine could be who we are.
 */
export function refuseInspector(): void {
  handle("SIGUSR1", (abs) => abs);
}

/**
 * Half a second after its start Deno takes signals for itself, each once: SIGHUP, SIGINT and SIGTERM to end the program,
 * SIGUSR1 for its inspector. So it has to take them now, and then they are taken away from it.
 */
function handle(name: keyof typeof numbers, handler: (abs: bigint) => bigint): void {
  if (Deno.build.os !== "linux") return;
  const { signal, abs } = symbolsOf(["signal", "abs"]);
  const nobody = () => {};
  Deno.addSignalListener(name, nobody);
  signal(numbers[name], handler(BigInt(Deno.UnsafePointer.value(abs))));
  Deno.removeSignalListener(name, nobody);
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
