/**
 * Where applications meet the balancer, by Unix sockets of which either side can connect to the one it needs, and nobody else
 * to any. Those that are plugins have a uid of their own each, and two sockets.
 *
 *     DIR/              searched by all, listed by us                    ours, 0711
 *       own/            of the operator's own files, which run as we do  proxy's, 0700
 *       3.sock          the application listens                          proxy's, 0600
 *       3/forward.sock  the balancer listens for what it forwards        directory proxy's : application's, 0710
 */
import { basename, dirname } from "node:path";
import type { Serving } from "../plugin/stage.ts";
import type { Forwarding } from "./app_options.ts";
import { openTemporary, type Temporary } from "./temporary.ts";

interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface AppSockets extends Disposable {
  /** For what runs as we do: only we and the proxy can go in. */
  own(): string;
  open(uid: number | null): Serving;
  close(serving: Serving): void;
  /** Where the balancer is to listen, each with a name that no other has had. */
  balancers(): readonly Forwarding[];
}

/** @param owner Who the proxy is; null = as we are */
export function createAppSockets(owner: User | null): AppSockets {
  const open = new Set<Serving>();
  let temporary: Temporary | null = null;
  let own: string | null = null;
  let count = 0;

  /** A short path: the address of a Unix socket has room for 107 octets. */
  function directory(): string {
    if (temporary === null) {
      temporary = openTemporary("tandem-apps-");
      Deno.chmodSync(temporary.path, 0o711);
    }
    return temporary.path;
  }

  function make(name: string, gid: number | null, mode: number): string {
    const path = `${directory()}/${name}`;
    Deno.mkdirSync(path);
    if (owner !== null || gid !== null) Deno.chownSync(path, owner?.uid ?? null, gid);
    Deno.chmodSync(path, mode);
    return path;
  }

  return {
    own: () => own ??= make("own", owner?.gid ?? null, 0o700),
    open(uid) {
      const place = make(String(count++), uid, 0o710);
      const serving: Serving = { socket: `${place}.sock`, owner, balancer: `${place}/forward.sock` };
      open.add(serving);
      return serving;
    },
    close(serving) {
      if (!open.delete(serving)) return;
      try {
        Deno.removeSync(serving.socket);
      } catch {
        // It never listened.
      }
      // The balancer has its socket there until it is told otherwise.
      Deno.chmodSync(dirname(serving.balancer), 0o700);
    },
    balancers: () => [...open].map(({ balancer }) => ({ name: basename(dirname(balancer)), socket: balancer })),
    [Symbol.dispose]: () => temporary?.[Symbol.dispose](),
  };
}
