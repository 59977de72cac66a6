/** What the operator said, as it is now: kept on disk, and ended when its time is over. */
import type { Clock } from "../os/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { expire, loadOverrides, nextExpiry, none, type Overrides, saveOverrides } from "./overrides.ts";
import { systemsWord } from "./state_directory.ts";

export interface OperatorState extends AsyncDisposable {
  readonly overrides: Overrides;
  /** Replaces all of it; kept on disk a moment later. */
  set(overrides: Overrides): void;
  /** What was set is on disk, or it is known why not. Never rejects. */
  saved(): Promise<void>;
  /** Why the disk does not have it, in one sentence; null = it has. */
  readonly problem: string | null;
  /** Called when something ended because its time is over. */
  onExpiry: () => void;
}

/** How long until what could not be kept is tried again, ms. */
const again = 10_000;
/** Longest wait that a timer takes, ms. */
const longest = 2 ** 31 - 1;

/** @throws {Error} when what an earlier run kept is damaged. */
export async function openOperatorState(directory: string | null, clock: Clock, log: Logger): Promise<OperatorState> {
  let overrides = expire(directory === null ? none : await loadOverrides(directory), clock.now());
  let saving: Promise<void> = Promise.resolve();
  let timer: Disposable | null = null;
  let retry: Disposable | null = null;
  let problem: string | null = null;

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

  const save = async (directory: string) => {
    retry?.[Symbol.dispose]();
    const before = problem;
    try {
      await saveOverrides(directory, overrides);
      problem = null;
      if (before !== null) log.notice(`What the operator said is kept in "${directory}" again`);
    } catch (error) {
      problem = `What the operator said is lost at a restart: it cannot be kept in "${directory}" ` +
        `(${systemsWord(error)}); see to that directory, it is tried again every ${again / 1000} s`;
      if (problem !== before) log.error(problem);
      retry = clock.after(again, () => keep());
    }
  };

  /** One write after the other, each of what is newest then. */
  const keep = () => {
    if (directory !== null) saving = saving.then(() => save(directory));
  };

  const state: OperatorState = {
    get overrides() {
      return overrides;
    },
    get problem() {
      return problem;
    },
    saved: () => saving,
    onExpiry: () => {},
    set(next) {
      overrides = next;
      waitForExpiry();
      keep();
    },
    async [Symbol.asyncDispose]() {
      timer?.[Symbol.dispose]();
      await saving;
      retry?.[Symbol.dispose]();
    },
  };
  waitForExpiry();
  return state;
}
