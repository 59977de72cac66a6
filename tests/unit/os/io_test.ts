/** The promises of `Io`, kept by each implementation and by io_uring without its newest flags. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { classOf, NO_REGION, SLAB, SMALL } from "../../../runtime/os/arena.ts";
import { EpollIo } from "../../../runtime/os/epoll_io.ts";
import type { Acceptor, Endpoint, Io, IoOptions } from "../../../runtime/os/io.ts";
import { libc } from "../../../runtime/os/libc.ts";
import { bestIo, openIo } from "../../../runtime/os/open_io.ts";
import { boundPort, listenOn, socketAddress, stopListening } from "../../../runtime/os/tcp_socket.ts";
import { SETUP_DEFER_TASKRUN, SETUP_NO_SQARRAY } from "../../../runtime/os/uring_abi.ts";
import { UringIo } from "../../../runtime/os/uring_io.ts";
import { setUpRing } from "../../../runtime/os/uring_setup.ts";

const uring = (without: number) => (options: IoOptions): Io => {
  const setup = setUpRing(without);
  if ("refused" in setup) throw new Error(setup.refused);
  return new UringIo(options, setup, "test");
};

const makers: [string, (options: IoOptions) => Io][] = [
  ["epoll", (options) => new EpollIo(options, "test")],
];
if (!("refused" in setUpRing())) {
  makers.push(
    ["io_uring", uring(0)],
    ["io_uring without NO_SQARRAY", uring(SETUP_NO_SQARRAY)],
    ["io_uring without DEFER_TASKRUN", uring(SETUP_NO_SQARRAY | SETUP_DEFER_TASKRUN)],
  );
}

/** Sends back whatever comes. */
class Echo implements Endpoint {
  heard = 0;
  end: number | null = null;
  #queue: [number, number, number][] = [];
  #sending: number | null = null;
  constructor(readonly io: Io, readonly fd: number) {
    io.open(fd, this);
    io.receive(fd);
  }
  received(region: number, start: number, length: number): void {
    this.heard += length;
    this.#queue.push([start, length, region]);
    this.#next();
  }
  ended(errno: number): void {
    this.end = errno;
    this.io.close(this.fd);
  }
  connected(): void {}
  progressed(): void {}
  sent(errno: number): void {
    assert.equal(errno, 0);
    if (this.#sending !== null) this.io.give(this.#sending);
    this.#sending = null;
    this.#next();
  }
  #next(): void {
    if (this.#sending !== null) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.#sending = next[2];
    this.io.send(this.fd, ...next);
  }
}

/** Hears everything, does nothing. */
class Ear implements Endpoint {
  readonly heard: string[] = [];
  constructor(readonly io: Io, readonly fd: number) {
    io.open(fd, this);
  }
  received(region: number, _start: number, length: number): void {
    this.heard.push(`received ${length}`);
    this.io.give(region);
  }
  ended(errno: number): void {
    this.heard.push(`ended ${errno}`);
  }
  connected(errno: number): void {
    this.heard.push(`connected ${errno}`);
  }
  progressed(): void {}
  sent(errno: number): void {
    this.heard.push(`sent ${errno}`);
  }
}

/** Compares what it hears with 0, 1, … 250, 0, … */
class Reader implements Endpoint {
  heard = 0;
  /** Of them, since it was held last. */
  held = 0;
  seen = 0;
  /** The first octet that is not as it should be; −1 = none. */
  wrong = -1;
  over = false;
  constructor(readonly io: Io, readonly fd: number) {
    io.open(fd, this);
    io.receive(fd);
  }
  received(region: number, start: number, length: number): void {
    const { bytes } = this.io.arena;
    for (let at = 0; at < length && this.wrong < 0; at++) {
      if (bytes[start + at] !== (this.heard + at) % 251) this.wrong = this.heard + at;
    }
    this.heard += length;
    this.held += length;
    this.io.give(region);
  }
  ended(): void {
    this.over = true;
  }
  connected(): void {}
  progressed(): void {}
  sent(): void {}
}

class Listening implements Acceptor, Disposable {
  readonly fd: number;
  readonly port: number;
  readonly accepted: (fd: number) => void;
  constructor(readonly io: Io, accepted: (fd: number) => void, address = "127.0.0.1") {
    this.accepted = accepted;
    const listener = listenOn(address, 0);
    if ("error" in listener) throw new Error(listener.error);
    this.fd = listener.fd;
    this.port = boundPort(this.fd);
    io.accept(this.fd, this);
  }
  refused(errno: number): void {
    throw new Error(`refused ${errno}`);
  }
  [Symbol.dispose](): void {
    libc().close(this.fd);
  }
}

/** Turns the loop until `done`, letting the event loop have its turns too. */
async function turn(io: Io, done: () => boolean, ms = 5000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`Nothing more happened within ${ms} ms`);
    io.wait(5);
    io.report();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

async function readAll(connection: Deno.Conn, length: number): Promise<Uint8Array> {
  const all = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const read = await connection.read(all.subarray(at));
    if (read === null) throw new Error(`The stream ended behind ${at} of ${length}`);
    at += read;
  }
  return all;
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

for (const [name, make] of makers) {
  Deno.test(`${name}: bytes come back as they went, also where buffers are few`, async () => {
    // Eight regions of each class, for forty connections that all send at once.
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const before = io.arena.used;
    const echoes: Echo[] = [];
    using listening = new Listening(io, (fd) => echoes.push(new Echo(io, fd)));
    const clients = await Promise.all(Array.from({ length: 40 }, () => Deno.connect({ port: listening.port })));
    const body = new Uint8Array(300_000).map((_, index) => index * 7);
    let back = 0;
    const exchanges = clients.map(async (client) => {
      const [, echo] = await Promise.all([writeAll(client, body), readAll(client, body.length)]);
      assert.ok(echo.every((byte, index) => byte === body[index]));
      client.close();
      back++;
    });
    await turn(io, () => back === clients.length, 20_000);
    await Promise.all(exchanges);
    await turn(io, () => echoes.every(({ end }) => end !== null));
    io.forget(listening.fd);
    await turn(io, () => io.arena.used <= Math.max(before, 17));
  });

  Deno.test(`${name}: a refused connect is told as ECONNREFUSED, a made one as 0`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    using listening = new Listening(io, (fd) => new Ear(io, fd));
    const ears = [listening.port, 1].map((port) => {
      const { bytes, domain } = socketAddress("127.0.0.1", port);
      const start = io.arena.start(io.arena.take(SLAB));
      io.arena.bytes.set(bytes, start);
      const ear = new Ear(io, libc().socket(domain, 1 | io.socketFlags, 0));
      io.connect(ear.fd, start, bytes.length);
      return ear;
    });
    await turn(io, () => ears.every(({ heard }) => heard.length > 0));
    assert.deepEqual(ears.map(({ heard }) => heard[0]), ["connected 0", "connected 111"]);
  });

