/** The password thread: a Worker that compares passwords with their hashes, one after another. */
import { compareSync } from "bcryptjs";
import { matchesShaCrypt } from "./sha_crypt.ts";

export interface Comparison {
  readonly id: string;
  readonly password: string;
  readonly hash: string;
}

/** `matches` is null where the hash is none. */
export interface Compared {
  readonly id: string;
  readonly matches: boolean | null;
}

interface WorkerScope {
  postMessage(compared: Compared): void;
  onmessage: ((event: MessageEvent<Comparison>) => void) | null;
}

/** Answers comparisons for ever, beginning with the Worker's first message. */
export function run(first: unknown): void {
  const scope = globalThis as unknown as WorkerScope;
  const answer = ({ id, password, hash }: Comparison) => scope.postMessage({ id, matches: compare(password, hash) });
  scope.onmessage = ({ data }) => answer(data);
  answer(first as Comparison);
}

function compare(password: string, hash: string): boolean | null {
  try {
    return hash.startsWith("$2") ? compareSync(password, hash) : matchesShaCrypt(password, hash);
  } catch {
    return null;
  }
}
