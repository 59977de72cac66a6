/**
 * A rehearsal: an engine thread that nobody asks yet serves itself some requests, over sockets of its own, so that what a
 * request needs has been compiled and has run. A standby meets its first requests in the middle of a takeover, dozens at
 * once: without this they waited for 20 to 60 ms.
 */
import { NO_REGION } from "../os/arena.ts";
import type { Endpoint } from "../os/io.ts";
import { libc } from "../os/libc.ts";
import { openIo } from "../os/open_io.ts";
import { boundPort, listenOn, type SocketAddress, socketAddress } from "../os/tcp_socket.ts";
import { Engine } from "./engine.ts";
import { RoutingTable } from "./routing_table.ts";
import { packVerdict } from "./server_verdict.ts";
import { allocateShared, SharedState } from "./shared_state.ts";
import { serverKey, type ThreadOptions } from "./thread_protocol.ts";
import { Timed } from "./timer_wheel.ts";

/** Requests; half of them on new connections. */
const REQUESTS = 60;
/** A machine too busy to rehearse is left alone after this, ms: meanwhile the thread serves nobody. */
const LONGEST = 150;

const DESCRIPTORS = 65_536;
const ARENA = 4 << 20;
const HOST = "127.0.0.1";
const ask = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: rehearsal\r\n\r\n");
const answer = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.");
const END = 0x2e;

/** How long after its first configuration a thread rehearses, ms: the start of the node comes first. */
const AFTER = 250;

/** Rehearses once, if nobody is served by then. */
export class Rehearsal extends Timed {
  #planned = false;

  constructor(private readonly engine: Engine) {
    super();
  }

  /** There is a configuration. */
  plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.engine.wheel.arm(this, this.engine.now + AFTER);
  }

  expired(): void {
    // Who serves already knows its part.
    if (this.engine.connections > 0 || this.engine.stopping) return;
    try {
      rehearse();
    } catch (error) {
      this.engine.ports.report(`Cannot rehearse: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/**
 * Answers how many requests were served: fewer where sockets of our own are not to be had, or time ran out.
 *
 * @param wanted as `openIo` has it
 */
export function rehearse(wanted?: string): number {
  const front = listenOn(HOST, 0), behind = listenOn(HOST, 0);
  try {
    if ("error" in front || "error" in behind) return 0;
    return play(front.fd, behind.fd, wanted);
  } finally {
    for (const listener of [front, behind]) if ("fd" in listener) libc().close(listener.fd);
  }
}

function play(front: number, behind: number, wanted: string | undefined): number {
  using io = openIo({ arena: ARENA, descriptors: DESCRIPTORS }, wanted);
  const shared = new SharedState(allocateShared(1, DESCRIPTORS), 0);
  const engine = new Engine(io, shared, { report() {}, evidence() {}, compare() {} });
  const table = new RoutingTable(engine);
  engine.verdictsChanged = () => table.observe();
  const server = serverKey("behind", "self");
  const slots = {
    frontends: new Map([["front", 0]]),
    servers: new Map([[server, 0]]),
    backends: new Map([["behind", 0]]),
  };
  table.apply(optionsFor(boundPort(front), boundPort(behind)), slots, [
    { fd: front, frontend: "front", address: HOST, proxyProtocol: false },
  ]);
  Atomics.store(shared.verdicts, 0, packVerdict("up", 1));
  shared.publish();
  io.accept(behind, { accepted: (fd) => void new Stagehand(engine, fd), refused() {} });
  const address = socketAddress(HOST, boundPort(front));
  let served = 0;
  let over = false;
  const visit = () => {
    new Visitor(engine, address, (more) => {
      served += more;
      over = more === 0 || served >= REQUESTS;
      if (!over) visit();
    });
  };
  visit();
  for (const end = performance.now() + LONGEST; !over && performance.now() < end;) engine.turn();
  table.cut();
  return served;
}

function optionsFor(port: number, serverPort: number): ThreadOptions {
  return {
    threads: 1,
    maxconn: 100,
    frontends: [{
      name: "front",
      mode: "http",
      binds: [{ address: HOST, port }],
      forwardfor: true,
      trustedProxies: [],
      defaultBackend: "behind",
      maxconn: 100,
      timeouts: { httpRequest: 1000, keepAlive: 1000, client: 1000, tunnel: 1000 },
      routing: null,
    }],
    backends: [{
      name: "behind",
      balance: { use: "roundrobin", with: {} },
      servers: [{ name: "self", address: HOST, port: serverPort, weight: 1, maxconn: null, backup: false, labels: {} }],
      retries: 0,
      onDown: "keep",
      timeouts: { connect: 1000, server: 1000, queue: 1000 },
    }],
  };
}

/** An end of the rehearsal: says one message whenever it has heard one. */
class Actor implements Endpoint {
  #region = NO_REGION;

  constructor(protected readonly engine: Engine, protected fd: number) {
    engine.io.open(fd, this);
  }

  connected(_errno: number): void {}

  received(region: number, _start: number, _length: number): void {
    this.engine.io.give(region);
  }

  ended(_errno: number): void {
    this.engine.io.close(this.fd);
  }

  progressed(): void {}

  sent(_errno: number): void {
    this.engine.io.give(this.#region);
  }

  protected say(message: Uint8Array): void {
    const { io } = this.engine;
    this.#region = this.engine.takeRegion(message.length);
    const start = io.arena.start(this.#region);
    io.arena.bytes.set(message, start);
    io.send(this.fd, start, message.length, this.#region);
  }
}

/** The server behind the balancer. */
class Stagehand extends Actor {
  constructor(engine: Engine, fd: number) {
    super(engine, fd);
    engine.io.receive(fd);
  }

  override received(region: number, start: number, length: number): void {
    super.received(region, start, length);
    this.say(answer);
  }
}

/** A client: two requests on each connection. */
class Visitor extends Actor {
  #requests = 0;

  constructor(engine: Engine, address: SocketAddress, private readonly done: (served: number) => void) {
    super(engine, engine.openSocket(address.domain));
    const { arena } = engine.io;
    this.#address = engine.takeRegion(address.bytes.length);
    arena.bytes.set(address.bytes, arena.start(this.#address));
    engine.io.connect(this.fd, arena.start(this.#address), address.bytes.length);
  }

  readonly #address: number;

  override connected(errno: number): void {
    this.engine.io.give(this.#address);
    if (errno !== 0) return this.ended(errno);
    this.engine.io.receive(this.fd);
    this.say(ask);
  }

  override received(region: number, start: number, length: number): void {
    const complete = this.engine.io.arena.bytes[start + length - 1] === END;
    super.received(region, start, length);
    if (!complete) return;
    if (++this.#requests < 2) return this.say(ask);
    this.engine.io.close(this.fd);
    this.done(this.#requests);
  }

  override ended(errno: number): void {
    super.ended(errno);
    this.done(0);
  }
}
