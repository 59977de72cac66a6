/** A whole node by its file: applications of routes, `mode: tcp` by name, PROXY protocol in and out with checks that speak it. */
import assert from "node:assert/strict";
import type { Host } from "../support/namespaces.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type TandemNode } from "../support/tandem.ts";
import { answering, freePort, get, Origin, Wire } from "./proxy_support.ts";

/** This machine, as it is. */
const here = { name: "n1", inside: (argv: readonly string[]) => [...argv] } as unknown as Host;
const contract = new URL("../../plugins/contract.ts", import.meta.url).href;

const APP = `
import { forward } from "${contract}";
export default {
  kind: "app",
  fetch(request, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/own")) return new Response("own of " + ctx.host.node);
    if (pathname.endsWith("/spin")) for (;;);
    return forward("web", (headers) => headers.set("x-app", "1"))({ env: ctx, req: { raw: request } });
  },
};
`;

interface World extends AsyncDisposable {
  readonly node: TandemNode;
  readonly scratch: Scratch;
  reload(lines: readonly string[]): Promise<void>;
}

async function start(lines: readonly string[]): Promise<World> {
  const scratch = new Scratch();
  const file = `${scratch.path}/tandem.yaml`;
  const write = (lines: readonly string[]) =>
    Deno.writeTextFile(
      file,
      [
        "version: 1",
        `admin: { bind: none, socket: ${scratch.path}/n1.sock }`,
        "proxy: { threads: 2 }",
        ...lines,
      ].join("\n") + "\n",
    );
  await Deno.writeTextFile(`${scratch.path}/app.ts`, APP);
  await write(lines);
  const node = await startTandem(here, { file, directory: scratch.path });
  await node.waitFor("it runs", ({ phase }) => phase === "running");
  return {
    node,
    scratch,
    async reload(lines) {
      await write(lines);
      const { status, body } = await node.api("POST", "/api/v1/reload");
      assert.equal(status, 200, body);
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
      scratch[Symbol.dispose]();
    },
  };
}

interface AppView {
  readonly state: string;
  readonly isolation: string;
  readonly pid: number | null;
  readonly restarts: number;
}

async function app(node: TandemNode): Promise<AppView> {
  const [view] = (await node.status() as unknown as { readonly apps: readonly AppView[] }).apps;
  return view;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Not within 5 s: ${what}`);
}

Deno.test("an application of a route is kept alive, trusted, passed by or blocking while it is down, and reloaded with the rest", async () => {
  await using web = new Origin(answering("web"));
  const port = freePort();
  const lines = (routes: string) => [
    `frontends: { in: { bind: "127.0.0.1:${port}", default_backend: web, routes: [${routes}] } }`,
    `backends: { web: { servers: { one: "127.0.0.1:${web.port}" } } }`,
  ];
  const both =
    "{ match: { path: /pass/* }, app: ./app.ts, on_failure: pass }, { match: { path: /block/* }, app: ./app.ts }";
  await using world = await start(lines(both));
  const { node } = world;
  await until("the application runs", async () => (await app(node)).state === "running");
  assert.match(await get(port, "/pass/own"), /own of \w/);
  assert.match(await get(port, "/block/x"), /web$/);
  const { pid, isolation } = await app(node);
  assert.equal(isolation, "trusted");

  Deno.kill(pid ?? 0, "SIGKILL");
  await until("its death is known", async () => (await app(node)).restarts === 1);
  await until("it serves again", async () => (await get(port, "/block/own")).includes("own of "));
  // As long as it is down: requests go by, or are blocked. It cannot come back from a file that is broken.
  await Deno.writeTextFile(`${world.scratch.path}/app.ts`, "this is no module");
  Deno.kill((await app(node)).pid ?? 0, "SIGKILL");
  await until("it is down", async () => (await get(port, "/block/own")).startsWith("HTTP/1.1 503 "));
  // That may be a refused connection still; requests go by as soon as control has seen the death.
  await until("requests go by", async () => (await get(port, "/pass/own")).endsWith("web"));
  await Deno.writeTextFile(`${world.scratch.path}/app.ts`, APP);
  await until("it came back with back-off", async () => (await get(port, "/block/own")).includes("own of "));

  await world.reload(lines(""));
  assert.match(await get(port, "/block/own"), /web$/);
  await world.reload(lines(both));
  assert.match(await get(port, "/block/own"), /own of /, "it was not even stopped");
});

Deno.test("sni routes, a bind with proxy_protocol and send_proxy work from the file, and checks introduce themselves", async () => {
  const heads: string[] = [];
  await using web = new Origin(async (wire) => {
    const header = await wire.until("\r\n");
    heads.push(header);
    for (;;) {
      const head = await wire.until("\r\n\r\n", 20_000);
      const text = `${header.trim()} ${/x-forwarded-for: (\S+)/i.exec(head)?.[1] ?? ""}`;
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    }
  });
  await using rest = new Origin(async (wire) => await wire.send("rest"));
  const [http, tcp] = [freePort(), freePort()];
  await using world = await start([
    "frontends:",
    `  http: { bind: { address: "127.0.0.1:${http}", proxy_protocol: true }, default_backend: web }`,
    `  tcp: { mode: tcp, bind: "127.0.0.1:${tcp}", default_backend: rest, routes: [{ match: { sni: "*.shop.example" }, backend: web }] }`,
    "backends:",
    "  web:",
    "    send_proxy: v1",
    "    check: { type: http, path: /, interval: 200ms }",
    `    servers: { one: "127.0.0.1:${web.port}" }`,
    `  rest: { servers: { one: "127.0.0.1:${rest.port}" } }`,
  ]);
  await world.node.waitFor("the server is up", ({ backends }) => backends[0].servers[0].state === "up");
  assert.ok(heads.every((head) => head === "PROXY UNKNOWN\r\n"), heads.join());
  using wire = await Wire.to(http);
  await wire.send("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(await wire.message(), /PROXY TCP4 192\.0\.2\.7 198\.51\.100\.1 56324 443 192\.0\.2\.7$/);
  using plain = await Wire.to(tcp);
  await plain.send("no hello");
  assert.equal(await plain.take(4), "rest");
});
