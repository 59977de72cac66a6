/** An engine that is to leave: not while somebody may come whom the kernel has accepted, and nobody has heard of yet. */
import assert from "node:assert/strict";
import { libc } from "../../../runtime/os/libc.ts";
import { openIo } from "../../../runtime/os/open_io.ts";
import { boundPort, listenOn } from "../../../runtime/os/tcp_socket.ts";
import { Engine } from "../../../runtime/proxy/engine.ts";
import { RoutingTable } from "../../../runtime/proxy/routing_table.ts";
import { allocateShared, SharedState } from "../../../runtime/proxy/shared_state.ts";
import type { ThreadOptions } from "../../../runtime/proxy/thread_protocol.ts";

const DESCRIPTORS = 4096;
const address = "127.0.0.1";
const timeouts = { httpRequest: 10_000, keepAlive: 10_000, client: 10_000, tunnel: 10_000 };

for (const way of ["uring", "epoll"]) {
  Deno.test(`${way}: Engine is drained when those have gone who came before its listener was taken away`, async () => {
    const listener = listenOn(address, 0);
    assert.ok("fd" in listener);
    const { fd } = listener;
    const port = boundPort(fd);
    using io = openIo({ arena: 4 << 20, descriptors: DESCRIPTORS }, way);
    const shared = new SharedState(allocateShared(1, DESCRIPTORS), 0);
    const engine = new Engine(io, shared, { report() {}, evidence() {}, compare() {} });
    const table = new RoutingTable(engine);
    const front = {
      name: "front",
      mode: "http",
      forwardfor: true,
      defaultBackend: null,
      maxconn: 100,
      timeouts,
    } as const;
    const options: ThreadOptions = {
      threads: 1,
      maxconn: 100,
      frontends: [{ ...front, binds: [{ address, port }], trustedProxies: [], routing: null }],
      backends: [],
    };
    const slots = { frontends: new Map([["front", 0]]), servers: new Map(), backends: new Map() };
    table.apply(options, slots, [{ fd, frontend: "front", address, proxyProtocol: false }]);
    io.wait(0);
    const clients = await Promise.all(Array.from({ length: 4 }, () => Deno.connect({ port })));
    io.wait(10);

    let told = 0;
    engine.drained = () => told++;
    table.apply(options, slots, []);
    engine.drain();
    assert.equal(engine.isDrained, false);
    const turns = async (until: () => boolean) => {
      for (let left = 500; left > 0 && !until(); left--) {
        io.wait(0);
        engine.turn();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    };
    await turns(() => !io.accepting);
    assert.deepEqual([engine.connections, told], [clients.length, 0]);
    for (const client of clients) client.close();
    await turns(() => told > 0);
    assert.deepEqual([engine.connections, told, engine.isDrained], [0, 1, true]);
    engine.resume();
    assert.equal(engine.isDrained, false);
    libc().close(fd);
  });
}