  Deno.test(`${name}: after close nothing is heard, though the descriptor's number is in use again`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const accepted: number[] = [];
    using listening = new Listening(io, (fd) => accepted.push(fd));
    for (let round = 0; round < 20; round++) {
      const first = await Deno.connect({ port: listening.port });
      await turn(io, () => accepted.length > 0);
      const fd = accepted.pop() ?? -1;
      const old = new Ear(io, fd);
      io.receive(fd);
      await first.write(new Uint8Array(100));
      // Bytes are there, and perhaps reported to nobody yet, when the socket is closed; its number is taken at once.
      io.wait(0);
      io.close(fd);
      const second = await Deno.connect({ port: listening.port });
      await turn(io, () => accepted.length > 0);
      const again = new Ear(io, accepted.pop() ?? -1);
      io.receive(again.fd);
      await second.write(new Uint8Array(7));
      await turn(io, () => again.heard.length > 0);
      assert.deepEqual(old.heard, []);
      assert.deepEqual(again.heard, ["received 7"]);
      io.close(again.fd);
      for (const client of [first, second]) client.close();
    }
  });

  for (const piece of [7, 3000, 1 << 18]) {
    Deno.test(`${name}: a stream in pieces of ${piece} stops when held and goes on, nothing lost or out of order`, async () => {
      using io = make({ arena: 8 << 20, descriptors: 1024 });
      const readers: Reader[] = [];
      using listening = new Listening(io, (fd) => readers.push(new Reader(io, fd)));
      using client = await Deno.connect({ port: listening.port });
      client.setNoDelay();
      const size = 40 * piece;
      const sent = Uint8Array.from({ length: size }, (_, at) => at % 251);
      const writing = (async () => {
        for (let at = 0; at < size; at += piece) {
          for (let done = 0; done < piece;) done += await client.write(sent.subarray(at + done, at + piece));
          if (at % (8 * piece) === 0) await delay(1);
        }
        client.closeWrite();
      })();
      await turn(io, () => readers.length > 0);
      const [reader] = readers;
      for (let round = 0; !reader.over; round++) {
        await turn(io, () => reader.over || reader.heard > reader.seen);
        if (round % 3 !== 0) {
          reader.seen = reader.heard;
          continue;
        }
        io.hold(reader.fd);
        reader.held = 0;
        // What was under way may come; then there is silence, whatever is sent.
        for (let quiet = 0; quiet < 3; quiet = reader.heard > reader.seen ? 0 : quiet + 1) {
          reader.seen = reader.heard;
          io.wait(1);
          io.report();
          await delay(0);
        }
        assert.ok(reader.over || reader.held <= 1 << 20, `${reader.held} octets came after hold`);
        if (!reader.over) io.receive(reader.fd);
      }
      await writing;
      assert.equal(reader.wrong, -1);
      assert.equal(reader.heard, size);
    });
  }

  Deno.test(`${name}: those who are held and keep what came leave enough for the others`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const kept: number[] = [];
    let accepted = 0;
    using listening = new Listening(io, (fd) => {
      if (accepted++ === 4) return new Echo(io, fd);
      io.open(fd, {
        received(region) {
          kept.push(region);
          io.hold(fd);
        },
        ended() {},
        connected() {},
        progressed() {},
        sent() {},
      });
      io.receive(fd);
    });
    const flood = new Uint8Array(100 << 10);
    const clients: Deno.TcpConn[] = [];
    for (let number = 1; number <= 4; number++) {
      clients.push(await Deno.connect({ port: listening.port }));
      await turn(io, () => accepted === number);
      clients[number - 1].write(flood).catch(() => {});
    }
    await turn(io, () => kept.length >= 4);
    const small = kept.filter((region) => classOf(region) === SMALL).length;
    assert.ok(small < io.arena.count(SMALL) / 2, `${small} of ${io.arena.count(SMALL)} small buffers are kept`);
    using asking = await Deno.connect({ port: listening.port });
    await asking.write(new TextEncoder().encode("hello"));
    const answer = new Uint8Array(16);
    let length: number | null = -1;
    asking.read(answer).then((read) => length = read);
    await turn(io, () => length !== -1);
    assert.equal(length, 5);
    for (const client of clients) client.close();
  });

  Deno.test(`${name}: who came before a listener was forgotten is told of, then nobody is expected`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const accepted: number[] = [];
    using listening = new Listening(io, (fd) => accepted.push(fd));
    io.wait(0);
    const clients = await Promise.all(Array.from({ length: 8 }, () => Deno.connect({ port: listening.port })));
    // The kernel may have accepted them in here, while nobody has heard of it.
    io.wait(10);
    io.forget(listening.fd);
    const waiting = stopListening(listening.fd, io.socketFlags);
    assert.ok(waiting.length === clients.length || io.accepting);
    await turn(io, () => !io.accepting);
    assert.equal(accepted.length + waiting.length, clients.length);
    for (const fd of [...accepted, ...waiting]) libc().close(fd);
    for (const client of clients) client.close();
  });

  Deno.test(`${name}: a socket that was closed last is closed with its Io`, async () => {
    const accepted: number[] = [];
    let client: Deno.Conn;
    {
      using io = make({ arena: 1 << 20, descriptors: 1024 });
      using listening = new Listening(io, (fd) => accepted.push(fd));
      client = await Deno.connect({ port: listening.port });
      await turn(io, () => accepted.length > 0);
      new Ear(io, accepted[0]);
      io.receive(accepted[0]);
      io.wait(0);
      io.close(accepted[0]);
    }
    const read = await Promise.race([client.read(new Uint8Array(1)), delay(2000, "nothing")]);
    assert.equal(read, null);
    client.close();
  });

  Deno.test(`${name}: closing in the middle of a send gives its region back and ends the stream`, async () => {
    using io = make({ arena: 4 << 20, descriptors: 1024 });
    let ear: Ear | undefined;
    using listening = new Listening(io, (fd) => ear = new Ear(io, fd));
    const client = await Deno.connect({ port: listening.port });
    await turn(io, () => ear !== undefined);
    if (ear === undefined) return;
    const { fd, heard } = ear;
    // Nobody reads: sends go on until the kernel takes no more.
    let region = NO_REGION;
    for (let sends = 0; heard.length === sends; sends++) {
      if (region !== NO_REGION) io.give(region);
      region = io.arena.take(3);
      io.send(fd, io.arena.start(region), io.arena.size(region), region);
      const deadline = performance.now() + 100;
      await turn(io, () => heard.length > sends || performance.now() > deadline);
    }
    const used = io.arena.used;
    io.close(fd);
    await turn(io, () => io.arena.used < used);
    let length = 0;
    const buffer = new Uint8Array(1 << 20);
    const reading = (async () => {
      for (let read = await client.read(buffer); read !== null; read = await client.read(buffer)) length += read;
    })();
    let ended = false;
    reading.then(() => ended = true, () => ended = true);
    await turn(io, () => ended);
    assert.ok(length > 0);
    client.close();
  });

  Deno.test(`${name}: an eventfd wakes a wait, and a wait ends by itself`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const fd = libc().eventfd(0, 0x80000);
    let woken = 0;
    io.watch(fd, () => woken++);
    for (let round = 1; round <= 3; round++) {
      libc().write(fd, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
      await turn(io, () => woken === round);
    }
    const before = performance.now();
    io.wait(50);
    const took = performance.now() - before;
    assert.ok(took >= 45 && took < 1000, `${took}`);
    libc().close(fd);
  });

  Deno.test(`${name}: IPv6 is served as IPv4 is`, async () => {
    using io = make({ arena: 1 << 20, descriptors: 1024 });
    const echoes: Echo[] = [];
    using listening = new Listening(io, (fd) => echoes.push(new Echo(io, fd)), "::1");
    const client = await Deno.connect({ hostname: "::1", port: listening.port });
    await client.write(new Uint8Array([1, 2, 3]));
    await turn(io, () => echoes[0]?.heard === 3);
    let echo: Uint8Array | undefined;
    readAll(client, 3).then((bytes) => echo = bytes);
    await turn(io, () => echo !== undefined);
    assert.deepEqual([...echo ?? []], [1, 2, 3]);
    client.close();
  });
}

Deno.test("openIo() takes what TANDEM_IO says, and refuses what it does not know", () => {
  assert.equal(bestIo("epoll").name, "epoll");
  assert.throws(() => openIo({}, "kqueue"), /Cannot open "kqueue" I\/O: TANDEM_IO must be uring or epoll/);
});
