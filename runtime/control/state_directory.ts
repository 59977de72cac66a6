/** Where control keeps what must outlive it. */

/** "No space left on device (os error 28): write …" → "No space left on device". */
export function systemsWord(error: unknown): string {
  return error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
}

/** TANDEM_STATE_DIR, else /var/lib/tandem. */
export function stateDirectoryPath(): string {
  return Deno.env.get("TANDEM_STATE_DIR") || "/var/lib/tandem";
}

export interface StateDirectory extends Disposable {
  /** null = there is none. */
  readonly path: string | null;
  /** Why there is none, and what that costs: at most one sentence. */
  readonly missing: readonly string[];
}

/**
 * Makes the state directory, for this node alone until disposed. Where none can be had the node runs without.
 *
 * @throws {Error} when another node runs with it.
 */
export async function openStateDirectory(path: string): Promise<StateDirectory> {
  let lock: Deno.FsFile;
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o755 });
    lock = await Deno.open(`${path}/lock`, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    const sentence =
      `Events and what the operator said are lost at a restart: "${path}" cannot be written (${systemsWord(error)}); ` +
      "set TANDEM_STATE_DIR to a directory of this user";
    return { path: null, missing: [sentence], [Symbol.dispose]: () => {} };
  }
  // Held by the open file: a crash gives it back.
  if (await lock.tryLock(true)) return { path, missing: [], [Symbol.dispose]: () => lock.close() };
  lock.close();
  throw new Error(
    `Another node runs with the state directory "${path}"; stop it, or give this one its own by TANDEM_STATE_DIR`,
  );
}
