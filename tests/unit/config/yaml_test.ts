import assert from "node:assert/strict";
import { formatProblem } from "../../../runtime/config/problem.ts";
import type { Tree } from "../../../runtime/config/tree.ts";
import { parseYaml } from "../../../runtime/config/yaml.ts";

function plain(tree: Tree): unknown {
  switch (tree.kind) {
    case "scalar":
      return tree.value;
    case "list":
      return tree.items.map(plain);
    case "map":
      return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plain(value)]));
    case "broken":
      return "(broken)";
  }
}

Deno.test("parseYaml() resolves anchors and merge keys; a map's own keys win, then the first map", () => {
  const rows: readonly [string, unknown][] = [
    ["a: &x { p: 1, q: 2 }\nb: { <<: *x, q: 3 }\n", { a: { p: 1, q: 2 }, b: { p: 1, q: 3 } }],
    ["a: &x { p: 1 }\nc: &y { p: 2, r: 3 }\nb: { <<: [*x, *y] }\n", {
      a: { p: 1 },
      c: { p: 2, r: 3 },
      b: { p: 1, r: 3 },
    }],
    ["a: &x [1, 2]\nb: *x\n", { a: [1, 2], b: [1, 2] }],
    ['b: { "<<": 1 }\n', { b: { "<<": 1 } }],
    ["", {}],
    ["# nothing\n", {}],
    ["a:\n", { a: null }],
    ["? a\n: 1\n", { a: 1 }],
    ["01: x\ntrue: y\n", { "01": "x", true: "y" }],
  ];
  for (const [text, wanted] of rows) {
    const { tree, problems } = parseYaml(text, "t.yaml");
    assert.deepEqual(problems, [], text);
    assert.deepEqual(tree && plain(tree), wanted, text);
  }
});

Deno.test("parseYaml() keeps where a value was written, also through an alias", () => {
  const { tree } = parseYaml("a: &x\n  p: 1\nb:\n  <<: *x\n", "t.yaml");
  const b = tree?.entries.get("b")?.value;
  assert.ok(b?.kind === "map");
  const p = b.entries.get("p")?.value;
  assert.deepEqual([p?.at, p?.path], [{ line: 2, column: 6 }, "a.p"]);
});

Deno.test("parseYaml() answers YAML's traps and mistakes with their position", () => {
  const rows: readonly (readonly [string, ...string[]])[] = [
    ["bind: *:80\n", '1:7: bind: "*:80" is a YAML alias of an anchor that does not exist: quote it'],
    [
      "host: [*.example, x]\n",
      '1:8: host[0]: "*.example" is a YAML alias of an anchor that does not exist: quote it',
    ],
    ["hosts:\n  *.example: 1\n", '2:3: a leading "*" is a YAML alias: quote it'],
    ["password: *x\n", "1:11: password: a leading * is a YAML alias of an anchor that does not exist: quote it"],
    ["p: !x 1\n", "1:4: p: begins with ! and is a YAML tag, which means nothing here: quote it"],
    [
      "p: !x\nq: !y\n",
      ...["1:4: p", "2:4: q"].map((at) => `${at}: begins with ! and is a YAML tag, which means nothing here: quote it`),
    ],
    ["p: !!set { a }\n", "1:4: p: begins with ! and is a YAML tag, which means nothing here: quote it"],
    ["p: !!int 1\nq: !!str 1\nr: !!map {}\ns: !!seq []\nt: !!bool true\nu: !!float 1.5\nv: !!null\n"],
    ["p: @x\n", "1:4: p: begins with a character that YAML reserves: quote it"],
    [
      "p: `x`\nq: %y\n",
      ...["1:4: p", "2:4: q"].map((at) => `${at}: begins with a character that YAML reserves: quote it`),
    ],
    ['p: "a\\q"\n', '1:4: p: has an escape after "\\" that YAML does not know: put it in single quotes'],
    ["a: 1\nb: 2\na: 3\na: 4\n", "3:1: a: is given twice, first at line 1", "4:1: a: is given twice, first at line 1"],
    ["a: b: c\n", '1:4: has a second ": " in one line: quote the value, or indent a map'],
    ["a:\n\tb: 1\n", "2:1: is indented with a tab: YAML wants spaces"],
    ["a: 1\n---\nb: 2\n", "2:1: begins a second document: one file is one configuration"],
    [
      "a: [1, 2\nb: 3\n",
      "2:1: is not YAML: flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    ["- a\n", "1:1: must be a map of sections (version:, vrrp:, …), got a list"],
    ["text\n", "1:1: must be a map of sections (version:, vrrp:, …), got a scalar"],
    ["a: &a [*a]\n", "1:8: a[0]: holds itself through an anchor"],
    ["? [a]\n: 1\n", "1:3: must have text as keys, got a list"],
    ["a: { <<: 1 }\n", "1:10: a.<<: must be an alias of a map, or a list of them"],
  ];
  for (const [text, ...wanted] of rows) {
    const printed = parseYaml(text, "t").problems.map((problem) => formatProblem(problem).slice(2));
    assert.deepEqual(printed, wanted, text);
  }
});

Deno.test("parseYaml() bounds what anchors of anchors grow to", () => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`);
  const { problems } = parseYaml(["a0: &a0 [x]", ...levels].join("\n"), "t.yaml");
  assert.deepEqual(problems.map(({ message }) => message), ["holds too many values or levels: are anchors nested?"]);
});
