/** A process by its id and its start: the id alone may be another's tomorrow. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after the boot of the machine. */
  readonly started: number;
}

/** null = there is none, or nothing but its exit code is left of it. */
export function identityOf(pid: number): ProcessIdentity | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return null;
  }
  // proc(5): the name in parentheses may hold anything; after it come the state (3rd field) … the start (22nd).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields[19]);
  return fields[0] === "Z" || !Number.isInteger(started) ? null : { pid, started };
}

export function isAlive({ pid, started }: ProcessIdentity): boolean {
  return identityOf(pid)?.started === started;
}
