import assert from "node:assert/strict";
import { check } from "../../../runtime/config/check.ts";
import { formatProblem } from "../../../runtime/config/problem.ts";
import { fixture, loadText } from "./loading.ts";

/** A repeatable source of numbers from 0 to below 1 (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const scraps = [
  ..."{}[]:,#&*!|>'\"%@`-? \n\t\\0~<",
  "null",
  "&a",
  "*a",
  "<<: *a",
  "!!binary x",
  "1e999",
  "0x1F",
  "__proto__",
  "constructor",
  "\n---\n",
  "- ",
  "{}",
  "[]",
  "\u0000",
  "ß",
  "x-",
];

function mutate(text: string, random: () => number): string {
  const at = (length: number) => Math.floor(random() * length);
  const lines = text.split("\n");
  switch (at(6)) {
    case 0:
      return text.slice(0, at(text.length)) + scraps[at(scraps.length)] + text.slice(at(text.length));
    case 1: {
      const position = at(text.length);
      return text.slice(0, position) + scraps[at(scraps.length)] + text.slice(position);
    }
    case 2:
      lines.splice(at(lines.length), 1 + at(3));
      return lines.join("\n");
    case 3:
      lines.splice(at(lines.length), 0, lines[at(lines.length)]);
      return lines.join("\n");
    case 4:
      // A value becomes another kind of value.
      return text.replace(/: [^\n{]+$/m, () => `: ${scraps[at(scraps.length)]}`).replaceAll(
        /: (\S+)/g,
        (whole) => random() < 0.05 ? `: ${scraps[at(scraps.length)]}` : whole,
      );
    default: {
      const position = at(text.length);
      return text.slice(0, position) + text.slice(position + 1 + at(5));
    }
  }
}

Deno.test("load() answers any mutation of a good file with a configuration or positioned problems, never an exception", () => {
  const random = seeded(51);
  for (const name of ["pair.yaml", "contract_sample.yaml"]) {
    const original = fixture(name);
    for (let round = 0; round < 120; round++) {
      let text = original;
      for (let step = Math.floor(random() * 4); step >= 0; step--) text = mutate(text, random);
      for (const node of ["dlp1", "dlp2"]) {
        const loaded = loadText(text, { node });
        if (loaded.ok) continue;
        assert.ok(loaded.problems.length > 0, text);
        const lines = text.split("\n").length;
        for (const problem of loaded.problems) {
          assert.ok(problem.line >= 1 && problem.line <= lines && problem.column >= 1, formatProblem(problem));
          assert.ok(problem.message !== "" && !/undefined|\[object|NaN/.test(problem.message), formatProblem(problem));
        }
        const printed = loaded.problems.map(formatProblem);
        assert.equal(new Set(printed).size, printed.length);
      }
      check({ file: "t.yaml", text, node: null, hostname: "x", readSecret: () => "s", running: null });
    }
  }
});

Deno.test("load() never shows a password, wherever a mistake puts it", () => {
  const random = seeded(7);
  const original = fixture("pair.yaml").replace('"1111"', "hunter2");
  for (let round = 0; round < 600; round++) {
    const text = mutate(original, random);
    const loaded = loadText(text, { node: "dlp1" });
    for (const problem of loaded.ok ? [] : loaded.problems) {
      assert.ok(!formatProblem(problem).includes("hunter2"), `${formatProblem(problem)}\n${text}`);
    }
  }
});
