/** What `plugin new` writes: for each kind a plugin that works, with a test. Pure. */

export type TemplateKind = "checker" | "policy" | "notifier" | "app";

export interface Names {
  /** "acme/pg-role". */
  readonly name: string;
  readonly publisher: string;
  readonly kind: TemplateKind;
  /** What an editor is to find packages by: "npm:hono@4.0.0" by "hono". */
  readonly packages: Readonly<Record<string, string>>;
}

/** Files by path. */
export function template(names: Names): Record<string, string> {
  const { code, test, requests, about } = kinds[names.kind];
  return {
    "plugin.yaml": manifest(names, requests),
    "main.ts": code,
    "main_test.ts": test,
    "README.md": readme(names, about),
    "deno.json": `{
  "imports": {
    ${packageLines(names)}"tandem/plugin": "./.tandem/plugins/contract.ts",
    "tandem/plugin/test": "./.tandem/plugins/testing.ts"
  },
  "fmt": { "lineWidth": 120, "exclude": [".tandem"] },
  "lint": { "exclude": [".tandem"] }
}
`,
  };
}

/** A package stands for all that is under it. */
function packageLines({ packages }: Names): string {
  return Object.entries(packages).filter(([name]) => !name.includes("/")).map(([name, specifier]) =>
    `"${name}": "${specifier}",\n    "${name}/": "${specifier.replace("npm:", "npm:/")}/",\n    `
  ).join("");
}

function manifest({ name, publisher, kind }: Names, requests: string): string {
  return `name: ${name}
version: 0.1.0
kind: ${kind}
api: 1
entry: main.ts
# What it asks for; the operator grants it, or does not.
requests: ${requests}
limits: { memory: 64MB, deadline: 2s }
publisher: { name: ${publisher}, license: MIT }
`;
}

function readme({ name, kind }: Names, about: string): string {
  return `# ${name}

${about}

    tandem plugin check     # manifest, types, imports; writes config: of plugin.yaml from the code
    tandem plugin test      # its own tests, then those of every ${kind}, in the real sandbox
    tandem plugin pack      # one file to give away

\`.tandem/\` holds the contract for your editor; it is not part of the plugin.
`;
}

