/** `role NAME`: this program as a child process of a node. Not for people. */
import { CommandError, Exit } from "./exit.ts";

export async function run(args: readonly string[]): Promise<number> {
  const [role, ...rest] = args;
  switch (role) {
    case "vrrp":
      return await (await import("../roles/vrrp.ts")).run();
    case "proxy":
      return await (await import("../roles/proxy.ts")).run();
    case "app":
      return await (await import("../roles/app.ts")).run();
    case "plugin":
      return (await import("../roles/plugin.ts")).runPluginStage(rest[0]);
    case "plugin-host":
      // An application's has the two sockets that it serves and forwards by.
      if (rest.length > 0) await (await import("../roles/app_host.ts")).runAppHost(rest);
      else await (await import("../roles/plugin.ts")).runHost();
      return Exit.done;
    case "launch":
      return await launch(rest);
    default:
      throw new CommandError(Exit.usage, `Unknown role "${role ?? ""}"; a node starts its children itself`);
  }
}

/** `role launch UID GID ROLE`: the first stage of a child with a uid of its own. */
async function launch([uid, gid, role]: readonly string[]): Promise<number> {
  const [{ becomeUser }, { selfCommand }] = await Promise.all([
    import("../os/credentials.ts"),
    import("../os/process.ts"),
  ]);
  const { TANDEM_LAUNCH_DENO_DIR: cache, ...env } = Deno.env.toObject();
  const own = cache === undefined ? env : { ...env, DENO_DIR: cache, HOME: cache };
  // Its cache begins empty: what a role needs is in the program, and nothing is fetched at a start.
  return becomeUser({ uid: Number(uid), gid: Number(gid) }, selfCommand(["role", role], ["--cached-only"]), own);
}
