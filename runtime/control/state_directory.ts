/** Where control keeps what must outlive it. */

/** TANDEM_STATE_DIR, else /var/lib/tandem. */
export function stateDirectoryPath(): string {
  return Deno.env.get("TANDEM_STATE_DIR") || "/var/lib/tandem";
}

/**
 * Makes the state directory. Where that cannot be had the node runs without one; the sentence says what that costs.
 */
export async function openStateDirectory(
  path: string,
): Promise<{ readonly path: string | null; readonly missing: readonly string[] }> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o755 });
    const probe = `${path}/.writable`;
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
    return { path, missing: [] };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
    const sentence = `Events and what the operator said are lost at a restart: "${path}" cannot be written (${why}); ` +
      "set TANDEM_STATE_DIR to a directory of this user";
    return { path: null, missing: [sentence] };
  }
}
