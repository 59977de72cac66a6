/** The TCP connection that a checker is given: only to its target, and only until its deadline. */
import type { Connection } from "../../plugins/contract.ts";

/**
 * Connects to `address`:`port`.
 *
 * @throws the reason of `signal` once that is aborted, else an Error that says in two words what happened: "connect refused".
 */
export async function connect(address: string, port: number, signal: AbortSignal): Promise<Connection> {
  let conn: Deno.TcpConn;
  try {
    conn = await Deno.connect({ hostname: address, port, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`connect ${failure(cause)}`, { cause });
  }
  conn.setNoDelay(true);
  return wrap(conn, signal);
}

function wrap(conn: Deno.TcpConn, signal: AbortSignal): Connection {
  let open = true;
  // Closing is what interrupts a read or write that waits.
  const close = () => {
    if (!open) return;
    open = false;
    signal.removeEventListener("abort", close);
    conn.close();
  };
  signal.addEventListener("abort", close, { once: true });
  const attempt = async <T>(step: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      signal.throwIfAborted();
      throw new Error(`${step} ${failure(cause)}`, { cause });
    }
  };
  return {
    async read() {
      const buffer = new Uint8Array(4096);
      const length = await attempt("read", conn.read(buffer));
      return length === null ? null : buffer.subarray(0, length);
    },
    async write(bytes) {
      for (let sent = 0; sent < bytes.length;) sent += await attempt("write", conn.write(bytes.subarray(sent)));
    },
    close,
    // deno-lint-ignore require-await
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

/** What the system said, in few words. */
function failure(cause: unknown): string {
  if (cause instanceof Deno.errors.ConnectionRefused) return "refused";
  if (cause instanceof Deno.errors.ConnectionReset) return "reset";
  if (cause instanceof Deno.errors.ConnectionAborted) return "aborted";
  if (cause instanceof Deno.errors.TimedOut) return "timed out";
  if (cause instanceof Deno.errors.BrokenPipe) return "reset";
  const text = cause instanceof Error ? cause.message : String(cause);
  return `failed: ${text.replace(/ \(os error \d+\)$/, "").toLowerCase()}`;
}
