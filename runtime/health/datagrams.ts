/** The UDP socket that a checker is given: each write is a datagram to its target, each read one from there. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Connection } from "../../plugins/contract.ts";

/** Waiting for whoever reads, at most; what comes beyond is lost, as datagrams are. */
const mostWaiting = 16;

/**
 * Opens a socket for `address`:`port`. That nobody listens there is not told: no answer comes.
 *
 * @throws the reason of `signal` once that is aborted, else an Error that says what happened.
 */
export async function openDatagrams(address: string, port: number, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const arrived: Uint8Array[] = [];
  let broken: Error | null = null;
  let open = true;
  let wake: () => void = () => {};
  socket.on("message", (message, from) => {
    // Not connected, so that anybody could send: only the target is heard.
    if (from.address !== address || from.port !== port || arrived.length >= mostWaiting) return;
    arrived.push(new Uint8Array(message));
    wake();
  });
  socket.on("error", (error) => {
    broken = error;
    wake();
  });
  const close = () => {
    if (!open) return;
    open = false;
    signal.removeEventListener("abort", close);
    socket.close();
    wake();
  };
  signal.addEventListener("abort", close, { once: true });
  const usable = () => {
    signal.throwIfAborted();
    if (broken !== null) throw new Error(`read failed: ${broken.message}`, { cause: broken });
    if (!open) throw new Error("read failed: closed");
  };
  await new Promise<void>((resolve) => socket.bind(0, () => resolve()));
  return {
    async read() {
      for (;;) {
        const message = arrived.shift();
        if (message !== undefined) return message;
        usable();
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    async write(bytes) {
      usable();
      await new Promise<void>((resolve, reject) =>
        socket.send(
          bytes,
          port,
          address,
          (cause) => cause ? reject(new Error(`send failed: ${cause.message}`, { cause })) : resolve(),
        )
      );
    },
    close,
    // deno-lint-ignore require-await
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}
