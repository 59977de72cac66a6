/** How the children of a node are started: which program, which arguments, whose uid. */
import { prepareCache } from "../os/deno_cache.ts";
import { findUser, firstUnreadable, isMapped, type User } from "../os/credentials.ts";
import { type Command, type RoleListener, type RoleProcess, selfCommand, spawnRole } from "../os/process.ts";

export interface Spawners {
  readonly vrrp: (listener: RoleListener) => RoleProcess;
  readonly proxy: (listener: RoleListener) => RoleProcess;
  /** An application of a route, as whoever we are. `flags` are options of Deno. */
  readonly app: (listener: RoleListener, flags: readonly string[]) => RoleProcess;
  /** The proxy's own user; null = the proxy runs as we do. */
  readonly proxyUser: { readonly uid: number; readonly gid: number } | null;
  /** Why the proxy does not have a uid of its own, and what to do: at most one sentence. */
  readonly missing: readonly string[];
}

export interface SpawnerOptions {
  /** Name of the proxy's user. */
  readonly user: string;
  /** null = none. */
  readonly stateDirectory: string | null;
  /** The least that children log. */
  readonly logLevel: string;
  /** Runs what starts the proxy, so that it inherits the access log's pipe. @default nothing is inherited */
  readonly lend?: (spawn: () => RoleProcess) => RoleProcess;
}

/** Chooses how children are started on this machine. */
export async function chooseSpawners(options: SpawnerOptions): Promise<Spawners> {
  const vrrp = selfCommand(["role", "vrrp"]);
  const lend = options.lend ?? ((spawn) => spawn());
  const log = { TANDEM_LOG_LEVEL: options.logLevel };
  const own = await ownUser(options);
  const proxy = own.user === null ? { command: selfCommand(["role", "proxy"]), env: {} } : asUser(own.user, own.cache);
  return {
    vrrp: (listener) => spawnRole(vrrp, listener, { env: log }),
    proxy: (listener) => lend(() => spawnRole(proxy.command, listener, { env: { ...log, ...proxy.env } })),
    app: (listener, flags) =>
      spawnRole(selfCommand(["role", "app"], ["--unstable-no-legacy-abort", ...flags]), listener, { env: log }),
    proxyUser: own.user,
    missing: own.missing,
  };
}

interface OwnUser {
  /** null = the proxy runs as we do. */
  readonly user: User | null;
  /** Deno's cache for it; null where none is needed. */
  readonly cache: string | null;
  readonly missing: readonly string[];
}

async function ownUser({ user: name, stateDirectory }: SpawnerOptions): Promise<OwnUser> {
  const refused = (why: string): OwnUser => ({
    user: null,
    cache: null,
    missing: [`The proxy has no uid of its own: ${why}`],
  });
  const uid = Deno.uid();
  const [passwd, uids, gids] = await Promise.all(
    ["/etc/passwd", "/proc/self/uid_map", "/proc/self/gid_map"].map((path) => Deno.readTextFile(path).catch(() => "")),
  );
  const user = findUser(passwd, name);
  if (user !== null && user.uid === uid) return { user: null, cache: null, missing: [] };
  if (uid !== 0) return refused("only root can give it one; start the node as root, or leave it as it is");
  if (user === null) {
    return refused(
      `there is no user "${name}"; create it with: useradd --system --no-create-home --shell /usr/sbin/nologin ${name}`,
    );
  }
  if (user.uid === 0) return refused(`proxy.user "${name}" is root; name another user`);
  if (!isMapped(uids, user.uid) || !isMapped(gids, user.gid)) {
    return refused(`uid ${user.uid} does not exist in this user namespace`);
  }
  if (!Deno.build.standalone && stateDirectory === null) {
    return refused("Deno's cache for it would be in the state directory, and there is none");
  }
  const unreadable = firstUnreadable(programPaths(), user);
  if (unreadable !== null) {
    return refused(
      `user "${name}" cannot read "${unreadable}"; put the program where everybody can, such as /opt/tandem`,
    );
  }
  if (Deno.build.standalone) return { user, cache: null, missing: [] };
  const cache = `${stateDirectory}/deno-${name}`;
  try {
    prepareCache(cache, user, Deno.mainModule);
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
  return { user, cache, missing: [] };
}

/** What another user must be able to read to run this program. */
function programPaths(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  return [Deno.execPath(), decodeURIComponent(new URL(Deno.mainModule).pathname)];
}

/** Through `role launch`, with a cache of its own where Deno needs one. */
function asUser({ uid, gid }: User, cache: string | null): { command: Command; env: Record<string, string> } {
  const command = selfCommand(["role", "launch", String(uid), String(gid), "proxy"]);
  return { command, env: cache === null ? {} : { TANDEM_LAUNCH_DENO_DIR: cache } };
}
