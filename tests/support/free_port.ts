/**
 * Ports for those who have to be told one. They lie below the range that the kernel gives ports from (32768 on), so that
 * no connection and no listener on port 0 takes one before it is used, and none is given twice.
 */
const FIRST = 20_000;
const END = 32_000;
let next = FIRST + (Deno.pid * 61) % (END - FIRST);

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): number {
  for (;;) {
    const port = next;
    next = port + 1 < END ? port + 1 : FIRST;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
