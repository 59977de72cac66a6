/** Clients that come back to their server, on real sockets, the same on io_uring and on epoll. */
import assert from "node:assert/strict";
import type { BackendOptions, ServerState } from "../../runtime/proxy/protocol.ts";
import { backend, freePort, frontend, get, Origin, ProxyUnderTest, ways, Wire } from "./proxy_support.ts";

const stickiness = {
  by: "cookie",
  cookie: "SRV",
  attributes: "; Path=/; HttpOnly; SameSite=Lax",
  values: { s0: "value0", s1: "value1", s2: "value2" },
} as const;

const UPGRADE = "Connection: Upgrade\r\nUpgrade: echo\r\n";

/** Answers its letter and the Cookie fields it was sent; switches protocols where it is asked to. */
function telling(letter: string): (wire: Wire) => Promise<void> {
  return async (wire) => {
    for (;;) {
      const head = await wire.message();
      if (/^upgrade:/im.test(head)) {
        await wire.send(`HTTP/1.1 101 Switching Protocols\r\n${UPGRADE}\r\n${letter}`);
        continue;
      }
      const cookies = [...head.matchAll(/^cookie: *(.*)\r$/gim)].map(([, value]) => value).join("|");
      const body = `${letter}(${cookies})`;
      await wire.send(`HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  };
}

interface Setup extends AsyncDisposable {
  readonly proxy: ProxyUnderTest;
  readonly port: number;
  readonly web: BackendOptions;
  readonly origins: readonly Origin[];
}

async function start(way: string, change: Partial<BackendOptions> = {}, threads = 2): Promise<Setup> {
  const origins = [..."abc"].map((letter) => new Origin(telling(letter)));
  const port = freePort();
  const proxy = new ProxyUnderTest(way);
  const web = backend("web", origins.map((origin) => origin.port), { stickiness, ...change });
  await proxy.apply({ threads, frontends: [frontend("in", port)], backends: [web] });
  return {
    proxy,
    port,
    web,
    origins,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      for (const origin of origins) await origin[Symbol.asyncDispose]();
    },
  };
}

const ours = /^Set-Cookie: SRV=(\S+?); Path=\/; HttpOnly; SameSite=Lax\r$/m;

function decide(proxy: ProxyUnderTest, server: string, state: ServerState): Promise<unknown> {
  return proxy.send({ type: "verdicts", verdicts: [{ backend: "web", server, state, weight: 1 }] })
    .then(() => proxy.status());
}

for (const way of ways) {
  Deno.test(`${way}: a client gets a cookie once, and comes back to its server over connections and threads`, async () => {
    await using setup = await start(way);
    const first = await get(setup.port);
    const [, value] = ours.exec(first) ?? [];
    assert.match(value, /^value[012]$/);
    assert.match(first, /^Set-Cookie: own=1\r$/m);
    const letter = "abc"[Number(value.slice(-1))];
    for (let i = 0; i < 20; i++) {
      const again = await get(setup.port, "/", `Cookie: x=1; SRV=${value}; y=2\r\n`);
      assert.ok(again.endsWith(`${letter}(x=1; y=2)`), again);
      assert.doesNotMatch(again, /SRV=/);
    }
  });

  Deno.test(`${way}: a client that begins with an upgrade gets its cookie with the 101`, async () => {
    await using setup = await start(way);
    using wire = await Wire.to(setup.port);
    await wire.send(`GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`);
    const head = await wire.until("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 101 /);
    const [, value] = ours.exec(head) ?? [];
    const letter = await wire.take(1);
    for (let i = 0; i < 4; i++) {
      assert.ok((await get(setup.port, "/", `Cookie: SRV=${value}\r\n`)).endsWith(`${letter}()`));
    }
  });

  Deno.test(`${way}: a cookie that is no server's is ignored, replaced, and not passed on`, async () => {
    await using setup = await start(way);
    for (const forged of ["s1", "value9", "", "value0x"]) {
      const answer = await get(setup.port, "/", `Cookie: SRV=${forged}; keep=1\r\n`);
      assert.match(answer, ours);
      assert.ok(answer.endsWith("(keep=1)"), answer);
    }
    assert.ok((await get(setup.port, "/", "Cookie: SRV=value1\r\n")).endsWith("b()"));
  });

  Deno.test(`${way}: a drained server keeps its clients and gets no others; one that is down keeps none`, async () => {
    await using setup = await start(way);
    const asOld = () => get(setup.port, "/", "Cookie: SRV=value1\r\n");
    await decide(setup.proxy, "s1", "drain");
    for (let i = 0; i < 6; i++) {
      assert.ok((await asOld()).endsWith("b()"));
      assert.doesNotMatch(await get(setup.port), /b\(\)$/);
    }
    for (const state of ["down", "maint", "standby"] as const) {
      await decide(setup.proxy, "s1", state);
      const moved = await asOld();
      assert.match(moved, ours);
      assert.doesNotMatch(moved, /SRV=value1|b\(\)$/);
    }
    await decide(setup.proxy, "s1", "up");
    assert.ok((await asOld()).endsWith("b()"));
  });

  Deno.test(`${way}: a server that refuses loses its clients to another, whose cookie they get`, async () => {
    await using setup = await start(way);
    await setup.origins[1][Symbol.asyncDispose]();
    const moved = await get(setup.port, "/", "Cookie: SRV=value1\r\n");
    assert.match(moved, /^HTTP\/1\.1 200 /);
    assert.match(ours.exec(moved)?.[1] ?? "", /^value[02]$/);
  });

  Deno.test(`${way}: a reload moves no client, and a client waits for its full server while others are free`, async () => {
    await using setup = await start(way);
    const { web, proxy, port } = setup;
    const servers = web.servers.map((server) => ({ ...server, maxconn: 1 })).reverse();
    await proxy.apply({ threads: 2, frontends: [frontend("in", port)], backends: [{ ...web, servers }] });
    for (let i = 0; i < 4; i++) assert.ok((await get(port, "/", "Cookie: SRV=value2\r\n")).endsWith("c()"));
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => get(port, "/", "Cookie: SRV=value0\r\n")),
    );
    for (const answer of answers) assert.ok(answer.endsWith("a()"), answer);
  });

  Deno.test(`${way}: by client_ip all requests of a client are one server's, whatever the policy`, async () => {
    await using setup = await start(way, { stickiness: { by: "client_ip" } });
    const letters = new Set<string>();
    for (let i = 0; i < 10; i++) letters.add((await get(setup.port)).slice(-3));
    assert.equal(letters.size, 1);
    assert.doesNotMatch(await get(setup.port), ours);
  });

  Deno.test(`${way}: behind a trusted proxy a client is whom that proxy names`, async () => {
    await using setup = await start(way, { stickiness: { by: "client_ip" } });
    const { proxy, port, web } = setup;
    const of = async (i: number) => (await get(port, "/", `X-Forwarded-For: 198.51.100.${i}\r\n`)).slice(-3);
    const direct = new Set<string>();
    for (let i = 0; i < 20; i++) direct.add(await of(i));
    assert.equal(direct.size, 1, "nobody is believed");
    const trusting = frontend("in", port, { trustedProxies: ["127.0.0.0/8"] });
    await proxy.apply({ threads: 2, frontends: [trusting], backends: [web] });
    const first: string[] = [];
    for (let i = 0; i < 20; i++) first.push(await of(i));
    assert.equal(new Set(first).size, 3);
    for (let i = 0; i < 20; i++) assert.equal(await of(i), first[i]);
  });
}
