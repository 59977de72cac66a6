/** What `deno test --junit-path` wrote, as counts and names. Pure. */

/** Results of one or several steps. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** "tests/unit/x_test.ts: decode() refuses …", one for each failure. */
  readonly failures: readonly string[];
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };

export function add(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    failures: [...a.failures, ...b.failures],
  };
}

/** One step that has no cases of its own: formatting, a crash of the runner. */
export function verdict(name: string, passed: boolean): Tally {
  return passed ? { ...nothing, passed: 1 } : { ...nothing, failed: 1, failures: [name] };
}

/** Counts the test cases of a report. Steps of a test are cases too, except that a parent fails with its steps. */
export function parseJunit(xml: string): Tally {
  let tally = nothing;
  // Self-made XML of one known writer: a case is `<testcase …>`, then `<failure`, `<error` or `<skipped/>`, or nothing.
  for (const [, attributes, body] of xml.matchAll(/<testcase ([^>]*?)>([\s\S]*?)<\/testcase>/g)) {
    const file = attribute(attributes, "classname").replace(/^\.\//, "");
    if (/<(failure|error)\b/.test(body)) {
      if (/message="\d+ test steps? failed"/.test(body)) continue;
      tally = add(tally, verdict(`${file}: ${attribute(attributes, "name")}`, false));
    } else if (body.includes("<skipped")) {
      tally = { ...tally, skipped: tally.skipped + 1 };
    } else {
      tally = { ...tally, passed: tally.passed + 1 };
    }
  }
  return tally;
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => entities[entity]);
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
