/** Makes the nodes' admin APIs, Unix sockets inside the demo, reachable from the host by TCP on loopback. */

/**
 * Listens on 127.0.0.1:`port` and passes every connection on to the Unix socket at `path`, until it is disposed of.
 *
 * @throws {Error} when the port is taken.
 */
export function relay(port: number, path: string): Disposable {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: "127.0.0.1", port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot listen on 127.0.0.1:${port}: ${reason}`, { cause });
  }
  void accept(listener, path);
  return { [Symbol.dispose]: () => close(listener) };
}

async function accept(listener: Deno.TcpListener, path: string): Promise<void> {
  try {
    for await (const from of listener) void pass(from, path);
  } catch {
    // The listener was closed.
  }
}

async function pass(from: Deno.TcpConn, path: string): Promise<void> {
  try {
    const to = await Deno.connect({ transport: "unix", path });
    await Promise.all([from.readable.pipeTo(to.writable), to.readable.pipeTo(from.writable)]);
  } catch {
    // The node is not there, or one side hung up: the other learns it by its own closed connection.
    close(from);
  }
}

function close(resource: Disposable & { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed already.
  }
}
