import { deepEqual } from "node:assert/strict";
import type { Config } from "../../../runtime/config/model.ts";
import { createMoves } from "../../../runtime/control/moves.ts";
import type { OperatorState } from "../../../runtime/control/operator_state.ts";
import type { Overrides } from "../../../runtime/control/overrides.ts";
import type { Hold, InstanceStatus } from "../../../runtime/vrrp/protocol.ts";
import { fakeClock } from "../../support/fake_clock.ts";

const hold: Hold = { since: 1, until: null, reason: "maintenance", by: "ann" };

Deno.test("Moves: the hold of an instance that has another name now is its hold under that one", () => {
  let overrides = { servers: [], holds: { VI_1: hold, VI_7: { ...hold, since: 2 } } } as unknown as Overrides;
  const state = {
    get overrides() {
      return overrides;
    },
    set: (changed: Overrides) => void (overrides = changed),
  } as unknown as OperatorState;
  const moves = createMoves({
    config: () => ({ vrrp: [{ name: "VI_2" }] }) as unknown as Config,
    vrrp: { instances: () => [], move: () => Promise.reject(new Error("not asked")) },
    state,
    clock: fakeClock(),
    patience: 1000,
  });
  const status = (of: Hold | null) => ({ name: "VI_2", hold: of }) as InstanceStatus;
  moves.hear(status(hold), null);
  deepEqual(Object.keys(overrides.holds), ["VI_7", "VI_2"]);
  moves.hear(status(null), status(hold));
  deepEqual(Object.keys(overrides.holds), ["VI_7"]);
});
