/** What a process uses, as the kernel says. */

export interface Usage {
  /** Memory of its own, bytes: anonymous and shared pages, not the program's file. */
  readonly memory: number;
  /** User and system time since its start, ms. */
  readonly cpu: number;
  /** Its main thread has work and waits for a processor, or has one. */
  readonly runnable: boolean;
}

/** USER_HZ is 100 on every Linux that Deno runs on. */
const TICK = 10;

/** Parses /proc/PID/stat and /proc/PID/status. */
export function parseUsage(stat: string, status: string): Usage {
  // The second field is the name in brackets and may hold anything, spaces and brackets too.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return {
    memory: (kilobytes("RssAnon") + kilobytes("RssShmem")) * 1024,
    cpu: (Number(fields[11]) + Number(fields[12])) * TICK,
    runnable: fields[0] === "R",
  };
}

/** null when the process is gone. */
export async function readUsage(pid: number): Promise<Usage | null> {
  try {
    const [stat, status] = await Promise.all([
      Deno.readTextFile(`/proc/${pid}/stat`),
      Deno.readTextFile(`/proc/${pid}/status`),
    ]);
    return parseUsage(stat, status);
  } catch {
    return null;
  }
}
