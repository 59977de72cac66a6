/**
 * Where applications that are plugins, each with a uid of its own, meet the balancer: two sockets each, of which either side
 * can connect to the one it needs, and nobody else to any.
 *
 *     DIR/              searched by all, listed by nobody                proxy's, 0711
 *       3.sock          the application listens                          proxy's, 0600
 *       3/forward.sock  the balancer listens for what it forwards        directory proxy's : application's, 0710
 */
import { dirname } from "node:path";
import type { Serving } from "../plugin/stage.ts";

interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface AppSockets {
  open(uid: number | null): Serving;
  close(serving: Serving): void;
  /** Where the balancer is to listen. */
  balancers(): readonly string[];
  [Symbol.dispose](): void;
}

/** @param owner Who the proxy is; null = as we are */
export function createAppSockets(owner: User | null): AppSockets {
  const open = new Set<Serving>();
  let directory: string | null = null;
  let count = 0;

  function make(path: string, gid: number | null, mode: number): void {
    if (owner !== null || gid !== null) Deno.chownSync(path, owner?.uid ?? null, gid);
    Deno.chmodSync(path, mode);
  }

  return {
    open(uid) {
      if (directory === null) {
        // A short path: the address of a Unix socket has room for 107 octets.
        directory = Deno.makeTempDirSync({ prefix: "tandem-sockets-" });
        make(directory, owner?.gid ?? null, 0o711);
      }
      const place = `${directory}/${count++}`;
      Deno.mkdirSync(place);
      make(place, uid, 0o710);
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
    balancers: () => [...open].map(({ balancer }) => balancer),
    [Symbol.dispose]() {
      if (directory === null) return;
      try {
        Deno.removeSync(directory, { recursive: true });
      } catch {
        // Another process removes what it made there.
      }
    },
  };
}
