/** A server that takes a body slowly, but takes it: what lies in kernels' buffers is not taken for what nobody takes. */
import assert from "node:assert/strict";
import { Errno, errno } from "../../runtime/os/errno.ts";
import { libc } from "../../runtime/os/libc.ts";
import { boundPort, socketAddress } from "../../runtime/os/tcp_socket.ts";
import { backend, freePort, frontend, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** Octets that the server takes at a time, and between that, ms. */
const PIECE = 32 * 1024;
const PAUSE = 20;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Takes one request of `length` octets in its own time and answers it. Its receive buffer stays small: what the kernel
 * acknowledges in its place, nobody can see.
 */
class SlowServer implements Disposable {
  readonly #listener: number;
  readonly port: number;
  #fd = -1;

  constructor() {
    const { domain, bytes } = socketAddress("127.0.0.1", 0);
    this.#listener = libc().socket(domain, 1 | 0x800 | 0x80000, 0);
    libc().setsockopt(this.#listener, SOL_SOCKET, SO_RCVBUF, new Int32Array([64 * 1024]), 4);
    libc().bind(this.#listener, bytes, bytes.length);
    libc().listen(this.#listener, 8);
    this.port = boundPort(this.#listener);
  }

  /** Answers how many octets of a body came. */
  async serve(length: number): Promise<number> {
    while ((this.#fd = libc().accept4(this.#listener, null, null, 0x800 | 0x80000)) < 0) await pause(5);
    const buffer = new Uint8Array(PIECE);
    let head = "";
    let body = 0;
    while (body < length) {
      const got = Number(libc().recv(this.#fd, buffer, BigInt(buffer.length), 0));
      if (got === 0 || (got < 0 && errno() !== Errno.EAGAIN)) return body;
      if (got > 0 && !head.includes("\r\n\r\n")) {
        head += String.fromCharCode(...buffer.subarray(0, got));
        const end = head.indexOf("\r\n\r\n");
        if (end >= 0) body += head.length - end - 4;
      } else if (got > 0) body += got;
      await pause(PAUSE);
    }
    const answer = new TextEncoder().encode("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    libc().write(this.#fd, answer, BigInt(answer.length));
    libc().close(this.#fd);
    this.#fd = -1;
    return body;
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#listener, this.#fd]) if (fd >= 0) libc().close(fd);
  }
}

for (const way of ways) {
  Deno.test(`${way}: a server that takes a body slowly has the time for all of it`, async () => {
    using server = new SlowServer();
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    const timeouts = { connect: 1000, server: 700, queue: 1000 };
    await proxy.apply({
      frontends: [frontend("in", port, { timeouts: { httpRequest: 700, keepAlive: 700, client: 700, tunnel: 700 } })],
      backends: [backend("web", [server.port], { timeouts })],
    });
    // Less than kernels hold, and more.
    for (const length of [2 << 20, 6 << 20]) {
      using wire = await Wire.to(port);
      const served = server.serve(length);
      await wire.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
      wire.sendBytes(new Uint8Array(length)).catch(() => {});
      assert.match(await wire.message(20_000), /^HTTP\/1\.1 200 /);
      assert.equal(await served, length);
    }
    const [counted] = (await proxy.status()).servers;
    assert.deepEqual([counted.requests_total, counted.response_failures], [2, 0]);
  });
}
