import assert from "node:assert/strict";
import type { ServerState } from "../../../runtime/proxy/protocol.ts";
import { isGone, packVerdict, stateOf, usableWeight, weightOf } from "../../../runtime/proxy/server_verdict.ts";

// state, weight → weight for new requests, whether idle connections go
const rows: readonly [ServerState, number, number, boolean][] = [
  ["up", 1, 1, false],
  ["up", 256, 256, false],
  ["up", 0, 0, false],
  ["up", 0.125, 0.125, false],
  ["down", 1, 0, true],
  ["standby", 1, 0, false],
  ["drain", 1, 0, false],
  ["maint", 1, 0, true],
  ["unresolved", 1, 0, true],
];

for (const [state, weight, usable, gone] of rows) {
  Deno.test(`packVerdict() keeps ${state} with weight ${weight}`, () => {
    const verdict = packVerdict(state, weight);
    assert.deepEqual([stateOf(verdict), weightOf(verdict)], [state, weight]);
    assert.deepEqual([usableWeight(verdict), isGone(verdict)], [usable, gone]);
  });
}
