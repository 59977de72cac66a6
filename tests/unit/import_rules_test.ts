/**
 * Who may import whom, what is pure, and where the system is touched: DESIGN's layout as rows over `deno info --json`
 * and over the sources. Types count: a concept that knows another's types knows the other.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Direct imports of every module of the program, by path from the top: "runtime/os/libc.ts". */
type Graph = ReadonlyMap<string, readonly string[]>;

const concepts = ["vrrp", "vip", "health", "proxy", "plugin", "app"];
const composition = ["config", "control", "roles", "admin", "cli", "demo"];

/** Everything under runtime/NAME/, and runtime/NAME.ts. */
const area = (...names: string[]) => new RegExp(`^runtime/(${names.join("|")})(/|\\.ts$)`);
const others = (name: string) => concepts.filter((concept) => concept !== name);
const pureOfVrrp = /^runtime\/vrrp\/(machine|advertisement)\.ts$/;
const ours = /^(runtime|plugins|mod\.ts)/;

const imports: readonly { rule: string; from: RegExp; never?: RegExp; only?: RegExp; reach?: true }[] = [
  { rule: "bytes/ knows only itself", from: area("bytes"), only: area("bytes") },
  { rule: "http/ knows bytes/ and itself", from: area("http"), only: area("http", "bytes") },
  {
    rule: "the VRRP machine and codec never reach the system",
    from: pureOfVrrp,
    never: area("os", "telemetry"),
    reach: true,
  },
  { rule: "policies never reach the runtime", from: /^plugins\/policy\//, never: /^runtime\/|^node:/, reach: true },
  ...concepts.map((name) => ({
    rule: `${name}/ does not know other concepts or what composes them`,
    from: area(name),
    never: area(...others(name), ...composition),
  })),
  { rule: "os/ knows bytes/ and itself", from: area("os"), only: area("os", "bytes") },
  { rule: "telemetry/ knows no concept", from: area("telemetry"), never: area(...concepts, ...composition) },
  {
    rule: "config/ knows no concept",
    from: area("config"),
    never: area(...concepts, "control", "roles", "admin", "cli", "demo"),
  },
  { rule: "nothing but the command line knows the demo", from: ours, never: area("demo") },
  { rule: "plugins/ knows only plugins/", from: /^plugins\//, never: /^(runtime|mod\.ts)/ },
  { rule: "nothing imports tests/", from: ours, never: /^tests\// },
  { rule: "packages come from the npm registry", from: ours, never: /^(https?|jsr|data):/ },
];

/** Exceptions of the rows above: the one importer that is meant. */
const meant: readonly [from: RegExp, to: RegExp][] = [
  [area("cli"), area("demo")],
  [area("demo"), area("demo")],
];

const sources: readonly { rule: string; files: RegExp; except?: RegExp; never: RegExp }[] = [
  {
    rule: "Deno.dlopen only in os/libc.ts",
    files: /^(runtime|plugins|mod)/,
    except: /^runtime\/os\/libc\.ts$/,
    never: /\bDeno\.dlopen\b/,
  },
  { rule: "no fetch and no Deno.serve in proxy/", files: area("proxy"), never: /(?<![.\w])fetch\(|\bDeno\.serve\(/ },
  {
    rule: "pure files have no system, clock, timer or chance",
    files: /^runtime\/(bytes|http)\/|^runtime\/vrrp\/(machine|advertisement)\.ts$|^plugins\/policy\//,
    never: /\bDeno\.|\bDate\.now\b|\bperformance\.|\bsetTimeout\b|\bsetInterval\b|\bMath\.random\b|\bcrypto\./,
  },
  {
    rule: "no machine path and no registry host",
    files: /./,
    except: /import_rules_test/,
    never: /\/home\/|https?:\/\/(registry|deb)\./,
  },
];

Deno.test("imports follow the layout", async (t) => {
  const graph = await importGraph();
  assert.ok(graph.size > 10, `deno info found ${graph.size} modules`);
  for (const { rule, from, never, only, reach } of imports) {
    await t.step(rule, () => {
      const offences: string[] = [];
      for (const module of graph.keys()) {
        if (!from.test(module)) continue;
        for (const target of reach ? reachable(graph, module) : graph.get(module)!) {
          if (meant.some(([importer, imported]) => importer.test(module) && imported.test(target))) continue;
          if (never?.test(target) || (only && !only.test(target))) offences.push(`${module} imports ${target}`);
        }
      }
      assert.deepEqual(offences, []);
    });
  }
});

Deno.test("sources touch the system only where the layout says", async (t) => {
  const files = trackedLike(["runtime", "plugins", "tests", "mod.ts"]);
  for (const { rule, files: which, except, never } of sources) {
    await t.step(rule, () => {
      const offences = files.filter((file) => which.test(file) && !except?.test(file)).flatMap((file) =>
        code(Deno.readTextFileSync(`${root}/${file}`)).flatMap((line, index) =>
          never.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []
        )
      );
      assert.deepEqual(offences, []);
    });
  }
});

Deno.test("no file is named for what it lacks, an idea", () => {
  const files = trackedLike(["runtime", "plugins", "tests"]);
  assert.deepEqual(files.filter((file) => /(^|[/_])(utils?|helpers?|common|misc)([_.]|$)/.test(file)), []);
  const guides = /(^|\/)README\.md$/;
  assert.deepEqual(
    files.filter((file) => !guides.test(file) && !/^[a-z0-9_/]+(\.[a-z0-9]+)*$/.test(file)),
    [],
    "snake_case",
  );
});

Deno.test("the top level holds the layout and nothing else", () => {
  const allowed = new Set(["mod.ts", "plugins", "runtime", "tests", "deno.json", "deno.lock", "README.md", "LICENSE"]);
  // Made by tools, and ignored by git.
  const products = new Set(["node_modules", "dist"]);
  const names = [...Deno.readDirSync(root)].map(({ name }) => name).filter((name) => !name.startsWith("."));
  assert.deepEqual(names.filter((name) => !allowed.has(name) && !products.has(name)), []);
});

Deno.test("nothing opens at import", async () => {
  // No permission at all: a module that reads, connects, asks the environment or opens libc while loading throws here.
  const modules = trackedLike(["runtime", "plugins"]).filter((file) =>
    file.endsWith(".ts") && !file.includes("/examples/")
  );
  using program = new TemporaryProgram(modules);
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", "--config", `${root}/deno.json`, program.path],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(new TextDecoder().decode(output.stderr), "");
  assert.ok(output.success);
});

/** A program that imports `modules` and does nothing. */
class TemporaryProgram implements Disposable {
  readonly path = Deno.makeTempFileSync({ prefix: "tandem-imports-", suffix: ".ts" });
  constructor(modules: readonly string[]) {
    Deno.writeTextFileSync(this.path, modules.map((module) => `import "file://${root}/${module}";\n`).join(""));
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

async function importGraph(): Promise<Graph> {
  using program = new TemporaryProgram([
    "mod.ts",
    ...trackedLike(["runtime", "plugins"]).filter((file) => file.endsWith(".ts")),
  ]);
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", `${root}/deno.json`, program.path],
  }).output();
  assert.ok(output.success, new TextDecoder().decode(output.stderr));
  const info = JSON.parse(new TextDecoder().decode(output.stdout)) as Info;
  const name = (specifier: string) => {
    const top = `file://${root}`;
    return specifier.startsWith(top) ? specifier.slice(top.length).replace(/^\//, "") : specifier;
  };
  const graph = new Map<string, string[]>();
  for (const { specifier, dependencies = [] } of info.modules) {
    if (!ours.test(name(specifier))) continue;
    const targets = dependencies.flatMap(({ specifier, code, type }) =>
      [code?.specifier ?? type?.specifier ?? specifier, type?.specifier].filter((one) => one !== undefined)
    );
    graph.set(name(specifier), [...new Set(targets.map(name))]);
  }
  return graph;
}

function reachable(graph: Graph, from: string): Set<string> {
  const seen = new Set<string>();
  const walk = (module: string) => {
    for (const target of graph.get(module) ?? []) {
      if (!seen.has(target)) walk((seen.add(target), target));
    }
  };
  walk(from);
  return seen;
}

/** Files under the given paths as git would list them: no build products, no packages. */
function trackedLike(paths: readonly string[]): string[] {
  return paths.flatMap((path): string[] => {
    if (Deno.statSync(`${root}/${path}`).isFile) return [path];
    return [...Deno.readDirSync(`${root}/${path}`)].flatMap(({ name }) =>
      name === "node_modules" || name.startsWith(".") ? [] : trackedLike([`${path}/${name}`])
    );
  });
}

/** Lines without their comments: a rule is about code. */
function code(text: string): string[] {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).split("\n")
    .map((line) => line.replace(/(^|\s)\/\/.*$/, ""));
}
