/** Where plugins are on this machine: their code where every uid can read it, and their memory where only we can. */
import { openTemporary, type Temporary } from "./temporary.ts";

export class PluginPlace implements AsyncDisposable {
  private constructor(
    /** Holds what plugins run from. */
    readonly code: string,
    /** Holds a file for each plugin that has a store. */
    readonly stores: string,
    private readonly temporary: Temporary | null,
  ) {}

  /** @param stateDirectory null = nothing is kept */
  static async open(stateDirectory: string | null): Promise<PluginPlace> {
    const reachable = stateDirectory !== null && await isOpenToAll(stateDirectory);
    const temporary = reachable ? null : openTemporary("tandem-plugins-");
    const code = temporary?.path ?? `${stateDirectory}/plugins`;
    await Deno.mkdir(code, { recursive: true, mode: 0o755 });
    await Deno.chmod(code, 0o755);
    const stores = `${stateDirectory ?? temporary?.path}/plugin-stores`;
    await Deno.mkdir(stores, { recursive: true, mode: 0o700 });
    return new PluginPlace(code, stores, temporary);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.temporary?.[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** Whether a process of another uid can come to what is in `path`. Without root there is no other uid. */
async function isOpenToAll(path: string): Promise<boolean> {
  if (Deno.uid() !== 0) return true;
  const steps = (await Deno.realPath(path)).split("/");
  for (let depth = steps.length; depth > 1; depth--) {
    const { mode } = await Deno.stat(steps.slice(0, depth).join("/"));
    if (mode !== null && (mode & 0o001) === 0) return false;
  }
  return true;
}
