/** A server that answers what it hears, on a thread of its own so that it is not measured with the checks. */
const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
(self as unknown as { postMessage(port: number): void }).postMessage(listener.addr.port);
for await (const connection of listener) {
  void (async () => {
    const buffer = new Uint8Array(256);
    const length = await connection.read(buffer);
    if (length !== null) await connection.write(buffer.subarray(0, length));
    connection.close();
  })().catch(() => {});
}