const kinds: Readonly<Record<TemplateKind, { code: string; test: string; requests: string; about: string }>> = {
  checker: {
    requests: "{ net: [targets] }",
    about: "Says that a server is up when it greets with the right words.",
    code: `import { defineChecker, s } from "tandem/plugin";

export default defineChecker({
  config: {
    greeting: s.string({ default: "220 ", description: "what the server must say first" }),
  },
  async check(_target, ctx) {
    // Reaches only the server being checked. Rejects when the check's deadline passes: that is "down", as it should be.
    await using connection = await ctx.connect();
    const bytes = await connection.read();
    if (bytes === null) return { state: "down", reason: "server closed the connection", phase: "greeting" };
    const got = new TextDecoder().decode(bytes).split(/\\r?\\n/)[0];
    if (got.startsWith(ctx.config.greeting)) return { state: "up", reason: got };
    return { state: "down", reason: "wrong greeting", phase: "greeting", got, wanted: ctx.config.greeting };
  },
});
`,
    test: `import { runCheck, script } from "tandem/plugin/test";
import checker from "./main.ts";

const config = { greeting: "220 " };

function assertEquals(got: unknown, wanted: unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(\`got \${Deno.inspect(got)}\`);
}

Deno.test("a server that greets is up", async () => {
  const { verdict } = await runCheck(checker, { config, server: script([{ send: "220 mail.example\\r\\n" }]) });
  assertEquals(verdict, { state: "up", reason: "220 mail.example" });
});

Deno.test("a server that refuses is down", async () => {
  const { verdict } = await runCheck(checker, { config, server: script(["refuse"]) });
  assertEquals(verdict, { state: "down", reason: "connect refused" });
});
`,
  },
  policy: {
    requests: "{}",
    about: "Sends a canary server a fixed part of the requests.",
    code: `import { definePolicy, s } from "tandem/plugin";

export default definePolicy({
  config: {
    label: s.string({ default: "canary", description: "servers with this label are canaries" }),
    percent: s.number({ default: 5, minimum: 0, maximum: 100 }),
  },
  plan({ servers }, ctx) {
    const { label, percent } = ctx.config;
    const canaries = servers.filter((server) => label in server.labels);
    const others = servers.filter((server) => !(label in server.labels));
    const share = (group: typeof servers, part: number) => group.map((server) => [server.name, part / group.length]);
    // Where there is only one kind, it gets everything.
    const weights = canaries.length === 0 || others.length === 0
      ? share(servers, 100)
      : [...share(canaries, percent), ...share(others, 100 - percent)];
    return { ttlMs: 5000, weights: Object.fromEntries(weights), explain: \`\${canaries.length} canaries get \${percent} %\` };
  },
});
`,
    test: `import { simulate } from "tandem/plugin/test";
import policy from "./main.ts";

const servers = [{ name: "a" }, { name: "b" }, { name: "c", labels: { canary: "1" } }];

Deno.test("a canary gets its part", async () => {
  const { spread, changes } = await simulate(policy, { config: { label: "canary", percent: 10 }, servers });
  if (Math.abs(spread.c - 0.1) > 0.001 || changes !== 0) throw new Error(Deno.inspect({ spread, changes }));
});

Deno.test("the others take over when it goes", async () => {
  const trace = [{ at: 5000, servers: { c: null } }];
  const { plans } = await simulate(policy, { config: { label: "canary", percent: 10 }, servers, trace });
  if (plans.length !== 2 || "c" in plans[1].plan.weights) throw new Error(Deno.inspect(plans));
});
`,
  },
  notifier: {
    requests: "{ endpoints: [chat] }",
    about: "Posts events to a chat.",
    code: `import { defineNotifier, GiveUp, Retry, s } from "tandem/plugin";

export default defineNotifier({
  config: {
    prefix: s.string({ default: "tandem" }),
  },
  async notify(event, ctx) {
    // Where "chat" is, and the token that it wants, the operator says; the plugin never sees either.
    const text = \`\${ctx.config.prefix} \${event.node}: \${event.text}\`;
    const response = await ctx.fetch!("chat", { body: { text, id: event.id } });
    if (response.status === 429) {
      throw new Retry("the chat is busy", 1000 * Number(response.headers.get("retry-after") ?? 5));
    }
    if (response.status >= 400 && response.status < 500) throw new GiveUp(\`the chat answered \${response.status}\`);
    if (!response.ok) throw new Error(\`the chat answered \${response.status}\`);
  },
});
`,
    test: `import { deliver } from "tandem/plugin/test";
import notifier from "./main.ts";

const config = { prefix: "edge" };

Deno.test("an event is posted", async () => {
  const { sent, error } = await deliver(notifier, { text: "node01 is down" }, { config });
  const body = sent[0]?.body as { text: string };
  if (error || body.text !== "edge dlp1: node01 is down") throw new Error(Deno.inspect({ sent, error }));
});

Deno.test("a busy chat is asked again", async () => {
  const answers = [new Response(null, { status: 429, headers: { "retry-after": "7" } })];
  const { error } = await deliver(notifier, {}, { config, answers });
  if (error?.name !== "Retry") throw new Error(Deno.inspect(error));
});
`,
  },
  app: {
    requests: "{}",
    about: "Greets everybody, and forwards the rest to the servers under the name of who asks.",
    code: `import { type AppContext, defineApp, forward, s } from "tandem/plugin";
import { Hono } from "hono";

interface Env {
  readonly Bindings: AppContext<{ readonly backend: string; readonly greeting: string }>;
}

const app = new Hono<Env>();

app.get("/hello", (c) => c.text(\`\${c.env.config.greeting} from \${c.env.host.node}\\n\`));

// Sent on through the balancer, to a server of the backend; the answer comes back through here.
app.all("*", async (c) => {
  const response = await forward(c.env.config.backend, (headers) => headers.set("x-greeted", "yes"))(c);
  response.headers.delete("server");
  return response;
});

// No answer came, or one of the lines above threw.
app.onError((error, c) => {
  c.env.log.error(\`\${c.req.method} \${c.req.path}: \${error.message}\`);
  return c.text("Try again later.\\n", 502);
});

export default defineApp({
  config: {
    backend: s.string({ default: "web", description: "where requests are forwarded to" }),
    greeting: s.string({ default: "Hello" }),
  },
  fetch: (request, ctx) => app.fetch(request, ctx),
});
`,
    test: `import { request } from "tandem/plugin/test";
import app from "./main.ts";

const config = { backend: "shop", greeting: "Good day" };

Deno.test("everybody is greeted", async () => {
  const response = await request(app, new Request("http://a.example/hello"), { config });
  const text = await response.text();
  if (text !== "Good day from dlp1\\n") throw new Error(text);
});

Deno.test("the rest is forwarded, with a field more", async () => {
  const forwarded: unknown[] = [];
  await request(app, new Request("http://a.example/cart"), {
    config,
    forward: (backend, request) => {
      forwarded.push([backend, new URL(request.url).pathname, request.headers.get("x-greeted")]);
      return Promise.resolve(new Response("ok"));
    },
  });
  if (JSON.stringify(forwarded) !== '[["shop","/cart","yes"]]') throw new Error(Deno.inspect(forwarded));
});
`,
  },
};
