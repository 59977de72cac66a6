import assert from "node:assert/strict";
import { openOperatorState } from "../../../runtime/control/operator_state.ts";
import { loadOverrides, none, setHold } from "../../../runtime/control/overrides.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const hold = { by: "ann", reason: "kernel", since: 1000, until: null };

Deno.test("openOperatorState() says what the disk does not have, once in the log, until it has", async () => {
  const top = await Deno.makeTempDir();
  const directory = `${top}/state`;
  const lines: string[] = [];
  const log = createLogger({ role: "test", format: "json", write: (line) => void lines.push(JSON.parse(line).text) });
  const clock = fakeClock();
  const problem =
    `What the operator said is lost at a restart: it cannot be kept in "${directory}" (No such file or directory); ` +
    "see to that directory, it is tried again every 10 s";
  try {
    await Deno.mkdir(directory);
    await using state = await openOperatorState(directory, clock, log);
    state.set(setHold(none, "VI_1", hold));
    await state.saved();
    assert.equal(state.problem, null);

    await Deno.remove(directory, { recursive: true });
    state.set(setHold(none, "VI_2", hold));
    await state.saved();
    state.set(setHold(none, "VI_3", hold));
    await state.saved();
    assert.equal(state.problem, problem);
    assert.deepEqual(lines, [problem]);

    await Deno.mkdir(directory);
    await clock.advance(10_000);
    await state.saved();
    assert.equal(state.problem, null);
    assert.deepEqual(lines.slice(1), [`What the operator said is kept in "${directory}" again`]);
    assert.deepEqual(await loadOverrides(directory), { servers: [], holds: { VI_3: hold } });
  } finally {
    await Deno.remove(top, { recursive: true });
  }
});

Deno.test("openOperatorState() without a directory has nothing to complain of", async () => {
  await using state = await openOperatorState(null, fakeClock(), createLogger({ role: "test", write: () => {} }));
  state.set(setHold(none, "VI_1", hold));
  await state.saved();
  assert.equal(state.problem, null);
});
