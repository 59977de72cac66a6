/** Planned moves (contract 2.2): an instance handed over stays where it went, until failback, its time, or the peer's death. */
import type { Config } from "../config/model.ts";
import { type Clock, within } from "../os/clock.ts";
import type { Hold, InstanceStatus } from "../vrrp/protocol.ts";
import type { OperatorState } from "./operator_state.ts";
import { setHold } from "./overrides.ts";
import { RefusedError } from "./refused_error.ts";
import type { Answer, VrrpProcess } from "./vrrp_process.ts";

/** Who asks for a planned move, why, and for how long (ms; null = until failback). */
export interface MoveRequest {
  readonly by: string;
  readonly reason: string;
  readonly for: number | null;
}

export interface MovesOptions {
  readonly config: () => Config;
  readonly vrrp: Pick<VrrpProcess, "instances" | "move">;
  readonly state: OperatorState;
  readonly clock: Clock;
  /** How long the vrrp process may take to say that it has begun, ms. */
  readonly patience: number;
}

export interface Moves {
  /** Answers when the move has begun; `moved` when the last connection has moved or the drain is over. @throws {RefusedError} */
  failover(instance: string, request: MoveRequest): Promise<{ readonly text: string; readonly moved: Promise<Answer> }>;
  /** @throws {RefusedError} */
  failback(instance: string): Promise<{ readonly text: string }>;
  /** The process says where an instance stands; a hold that ended there ends here. */
  hear(instance: InstanceStatus, before: InstanceStatus | null): void;
}

export function createMoves({ config, vrrp, state, clock, patience }: MovesOptions): Moves {
  const keep = (instance: string, hold: Hold | null) => {
    if (hold === null && state.overrides.holds[instance] === undefined) return;
    state.set(setHold(state.overrides, instance, hold));
  };

  /** An instance that a reload gave another name brings its hold along. */
  const adopt = (instance: string, hold: Hold) => {
    if (state.overrides.holds[instance] !== undefined) return;
    keep(instance, hold);
    const names = config().vrrp.map(({ name }) => name);
    for (const [name, { since }] of Object.entries(state.overrides.holds)) {
      if (since === hold.since && !names.includes(name)) keep(name, null);
    }
  };

  const expectKnown = (name: string) => {
    const names = config().vrrp.map((instance) => instance.name);
    if (names.includes(name)) return;
    throw new RefusedError("unknown", `There is no instance "${name}"; there is ${names.join(", ") || "none"}`);
  };

  const move = async (command: Parameters<VrrpProcess["move"]>[0], answered: (answer: Answer) => void = () => {}) => {
    const begun = await within(clock, patience, vrrp.move(command, answered), null);
    if (begun === null) throw new RefusedError("unavailable", "The vrrp process does not answer");
    const { outcome, text } = begun.first;
    if (outcome === "refused" || outcome === "failed") throw new RefusedError("conflict", text);
    return begun;
  };

  return {
    async failover(instance, request) {
      expectKnown(instance);
      const status = vrrp.instances().find(({ name }) => name === instance);
      if (status?.state !== "active") {
        const where = status?.activeRouter ? `; it is active on ${status.activeRouter}` : "";
        throw new RefusedError("conflict", `${instance} is ${status?.state ?? "not started"} here, not active${where}`);
      }
      const since = clock.now();
      const until = request.for === null ? null : since + request.for;
      const hold: Hold = { since, until, reason: request.reason, by: request.by };
      // Once it has moved, and in the same turn: a process that dies is told at once what its predecessor held.
      const { first, last } = await move({ type: "failover", instance, hold }, ({ outcome }) => {
        if (outcome === "moved") keep(instance, hold);
      });
      return { text: first.text, moved: last };
    },
    async failback(instance) {
      expectKnown(instance);
      const told = vrrp.instances().find(({ name }) => name === instance)?.hold ?? null;
      if (state.overrides.holds[instance] === undefined && told === null) {
        throw new RefusedError("conflict", `${instance} is not held here by a failover`);
      }
      const { first } = await move({ type: "failback", instance });
      keep(instance, null);
      return { text: first.text };
    },
    hear(instance, before) {
      if (before?.hold && instance.hold === null) keep(instance.name, null);
      if (before === null && instance.hold !== null) adopt(instance.name, instance.hold);
    },
  };
}
