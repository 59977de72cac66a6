/** What the operator said, as it is now: kept on disk, and ended when its time is over. */
import type { Clock } from "../os/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { expire, loadOverrides, nextExpiry, none, type Overrides, saveOverrides } from "./overrides.ts";

export interface OperatorState extends AsyncDisposable {
  readonly overrides: Overrides;
  /** Replaces all of it; kept on disk a moment later. */
  set(overrides: Overrides): void;
  /** Called when something ended because its time is over. */
  onExpiry: () => void;
}

/** Longest wait that a timer takes, ms. */
const longest = 2 ** 31 - 1;

/** @throws {Error} when what an earlier run kept is damaged. */
export async function openOperatorState(directory: string | null, clock: Clock, log: Logger): Promise<OperatorState> {
  let overrides = expire(directory === null ? none : await loadOverrides(directory), clock.now());
  let saving: Promise<void> = Promise.resolve();
  let timer: Disposable | null = null;

  const waitForExpiry = () => {
    timer?.[Symbol.dispose]();
    const next = nextExpiry(overrides);
    if (next === null) return;
    timer = clock.after(Math.min(longest, Math.max(0, next - clock.now())), () => {
      const left = expire(overrides, clock.now());
      if (left === overrides) return waitForExpiry();
      state.set(left);
      state.onExpiry();
    });
  };

  const state: OperatorState = {
    get overrides() {
      return overrides;
    },
    onExpiry: () => {},
    set(next) {
      overrides = next;
      waitForExpiry();
      if (directory === null) return;
      saving = saving.then(() => saveOverrides(directory, next)).catch((error) => {
        log.error(`Cannot keep what the operator said in "${directory}": ${error.message}`);
      });
    },
    async [Symbol.asyncDispose]() {
      timer?.[Symbol.dispose]();
      await saving;
    },
  };
  waitForExpiry();
  return state;
}
