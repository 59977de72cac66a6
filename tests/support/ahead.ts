/** What measures must not wait for a processor itself: a busy machine is no outage, and must not be mistaken for one. */

/** Below the vrrp process (50), above everything ordinary. */
const priority = "5";
let allowed: boolean | null = null;

/** `argv` as it must be started to run ahead of ordinary processes; unchanged where nobody may (it needs CAP_SYS_NICE). */
export function ahead(argv: readonly string[]): string[] {
  allowed ??= mayRunAhead();
  return allowed ? ["chrt", "--fifo", priority, ...argv] : [...argv];
}

function mayRunAhead(): boolean {
  try {
    return new Deno.Command("chrt", { args: ["--fifo", priority, "true"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
