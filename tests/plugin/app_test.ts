/** Applications that are plugins, in a whole node: confined, forwarded by, swapped, and hostile beside what is served. */
import assert from "node:assert/strict";
import { get, Origin, Wire } from "../interop/proxy_support.ts";
import { until } from "../support/command.ts";
import { hostileApps } from "./app_attacks.ts";
import { appWith, askAllTheTime, startAppNode } from "./app_node.ts";

/** Answers each request with its head and what of its body there is. */
const mirror = () =>
  new Origin(async (wire) => {
    for (;;) {
      const head = await wire.until("\r\n\r\n", 20_000);
      let body = "";
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (length !== undefined) body = await wire.take(Number(length), 20_000);
      else if (/transfer-encoding: chunked/i.test(head)) body = await wire.until("0\r\n\r\n", 20_000);
      const text = `${head}${body}`;
      await wire.send(`HTTP/1.1 200 Fine\r\nX-Web: 1\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    }
  });

const site = (web: Origin, routes: string, plugins: string) => [
  `frontends: { in: { bind: "127.0.0.1:PORT", default_backend: web, routes: [${routes}] } }`,
  `backends: { web: { servers: { one: "127.0.0.1:${web.port}" } } }`,
  `plugins: { ${plugins} }`,
];

const HONO = `import { type AppContext, defineApp, forward, s } from "tandem/plugin";
import { Hono } from "hono";
import { cors } from "hono/cors";
const app = new Hono<{ Bindings: AppContext<any> }>();
let started = 0;
app.use(cors());
app.get("/app/own", (c) => c.text(\`\${c.env.config.word} \${c.env.host.node} \${started} \${c.req.header("x-forwarded-for")}\`));
app.get("/app/events", (c) => c.body(new ReadableStream({
  async start(controller) {
    for (let i = 0; i < 3; i++) {
      controller.enqueue(new TextEncoder().encode("event" + i));
      await c.env.clock.sleep(20);
    }
    controller.close();
  },
}), 200, { "content-type": "text/event-stream" }));
app.get("/app/cut", (c) => c.body(new ReadableStream({
  start(controller) { controller.enqueue(new Uint8Array([65])); setTimeout(() => controller.error(new Error("cut")), 50); },
})));
app.get("/app/throw", () => { throw new Error("not like this"); });
app.get("/app/store", async (c) => {
  await c.env.store!.set("seen", String(1 + Number(await c.env.store!.get("seen"))));
  return c.text("seen " + await c.env.store!.get("seen"));
});
app.get("/app/endpoint", async (c) => c.text((await c.env.fetch!("web")).status + ""));
app.all("*", forward("web", (headers) => headers.set("x-app", "1")));
export default defineApp({
  config: { word: s.string({ default: "own" }) },
  init(ctx) { started++; ctx.log.info("begun"); },
  fetch: (request, ctx) => app.fetch(request, ctx),
});
`;
const HONO_MANIFEST = `requests: { store: 16KiB, endpoints: [web] }
config: { type: object, properties: { word: { type: string, default: own } }, additionalProperties: false }
`;

Deno.test("an application in its sandbox answers, streams, forwards and is told its configuration", async () => {
  await using web = mirror();
  const grants = `{ store: 16KiB, net_unsafe: [web], endpoints: { web: "http://127.0.0.1:${web.port}/" } }`;
  const lines = site(
    web,
    "{ match: { path: /app/* }, app: door }",
    `door: { source: ./door, grants: ${grants}, with: { word: hello } }`,
  );
  await using world = await startAppNode({}, site(web, "", ""));
  await world.write("door", HONO, HONO_MANIFEST);
  const { node, port } = world;
  const reloaded = await world.reload(lines);
  assert.equal(reloaded.status, 200, reloaded.body);
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  assert.match(
    await get(port, "/app/own"),
    /^HTTP\/1.1 200 [^]*access-control-allow-origin: \*[^]*hello n1 1 127\.0\.0\.1/i,
  );

  using wire = await Wire.to(port);
  await wire.send("GET /app/../app/x%2f?a=/../b HTTP/1.1\r\nHost: a.example:81\r\nX-Tandem-Target: /forged\r\n\r\n");
  const seen = await wire.message();
  assert.match(seen, /x-web: 1[^]*GET \/app\/\.\.\/app\/x%2f\?a=\/\.\.\/b HTTP\/1.1\r\nhost: a\.example:81\r\n/i);
  assert.match(seen, /\r\nx-app: 1\r\n/i);
  assert.doesNotMatch(seen, /x-tandem/i);
  const body = "0123456789".repeat(30_000);
  await wire.send(`POST /app/p HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.ok((await wire.message(20_000)).endsWith(`\r\n\r\n${body}`), "a body goes there and back");
  await wire.send("POST /app/p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  assert.match(await wire.message(), /3\r\nabc\r\n0\r\n\r\n$/);
  await wire.send("HEAD /app/h HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
  await wire.send("GET /app/events HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const text of ["event0", "event1", "event2", "0\r\n\r\n"]) await wire.until(text);
  await wire.send("GET /app/throw HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(await wire.message(), /^HTTP\/1.1 500 /);
  await wire.send("GET /app/cut HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.doesNotMatch(await wire.rest(), /0\r\n\r\n$/, "what is cut off does not end as a whole");
  assert.match(await get(port, "/app/store"), /seen 1/);
  assert.match(await get(port, "/app/store"), /seen 2/);
  assert.match(await get(port, "/app/endpoint"), /\r\n200/);

  const [door] = (await node.status()).plugins;
  assert.deepEqual([door.name, door.kind, door.plugin, door.restarts], ["door", "app", "acme/door 1.0.0", 0]);
  if (Deno.uid() === 0) assert.deepEqual(door.isolation.missing, []);
  assert.match(node.output, /\[door\] begun/);
  assert.doesNotMatch(node.output, /not like this[^]*not like this[^]*not like this/, "an error is said once");
});

/** What hostile code tries; it answers what it could do. */
const TRIES: Readonly<Record<string, string>> = {
  "a file": `await Deno.readTextFile("/etc/passwd")`,
  "a file by import": `await import("/etc/passwd", { with: { type: "text" } })`,
  "a directory of others": `[...Deno.readDirSync("/run")]`,
  "TCP": `await Deno.connect({ hostname: "127.0.0.1", port: ctx.config.port })`,
  "TCP of node":
    `await new Promise((resolve, reject) => connect(ctx.config.port, "127.0.0.1").on("connect", resolve).on("error", reject))`,
  "fetch": `await fetch("http://127.0.0.1:" + ctx.config.port)`,
  "the admin socket": `await Deno.connect({ transport: "unix", path: ctx.config.admin })`,
  "the admin socket of node":
    `await new Promise((resolve, reject) => connect(ctx.config.admin).on("connect", resolve).on("error", reject))`,
  "an abstract socket":
    `await new Promise((resolve, reject) => connect("\\0tandem").on("connect", resolve).on("error", reject))`,
  "a listener": `Deno.listen({ port: 0 })`,
  "a listener on a Unix socket": `Deno.listen({ transport: "unix", path: "/tmp/mine.sock" })`,
  "a listener of node":
    `await new Promise((resolve, reject) => createServer().on("error", reject).listen("/tmp/mine.sock", resolve))`,
  "the balancer's place": `Deno.listen({ transport: "unix", path: Deno.args[1] })`,
  "taking the balancer away": `Deno.removeSync(Deno.args[1])`,
  "a file beside the balancer": `Deno.writeTextFileSync(Deno.args[1] + "x", "x")`,
  "a process": `new Deno.Command("/bin/true").outputSync()`,
  "the environment": `Deno.env.toObject()`,
  "FFI": `Deno.dlopen("libc.so.6", {})`,
  "a datagram": `Deno.listenDatagram({ transport: "unixpacket", path: "/tmp/d.sock" })`,
};

Deno.test("an application reaches nothing but its requests and the balancer", async () => {
  await using web = mirror();
  const tries = Object.entries(TRIES).map(([name, code]) =>
    `try { ${code}; done.push(${JSON.stringify(name)}); } catch (error) { refused.push(${
      JSON.stringify(name)
    } + ": " + error.name + " " + error.message); }`
  );
  const code = appWith(
    `const done: string[] = [], refused: string[] = [];
  ${tries.join("\n  ")}
  try { await ctx.forward("none", request); } catch (error) { refused.push(String(error)); }
  return Response.json({ done, refused });`,
    `import { connect, createServer } from "node:net";`,
  );
  const own = "config: { type: object, properties: { port: { type: number }, admin: { type: string } } }\n";
  await using world = await startAppNode({}, site(web, "", ""));
  await world.write("probe", code, own);
  const { node, port } = world;
  const socket = (await node.status()).config.file.replace("tandem.yaml", "n1.sock");
  const given = `with: { port: ${web.port}, admin: ${socket} }`;
  const lines = site(web, "{ match: { path: /probe }, app: probe }", `probe: { source: ./probe, ${given} }`);
  const { status, body } = await world.reload(lines);
  assert.equal(status, 200, body);
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  const answer = await get(port, "/probe");
  const { done, refused } = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
  assert.deepEqual(done, []);
  assert.equal(refused.length, Object.keys(TRIES).length, refused.join("\n"));
  const { pid } = await world.plugin("probe");
  if (Deno.uid() !== 0) return;
  const ids = await Deno.readTextFile(`/proc/${pid}/status`);
  assert.match(ids, /^Uid:\t6[1-5]\d{3}\t/m, "a uid of its own");
  assert.match(ids, /^Seccomp:\t2$/m);
  assert.notEqual(await Deno.readLink(`/proc/${pid}/ns/net`), await Deno.readLink("/proc/self/ns/net"));
});

Deno.test("a changed application takes over without failing a request, and one that does not start leaves the old", async () => {
  await using web = mirror();
  const app = (word: string, init = "") =>
    `export default { kind: "app", ${init} async fetch() { await new Promise((r) => setTimeout(r, 5)); return new Response("${word}"); } };`;
  const lines = site(web, "{ match: { path: /app }, app: door }", "door: { source: ./door }");
  await using world = await startAppNode({ door: app("one") }, lines);
  const { node, port } = world;
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  const before = (await world.plugin("door")).pid;
  const client = askAllTheTime(port, "/app", /^HTTP\/1.1 200 [^]*(one|two)/);
  await world.write("door", app("two"));
  assert.equal((await world.reload()).status, 200);
  assert.match(await get(port, "/app"), /two/, "as soon as the reload is done");
  const { pid } = await world.plugin("door");
  assert.notEqual(pid, before);

  await world.write("door", app("three", `init() { throw new Error("not today"); },`));
  const { body } = await world.reload();
  assert.match(body, /init of \\"plugins\.door\\" failed: not today \(at main\.ts:1:46\); the one that runs goes on/);
  assert.match(await get(port, "/app"), /two/);
  await world.write("door", "this is no module");
  assert.match((await world.reload()).body, /the one that runs goes on/);
  assert.equal((await world.plugin("door")).pid, pid);
  const { asked, wrong } = await client.stop();
  assert.deepEqual(wrong, []);
  assert.ok(asked > 20, `${asked} requests`);
});

Deno.test("a changed file takes over without failing a request, and one that does not load is refused, or leaves the old", async () => {
  await using web = mirror();
  const app = (word: string, more = "") =>
    `import { word } from "./part.ts";\n${more}\n` +
    `export default { async fetch() { await new Promise((r) => setTimeout(r, 5)); return new Response("${word}" + word); } };`;
  await using world = await startAppNode(
    {},
    site(web, "{ match: { path: /app }, app: ./door.ts }", ""),
    "{ threads: 1 }",
    {
      "door.ts": app("one"),
      "part.ts": `export const word = "A";`,
    },
  );
  const { node, port } = world;
  await node.waitFor("it runs", ({ apps }) => apps[0]?.state === "running");
  const client = askAllTheTime(port, "/app", /^HTTP\/1.1 200 [^]*(oneA|twoA|twoB)/);
  await world.file("door.ts", app("two"));
  assert.equal((await world.reload()).status, 200);
  assert.match(await get(port, "/app"), /twoA/, "as soon as the reload is done");
  await world.file("part.ts", `export const word = "B";`);
  assert.equal((await world.reload()).status, 200);
  assert.match(await get(port, "/app"), /twoB/, "what it imports counts");
  const { pid } = (await node.status()).apps[0];

  await world.file("door.ts", app("three", `throw new Error("not today");`));
  assert.match((await world.reload()).body, /is changed and does not start, the one that runs goes on: not today/);
  await world.file("door.ts", "export default {");
  const broken = await world.reload();
  assert.ok(broken.status >= 400, broken.body);
  assert.match(
    broken.body,
    /tandem\.yaml:\d+:\d+: frontends\.in\.routes\[0\]\.app: .*door\.ts.* does not load: SyntaxError: .*door\.ts:1:/,
  );
  assert.match(await get(port, "/app"), /twoB/);
  assert.equal((await node.status()).apps[0].pid, pid);
  const { asked, wrong } = await client.stop();
  assert.deepEqual(wrong, []);
  assert.ok(asked > 20, `${asked} requests`);
});

Deno.test({
  name: "applications serve a proxy that has a uid of its own, and nobody else comes to their sockets",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using web = mirror();
    const app = `import { forward } from "tandem/plugin";
export default { fetch: (request: Request, ctx: any) => forward("web")({ env: ctx, req: { raw: request } }) };`;
    const routes = "{ match: { path: /file }, app: ./door.ts }, { match: { path: /plugin }, app: door }";
    const lines = site(web, routes, "door: { source: ./door }");
    await using world = await startAppNode({ door: app }, lines, "{ threads: 1, user: nobody }", { "door.ts": app });
    const { node, port } = world;
    const status = await node.waitFor(
      "both run",
      (status) => [...status.apps, ...status.plugins].every(({ state }) => state === "running") && status,
      20_000,
    );
    assert.equal(status.isolation.proxy_user, "nobody", JSON.stringify(status.missing));
    for (const path of ["/file", "/plugin"]) {
      assert.match(await get(port, path), new RegExp(`^HTTP/1.1 200 [^]*GET ${path} HTTP/1.1`));
    }
    const place = await placeOf(node.pid);
    const sockets = socketsOf(await Deno.readTextFile("/proc/net/unix")).filter((path) => path.startsWith(place));
    assert.equal(sockets.length, 4, sockets.join());
    for (const path of sockets) {
      assert.ok(await mayWrite(NOBODY, path), `${path} is the proxy's to connect to`);
      for (const uid of [1, 61_000]) assert.ok(!await mayWrite(uid, path), `${path} is not for uid ${uid}`);
    }
  },
});

Deno.test("an upgrade that the application forwards goes through, one that it answers does not, and both are left again", async () => {
  const heads: string[] = [];
  let ended = 0;
  await using web = new Origin(async (wire) => {
    const head = await wire.until("\r\n\r\n", 20_000);
    heads.push(head);
    if (head.includes("/refused")) return await wire.send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
    await wire.send("HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: chat\r\nX-Accept: 1\r\n\r\nwelcome;");
    for (;;) {
      const text = await wire.until(";", 20_000).catch(() => null);
      if (text === null) break;
      await wire.send(`got ${text}`);
    }
    ended++;
  });
  const app = appWith(`if (pathname === "/app/own") return new Response("own", { status: 426 });
  const response = await ctx.forward("web", request);
  response.headers.set("x-door", "1");
  return response;`);
  const lines = site(web, "{ match: { path: /app/* }, app: door }", "door: { source: ./door }");
  await using world = await startAppNode({ door: app }, lines);
  const { node, port } = world;
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  const asking = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n`;
  {
    using wire = await Wire.to(port);
    await wire.send(asking("/app/chat"));
    const head = await wire.until("\r\n\r\n");
    assert.match(head, /^HTTP\/1.1 101 /);
    for (const field of [/\r\nupgrade: chat\r\n/i, /\r\nx-accept: 1\r\n/i, /\r\nx-door: 1\r\n/i]) {
      assert.match(head, field);
    }
    assert.doesNotMatch(head, /x-tandem/i);
    await wire.until("welcome;");
    for (const word of ["one;", "two;", `${"x".repeat(200_000)};`]) {
      await wire.send(word);
      await wire.until(`got ${word}`);
    }
  }
  using refused = await Wire.to(port);
  await refused.send(asking("/app/refused"));
  assert.match(await refused.message(), /^HTTP\/1.1 403 [^]*no$/);
  using own = await Wire.to(port);
  await own.send(asking("/app/own"));
  assert.match(await own.rest(), /^HTTP\/1.1 426 [^]*own/);
  assert.match(heads[0], /\r\nupgrade: chat\r\n/i);
  for (let i = 0; i < 100 && ended === 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(ended, 1, "the server hears that the client is gone");
  assert.equal((await world.plugin("door")).restarts, 0);
});

Deno.test("an application forwards to a proxy that was started anew", async () => {
  await using web = mirror();
  const app = appWith(`return await ctx.forward("web", request);`);
  const lines = site(web, "{ match: { path: /app }, app: door }", "door: { source: ./door }");
  await using world = await startAppNode({ door: app }, lines);
  const { node, port } = world;
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  assert.match(await get(port, "/app"), /x-web: 1/i);
  const before = (await node.status()).children.find(({ role }) => role === "proxy")!;
  Deno.kill(before.pid ?? 0, "SIGKILL");
  await node.waitFor(
    "the proxy is back",
    async ({ children }) =>
      children.some(({ role, restarts }) => role === "proxy" && restarts === 1) &&
      (await get(port, "/other").catch(() => "")).startsWith("HTTP/1.1 200"),
  );
  assert.match(await get(port, "/app"), /x-web: 1/i, "its socket is another file in the same place");
  assert.equal((await world.plugin("door")).restarts, 0);
});

Deno.test("signals to every process end no application before its node, and open nobody's inspector", async () => {
  await using web = mirror();
  const app = `export default { fetch: () => new Response("here") };`;
  const routes = "{ match: { path: /file }, app: ./door.ts }, { match: { path: /plugin }, app: door }";
  const lines = site(web, routes, "door: { source: ./door }");
  await using world = await startAppNode({ door: app }, lines, "{ threads: 1 }", { "door.ts": app });
  const { node, port } = world;
  await node.waitFor(
    "both run",
    ({ apps, plugins }) => [...apps, ...plugins].every(({ state }) => state === "running"),
  );
  // Deno takes signals for itself a while after it has started.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const pidsOf = async () => {
    const { apps, plugins } = await node.status();
    return [apps[0].pid ?? 0, plugins[0].pid ?? 0];
  };
  const before = await pidsOf();
  // systemd's way to stop a service; what HAProxy's and keepalived's operators know; Deno's own sign to open its inspector.
  for (const pid of before) {
    for (const signal of ["SIGHUP", "SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"] as const) Deno.kill(pid, signal);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const pid of before) assert.equal(await inspectorOf(pid), false);
  for (const path of ["/file", "/plugin"]) assert.match(await get(port, path), /here$/m);
  assert.deepEqual(await pidsOf(), before);
});

/** Whether a process listens on the port of Deno's inspector, in whatever network it is. */
async function inspectorOf(pid: number): Promise<boolean> {
  return /^ *\d+: 0100007F:240D /m.test(await Deno.readTextFile(`/proc/${pid}/net/tcp`));
}

const NOBODY = 65_534;

/** Where control, which holds a lock there, keeps the sockets of applications. */
async function placeOf(pid: number): Promise<string> {
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const path = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    if (/tandem-apps-[^/]*\/lock$/.test(path)) return path.slice(0, -"lock".length);
  }
  throw new Error("Control holds no place for applications");
}

/** Whether the kernel lets `uid` connect there. */
async function mayWrite(uid: number, path: string): Promise<boolean> {
  const args = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "test", "-w", path];
  return (await new Deno.Command("setpriv", { args }).output()).success;
}

/** Paths of the Unix sockets that are listened on. */
function socketsOf(table: string): string[] {
  return [...new Set(table.split("\n").flatMap((line) => /^\S+ \S+ \S+ 00010000 .* (\/\S+)$/.exec(line)?.[1] ?? []))];
}

Deno.test("hostile applications hurt their own routes only", async () => {
  await using web = mirror();
  const names = Object.keys(hostileApps);
  const routes = [
    ...names.map((name) => `{ match: { path: /${name} }, app: ${name}, timeouts: { server: 3s } }`),
    `{ match: { path: /pass }, app: exit, on_failure: pass }`,
    `{ match: { path: /fine }, app: fine }`,
  ];
  const code = Object.fromEntries(Object.entries(hostileApps).map(([name, { code }]) => [name, code]));
  const sources = [...names, "fine"].map((name) => `${name}: { source: ./${name} }`);
  await using world = await startAppNode(
    { ...code, fine: appWith(`return new Response("fine");`) },
    site(web, routes.join(", "), sources.join(", ")),
  );
  const { node, port } = world;
  await node.waitFor(
    "all run",
    ({ plugins }) => plugins.length === names.length + 1 && plugins.every(({ state }) => state === "running"),
    30_000,
  );
  const beside = askAllTheTime(port, "/other", /^HTTP\/1.1 200 /);
  const neighbour = askAllTheTime(port, "/fine", /^HTTP\/1.1 200 [^]*fine/);
  const until = performance.now() + 8000;
  const answers = new Map<string, Set<string>>();
  await Promise.all(names.map(async (name) => {
    const seen = new Set<string>();
    answers.set(name, seen);
    while (performance.now() < until) {
      seen.add((await get(port, `/${name}`).catch((error) => `broken: ${error.message}`)).slice(0, 12));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }));
  const [others, fine] = [await beside.stop(), await neighbour.stop()];
  assert.deepEqual(others.wrong, []);
  assert.deepEqual(fine.wrong, []);
  assert.ok(others.asked > 100 && fine.asked > 20, `${others.asked} and ${fine.asked} requests`);
  const { plugins } = await node.status();
  for (const [name, { ends }] of Object.entries(hostileApps)) {
    const { restarts, state, last_error: error } = plugins.find((one) => one.name === name)!;
    if (ends === null) assert.equal(restarts, 0, `${name}: ${error}`);
    else assert.match(`${restarts > 0 || state === "quarantined" ? error : "it was never ended"}`, ends, name);
    // A broken connection is what a client sees of a response that ends too soon.
    for (const answer of answers.get(name)!) assert.match(answer, /^HTTP\/1.1 (200|50[0234])|^broken/, name);
  }
  const { restarts, state } = plugins.find((one) => one.name === "fine")!;
  assert.deepEqual([restarts, state], [0, "running"]);
  await node.waitFor("one that always ends is left alone", async ({ plugins }) => {
    if (plugins.some(({ name, state }) => name === "exit" && state === "quarantined")) return true;
    await get(port, "/exit").catch(() => {});
    return false;
  }, 30_000);
  assert.match(await get(port, "/exit"), /^HTTP\/1.1 503 /);
  assert.match(await get(port, "/pass"), /x-web: 1/i, "its route passes by");
});

Deno.test("what is no Response is 500, and the application's log says what it was", async () => {
  await using web = mirror();
  const mute = appWith(`
    if (pathname === "/app/text") return "just text" as any;
    if (pathname === "/app/error") return Response.error();
    if (pathname === "/app/fine") return new Response("fine");
    return undefined as any;`);
  const lines = site(web, "{ match: { path: /app/* }, app: mute }", "mute: { source: ./mute }");
  await using world = await startAppNode({ mute }, lines);
  const { node, port } = world;
  await node.waitFor("it runs", ({ plugins }) => plugins[0]?.state === "running");
  for (const path of ["/app/nothing?key=1", "/app/text", "/app/error"]) {
    assert.match(await get(port, path), /^HTTP\/1.1 500 [^]*The application failed\./, path);
  }
  assert.match(await get(port, "/app/fine"), /^HTTP\/1.1 200 [^]*fine/);
  using wire = await Wire.to(port);
  await wire.send("GET /app/nothing HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
  assert.match(await wire.until("\r\n\r\n"), /^HTTP\/1.1 500 /);
  for (
    const line of [
      /A request failed: TypeError: GET \/app\/nothing was answered with nothing \(is a return missing\?\)/,
      /GET \/app\/text was answered with a string, and not with a Response/,
      /GET \/app\/error was answered with status 0: Response\.error\(\) cannot be sent/,
    ]
  ) await until("the log says so", () => line.test(node.output));
});

const HOARDER = appWith(
  `if (pathname === "/app/hoard") {
    for (let i = 0; i < 300; i++) {
      // More than the socket queues would wait for ever.
      const connected = Deno.connect({ transport: "unix", path: "/tmp/balancer/forward.sock" } as any);
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 500));
      const one = await Promise.race([connected, late]);
      if (one === null) return new Response("full after " + i);
      held.push(one);
      await one.write(new TextEncoder().encode("PROXY UNKNOWN\\r\\nGET / HT"));
    }
    return new Response("held " + held.length);
  }
  return await ctx.forward("web", request);`,
  "const held: Deno.Conn[] = [];",
);

Deno.test("an application that fills its way to the balancer with requests it never ends keeps nobody else from it", async () => {
  await using web = mirror();
  const lines = (routes: string) => [
    `frontends: { in: { bind: "127.0.0.1:PORT", default_backend: web, routes: [${routes}] } }`,
    `backends: { web: { servers: { one: "127.0.0.1:${web.port}" } } }`,
    `plugins: { hoarder: { source: ./hoarder }, other: { source: ./other } }`,
  ];
  const routes = "{ match: { path: /app/* }, app: hoarder }, { match: { path: /other/* }, app: other }";
  const other = appWith(`return await ctx.forward("web", request);`);
  await using world = await startAppNode({ hoarder: HOARDER, other }, lines(routes), "{ threads: 1, maxconn: 100 }");
  const { node, port } = world;
  await node.waitFor("both run", ({ plugins }) => plugins.every(({ state }) => state === "running"));
  assert.match(await get(port, "/app/forwarded"), /^HTTP\/1.1 200 /);
  assert.match(await get(port, "/app/hoard"), /(held|full after) \d{3}/);
  assert.match(await get(port, "/plain"), /^HTTP\/1.1 200 /, "what goes past it");
  assert.match(await get(port, "/other/x"), /^HTTP\/1.1 200 /, "another application");
  // What was never asked is given up, and it is heard again.
  let answer = "";
  for (let tries = 0; tries < 5 && !/^HTTP/.test(answer); tries++) answer = await get(port, "/app/x").catch(String);
  assert.match(answer, /^HTTP\/1.1 200 /, "and in the end itself");
});
