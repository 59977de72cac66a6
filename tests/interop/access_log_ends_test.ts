/** Every way in which a request ends, brought about on real sockets, and what the access log tells of it. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { hashSync } from "bcryptjs";
import { libc } from "../../runtime/os/libc.ts";
import { boundPort, socketAddress } from "../../runtime/os/tcp_socket.ts";
import { type End, ENDS } from "../../runtime/proxy/access_log/end.ts";
import type { RouteOptions } from "../../runtime/proxy/routes/options.ts";
import { match, route } from "../unit/proxy/routes/request.ts";
import { type Logged, LogUnderTest } from "./access_log_support.ts";
import { allUp, backend, freePort, frontend, Origin, ways, Wire } from "./proxy_support.ts";

const timeouts = { httpRequest: 300, keepAlive: 5000, client: 300, tunnel: 300 };
const short = { connect: 300, server: 300, queue: 300 };
const BIG = 8 << 20;

/** Answers by path; what is not here is answered with 200 and "ok". */
const behaviours: Readonly<Record<string, (wire: Wire) => Promise<void> | void>> = {
  "/silent": () => never(),
  "/stall": async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    await never();
  },
  "/cut": (wire) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
  "/close": () => {},
  "/hints": async (wire) => {
    for (const hint = `HTTP/1.1 103 \r\nLink: ${"a".repeat(9000)}\r\n\r\n`;;) await wire.send(hint.repeat(8));
  },
  "/forbidden": (wire) => wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
  "/garbage": (wire) => wire.send("220 mail.example ready\r\n\r\n"),
  "/badchunk": (wire) => wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
  "/early": async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await never();
  },
  "/big": async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG}\r\n\r\n`);
    await wire.sendBytes(new Uint8Array(BIG));
    await never();
  },
  "/upgrade": async (wire) => {
    await wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    await wire.until("bye");
  },
};

async function behave(wire: Wire): Promise<void> {
  for (;;) {
    const head = await wire.until("\r\n\r\n", 60_000);
    const behaviour = behaviours[/ (\/\w+)/.exec(head)?.[1] ?? ""];
    if (behaviour !== undefined) return await behaviour(wire);
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
}

/** Longer than any row, and no timer that a test leaves behind. */
function never(): Promise<void> {
  return new Promise(() => {});
}

/** A port whose queue of connections is full: connecting takes for ever. */
function fullPort(): { readonly port: number } & Disposable {
  const { domain, bytes } = socketAddress("127.0.0.1", 0);
  const fd = libc().socket(domain, 1 | 0x80000, 0);
  libc().bind(fd, bytes, bytes.length);
  libc().listen(fd, 0);
  const port = boundPort(fd);
  const address = socketAddress("127.0.0.1", port).bytes;
  const fds = [0, 1, 2].map(() => {
    const filler = libc().socket(domain, 1 | 0x800 | 0x80000, 0);
    libc().connect(filler, address, address.length);
    return filler;
  });
  return {
    port,
    [Symbol.dispose]() {
      for (const each of [fd, ...fds]) libc().close(each);
    },
  };
}

/** A server that agrees to every upgrade, and resets the connection soon after. */
async function resetting(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

type Ports = Readonly<
  Record<
    | "web"
    | "dead"
    | "retry"
    | "down"
    | "full"
    | "closing"
    | "queue"
    | "resets"
    | "none"
    | "routes"
    | "tcp"
    | "tcpDead"
    | "proxied",
    number
  >
>;

/** Takes the only server of this backend out of service for a while. */
type Take = (backend: string) => Promise<void>;

interface Row {
  readonly end: End;
  readonly what?: string;
  readonly port: keyof Ports;
  /** Lines of requests that only help. @default 0 */
  readonly others?: number;
  /** What the client does; its connection is closed behind that. */
  readonly act: (wire: Wire, ports: Ports, take: Take) => Promise<unknown> | void;
  readonly expect: Partial<Logged> & { readonly whyHas?: RegExp };
}

const send = (path: string, method = "GET", fields = "") => (wire: Wire) =>
  wire.send(`${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
const ask = (path: string, method = "GET", fields = "") => async (wire: Wire) => {
  await send(path, method, fields)(wire);
  return await wire.rest();
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const rows: readonly Row[] = [
  {
    end: "done",
    port: "web",
    act: async (wire) => {
      await send("/ok?a=b")(wire);
      await wire.message();
    },
    expect: {
      status: 200,
      backend: "web",
      server: "s0",
      method: "GET",
      host: "a.example",
      target: "/ok?a=b",
      attempts: 1,
    },
  },
  {
    end: "answered_early",
    port: "web",
    act: ask("/early", "POST", "Content-Length: 100\r\n"),
    expect: { status: 200 },
  },
  {
    end: "client_bad_proxy_header",
    port: "proxied",
    act: (wire) => send("/")(wire).then(() => wire.rest()),
    expect: { status: null, method: null, backend: null, whyHas: /PROXY header: \S+/ },
  },
  {
    end: "client_bad_request",
    port: "web",
    act: (wire) => wire.send("GET / FOO\r\n\r\n").then(() => wire.rest()),
    expect: { status: 400, method: null, whyHas: /version/ },
  },
  {
    end: "client_timeout_in_headers",
    port: "web",
    act: (wire) => wire.send("GET / HT").then(() => wire.rest()),
    expect: { status: 408, target: null },
  },
  { end: "client_closed_in_headers", port: "web", act: (wire) => wire.send("GET / HT"), expect: { status: null } },
  {
    end: "client_bad_body",
    port: "web",
    act: async (wire) => {
      await send("/silent", "POST", "Transfer-Encoding: chunked\r\n")(wire);
      await pause(50);
      await wire.send("zz\r\n");
      await wire.rest();
    },
    expect: { status: 400, whyHas: /[Cc]hunk/ },
  },
  {
    end: "client_timeout_in_request",
    port: "web",
    act: ask("/silent", "POST", "Content-Length: 9\r\n"),
    expect: { status: 408 },
  },
  {
    end: "client_closed_in_request",
    port: "web",
    act: (wire) => send("/silent", "POST", "Content-Length: 9\r\n")(wire).then(() => pause(50)),
    expect: { status: null },
  },
  {
    end: "client_closed_while_waiting",
    port: "web",
    act: (wire) => send("/silent")(wire).then(() => pause(50)),
    expect: { status: null, server: "s0" },
  },
  {
    end: "client_closed_while_connecting",
    port: "full",
    act: (wire) => send("/")(wire).then(() => pause(50)),
    expect: { status: null, server: "s0" },
  },
  {
    end: "client_closed_while_queued",
    port: "queue",
    others: 1,
    act: async (wire, ports) => {
      using first = await Wire.to(ports.queue);
      await send("/silent")(first);
      await pause(50);
      await send("/")(wire);
      await pause(50);
      wire[Symbol.dispose]();
      await pause(50);
    },
    expect: { status: null, server: null },
  },
  {
    end: "queue_timeout",
    port: "queue",
    others: 1,
    act: async (wire, ports) => {
      using first = await Wire.to(ports.queue);
      await send("/silent")(first);
      await pause(50);
      await ask("/")(wire);
    },
    expect: { status: 503 },
  },
  {
    end: "client_closed_in_response",
    port: "web",
    act: (wire) => send("/big")(wire).then(() => wire.take(100)),
    expect: { status: 200 },
  },
  {
    end: "client_timeout_in_response",
    port: "web",
    act: (wire) => send("/big")(wire).then(() => pause(1500)),
    expect: { status: 200 },
  },
  {
    end: "client_timeout_in_response",
    what: "interim responses",
    port: "web",
    act: (wire) => send("/hints")(wire).then(() => pause(1500)),
    expect: { status: null },
  },
  { end: "no_backend", port: "none", act: ask("/"), expect: { status: 404, backend: null } },
  {
    end: "no_server",
    port: "down",
    act: ask("/"),
    expect: {
      status: 503,
      backend: "down",
      server: null,
      attempts: 0,
      whyHas: /s0 is down \(refused\), s1 is maint \(by ann\)/,
    },
  },
  {
    end: "connect_failed",
    port: "dead",
    act: ask("/"),
    // Both refuse, and once more after a pause.
    expect: { status: 503, attempts: 4, whyHas: /: s0: ECONNREFUSED, s1: ECONNREFUSED, s\d: ECONNREFUSED, s\d: E/ },
  },
  {
    end: "client_closed_while_connecting",
    what: "in the pause before the servers are tried again",
    port: "dead",
    act: (wire) => send("/")(wire).then(() => pause(100)),
    expect: { status: null, attempts: 2, whyHas: /s0: ECONNREFUSED/ },
  },
  {
    end: "done",
    what: "redispatch",
    port: "retry",
    act: ask("/", "GET", "Connection: close\r\n"),
    expect: { status: 200, server: "s1", attempts: 2, why: undefined },
  },
  { end: "connect_timeout", port: "full", act: ask("/"), expect: { status: 504, attempts: 1 } },
  { end: "server_timeout_in_headers", port: "web", act: ask("/silent"), expect: { status: 504 } },
  {
    end: "server_timeout_in_headers",
    what: "the client waits for a 100",
    port: "web",
    act: ask("/silent", "POST", "Expect: 100-continue\r\nContent-Length: 9\r\n"),
    expect: { status: 504 },
  },
  {
    end: "server_timeout_in_headers",
    what: "the server takes nothing of a body",
    port: "web",
    act: async (wire) => {
      await send("/silent", "POST", `Content-Length: ${8 * BIG}\r\n`)(wire);
      wire.sendBytes(new Uint8Array(8 * BIG)).catch(() => {});
      await wire.rest();
    },
    expect: { status: 504 },
  },
  {
    end: "server_closed_in_headers",
    port: "web",
    act: ask("/close", "POST", "Content-Length: 0\r\n"),
    expect: { status: 502 },
  },
  { end: "server_bad_response", port: "web", act: ask("/garbage"), expect: { status: 502, whyHas: /Status line/ } },
  { end: "server_timeout_in_response", port: "web", act: ask("/stall"), expect: { status: 200 } },
  { end: "server_closed_in_response", port: "web", act: ask("/cut"), expect: { status: 200 } },
  { end: "server_bad_body", port: "web", act: ask("/badchunk"), expect: { status: 200, whyHas: /[Cc]hunk/ } },
  {
    end: "answered_by_route",
    port: "routes",
    act: ask("/down", "GET", "Connection: close\r\n"),
    expect: { status: 418, route: "#0 /down", backend: null },
  },
  ...([
    ["deny: the client is among it", 403, "/denied"],
    ["allow: the client is not among it", 403, "/others"],
    ["rate_limit: it is used up", 429, "/limited"],
    ["basic_auth: no right user name and password", 401, "/secret"],
    ["basic_auth: no right user name and password", 401, "/secret", `Authorization: Basic ${btoa("ann:wrong")}\r\n`],
    ["body_limit: the body is larger", 413, "/large", "Content-Length: 9\r\n"],
    ["forward_auth: web/s0 answered 403", 403, "/refused"],
    ["rules differ for readings of the path", 400, "/a/..%2fdenied"],
  ] as const).map(([rule, status, path, fields = ""]): Row => ({
    end: "answered_by_route",
    what: rule,
    port: "routes",
    others: path === "/limited" ? 1 : 0,
    act: async (wire, { routes }) => {
      if (path === "/limited") {
        using first = await Wire.to(routes);
        await ask(path, "GET", "Connection: close\r\n")(first);
      }
      await ask(path, "GET", `Connection: close\r\n${fields}`)(wire);
    },
    expect: { status, why: `${ENDS.answered_by_route.sentence}: ${rule}` },
  })),
  {
    end: "tunnel_done",
    port: "web",
    act: async (wire) => {
      await send("/upgrade", "GET", "Connection: upgrade\r\nUpgrade: echo\r\n")(wire);
      await wire.until("\r\n\r\n");
      await wire.send("bye");
      await wire.rest();
    },
    expect: { status: 101 },
  },
  {
    end: "tunnel_timeout",
    port: "web",
    act: async (wire) => {
      await send("/upgrade", "GET", "Connection: upgrade\r\nUpgrade: echo\r\n")(wire);
      await wire.rest();
    },
    expect: { status: 101 },
  },
  {
    end: "tunnel_closed_by_client",
    port: "web",
    act: async (_, { web }) => {
      const socket = connect(web, "127.0.0.1");
      socket.write("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      await new Promise((resolve) => socket.once("data", resolve));
      socket.resetAndDestroy();
    },
    expect: { status: 101 },
  },
  {
    end: "tunnel_closed_by_server",
    port: "resets",
    act: ask("/", "GET", "Connection: upgrade\r\nUpgrade: echo\r\n"),
    expect: { status: 101 },
  },
  {
    end: "server_withdrawn",
    what: "before the answer",
    port: "closing",
    act: async (wire, _, take) => {
      await send("/silent")(wire);
      await pause(50);
      await take("closing");
      await wire.rest();
    },
    expect: { status: 502, server: "s0", attempts: 1, whyHas: /on_down: close[^]*: s0: taken out of service$/ },
  },
  {
    end: "server_withdrawn",
    what: "in the answer",
    port: "closing",
    act: async (wire, _, take) => {
      await send("/stall")(wire);
      await wire.until("abc");
      await take("closing");
      await wire.rest();
    },
    expect: { status: 200, server: "s0" },
  },
  {
    end: "server_withdrawn",
    what: "in a tunnel",
    port: "closing",
    act: async (wire, _, take) => {
      await send("/upgrade", "GET", "Connection: upgrade\r\nUpgrade: echo\r\n")(wire);
      await wire.until("\r\n\r\n");
      await take("closing");
      await wire.rest();
    },
    expect: { status: 101, server: "s0" },
  },
  {
    end: "no_server",
    what: "the last one goes while it is connected to",
    port: "full",
    act: async (wire, _, take) => {
      await send("/")(wire);
      await pause(50);
      await take("full");
      await wire.rest();
    },
    expect: { status: 503, attempts: 1, whyHas: /: s0 is maint$/ },
  },
  {
    end: "client_closed_while_deciding",
    port: "routes",
    act: (wire) => send("/asked")(wire).then(() => pause(50)),
    expect: { status: null, server: null, why: ENDS.client_closed_while_deciding.sentence },
  },
  {
    end: "no_decision",
    port: "routes",
    act: ask("/lost"),
    expect: { status: 503, server: null, whyHas: /: dead\/s[01] cannot be connected to: ECONNREFUSED$/ },
  },
  { end: "tunnel_timeout", what: "mode: tcp", port: "tcp", act: (wire) => wire.rest(), expect: { server: "s0" } },
  { end: "connect_failed", what: "mode: tcp", port: "tcpDead", act: (wire) => wire.rest(), expect: { attempts: 4 } },
];

/** Not brought about here: they need a fault of ours, no memory, or the end of the process. */
const unproved: readonly End[] = [
  "balancer_stopped",
  "engine_fault",
  "no_memory",
];

/** One that answers, and two that ask a server first: one that does not answer, one that is not there. */
const routes: readonly RouteOptions[] = [
  route({ match: match({ paths: ["/down"] }), action: { type: "respond", status: 418, headers: {}, body: "" } }),
  ...([
    ["/asked", { forwardAuth: { backend: "web", path: "/silent", copyHeaders: [] } }],
    ["/lost", { forwardAuth: { backend: "dead", path: "/silent", copyHeaders: [] } }],
    ["/refused", { forwardAuth: { backend: "web", path: "/forbidden", copyHeaders: [] } }],
    ["/denied", { deny: ["0.0.0.0/0"] }],
    ["/others", { allow: ["192.0.2.0/24"] }],
    ["/limited", { rateLimit: { key: "client_ip", rate: 0.001, burst: 1 } }],
    ["/secret", { basicAuth: { realm: "r", users: { ann: hashSync("right", 4) } } }],
    ["/large", { bodyLimit: 3 }],
  ] as const).map(([path, rule]) =>
    route({
      match: match({ paths: [path] }),
      action: { type: "backend", backend: "web", rewrite: null },
      ...rule,
    })
  ),
];

Deno.test("every end is brought about, or said not to be", () => {
  const proved = new Set<string>([...rows.map(({ end }) => end), ...unproved]);
  assert.deepEqual(Object.keys(ENDS).filter((end) => !proved.has(end)), []);
});

for (const way of ways) {
  Deno.test(`${way}: the access log tells how each request ended`, async (t) => {
    await using origin = new Origin(behave);
    using full = fullPort();
    await using resets = await resetting();
    await using log = new LogUnderTest();
    await using proxy = log.start(way);
    const ports: Ports = {
      web: freePort(),
      dead: freePort(),
      retry: freePort(),
      down: freePort(),
      full: freePort(),
      closing: freePort(),
      queue: freePort(),
      resets: freePort(),
      none: freePort(),
      routes: freePort(),
      tcp: freePort(),
      tcpDead: freePort(),
      proxied: freePort(),
    };
    const closed = [freePort(), freePort()];
    const limited = backend("queue", [origin.port], { timeouts: { ...short, server: 2000 } });
    const backends = [
      backend("web", [origin.port], { timeouts: short }),
      backend("dead", closed, { timeouts: short }),
      backend("retry", [closed[0], origin.port], { timeouts: short }),
      backend("down", closed, { timeouts: short }),
      backend("full", [full.port], { timeouts: short, retries: 0, onDown: "close" }),
      backend("closing", [origin.port], { timeouts: short, onDown: "close" }),
      { ...limited, servers: limited.servers.map((server) => ({ ...server, maxconn: 1 })) },
      backend("resets", [resets.port], { timeouts: short }),
      backend("tcpDead", [closed[0]], { timeouts: short }),
    ];
    const names = ["web", "dead", "retry", "down", "full", "closing", "queue", "resets"] as const;
    await proxy.apply(
      {
        accessLog: log.json,
        frontends: [
          ...names.map((name) => frontend(name, ports[name], { defaultBackend: name, timeouts })),
          frontend("none", ports.none, { defaultBackend: null, timeouts }),
          frontend("routes", ports.routes, { timeouts, routes }),
          frontend("proxied", ports.proxied, {
            binds: [{ address: "127.0.0.1", port: ports.proxied, proxyProtocol: true }],
            timeouts,
          }),
          frontend("tcp", ports.tcp, { mode: "tcp", timeouts }),
          frontend("tcpDead", ports.tcpDead, { mode: "tcp", timeouts, defaultBackend: "tcpDead" }),
        ],
        backends,
      },
      allUp(backends).map((verdict) =>
        verdict.backend !== "down"
          ? verdict
          : verdict.server === "s0"
          ? { ...verdict, state: "down", reason: "refused" }
          : { ...verdict, state: "maint", reason: "by ann" }
      ),
    );
    const take = async (backend: string) => {
      for (const state of ["maint", "up"] as const) {
        await proxy.send({ type: "verdicts", verdicts: [{ backend, server: "s0", state, weight: 1 }] });
        await pause(50);
      }
    };
    for (const { end, what, port, others, act, expect } of rows) {
      await t.step(`${end}${what === undefined ? "" : `, ${what}`}`, async () => {
        {
          // A tunnel to nowhere may be reset before its client knows that it is connected.
          using wire = await Wire.to(ports[port]).catch((error) => port === "tcpDead" ? null : Promise.reject(error));
          if (wire !== null) await act(wire, ports, take);
        }
        const lines = [await log.next()];
        for (let i = 0; i < (others ?? 0); i++) lines.push(await log.next());
        const line = lines.find((each) => each.end === end) ?? lines[0];
        assert.equal(line.end, end, JSON.stringify(line));
        const { whyHas, ...values } = expect;
        for (const [key, value] of Object.entries(values)) {
          assert.deepEqual(line[key as keyof Logged], value, `${key} of ${JSON.stringify(line)}`);
        }
        assert.equal(
          line.why === undefined,
          ENDS[end].good === true && values.why === undefined,
          `why of ${JSON.stringify(line)}`,
        );
        if (whyHas !== undefined) assert.match(line.why ?? "", whyHas);
        assert.ok(line.t.total !== null && line.t.total >= 0 && line.t.total < 5000, JSON.stringify(line.t));
      });
    }
    assert.deepEqual([log.lines, proxy.errors], [[], []]);
  });
}
