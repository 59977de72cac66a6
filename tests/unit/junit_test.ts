import assert from "node:assert/strict";
import { parseJunit } from "../support/junit.ts";

Deno.test("parseJunit() counts cases, skips and failures of a report by deno test", () => {
  const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="3" errors="0" time="0.011">
    <testsuite name="./a_test.ts" tests="5" disabled="1" errors="0" failures="3">
        <testcase name="a &lt;b&gt;" classname="./a_test.ts" time="0.001" line="1" col="6">
            <failure message="Uncaught Error: x">Error: x
    at file:///a_test.ts:1:31</failure>
        </testcase>
        <testcase name="i" classname="./a_test.ts" time="0.000" line="1" col="54">
            <skipped/>
        </testcase>
        <testcase name="s" classname="./a_test.ts" time="0.001" line="1" col="96">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="s &gt; one" classname="./a_test.ts" time="0.000" line="1" col="124">
        </testcase>
        <testcase name="s &gt; two" classname="./a_test.ts" time="0.001" line="1" col="152">
            <failure message="Uncaught Error: y">Error: y</failure>
        </testcase>
    </testsuite>
</testsuites>
`;
  assert.deepEqual(parseJunit(report), {
    passed: 1,
    failed: 2,
    skipped: 1,
    failures: ["a_test.ts: a <b>", "a_test.ts: s > two"],
  });
});

Deno.test("parseJunit() counts nothing in an empty report", () => {
  assert.deepEqual(parseJunit(""), { passed: 0, failed: 0, skipped: 0, failures: [] });
});
