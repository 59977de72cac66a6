/** Where the admin API is heard: a TCP address, a Unix socket, or both. */
import type { Logger } from "../telemetry/log.ts";
import { faultAnswer } from "./fault.ts";

export interface AdminEndpoints {
  /** "127.0.0.1:9700" or "unix:PATH"; null = off. */
  readonly bind: string | null;
  /** Path of a Unix socket; null = off. */
  readonly socket: string | null;
}

export interface Listening extends AsyncDisposable {
  /** "http://127.0.0.1:9700", "unix:/run/tandem/admin.sock". */
  readonly at: readonly string[];
  /** A sentence for each endpoint that could not be had though another could. */
  readonly missing: readonly string[];
}

/** How a request came. */
export interface Way {
  readonly transport: "tcp" | "unix";
}

type Serve = (request: Request, way: Way) => Response | Promise<Response>;

/**
 * Listens wherever `endpoints` says. The Unix socket only serves this machine's command line: where it cannot be had
 * beside a TCP address, that is said in `missing`.
 *
 * @throws {Error} when `bind` cannot be had, or the socket and there is nothing else.
 */
export async function listenAdmin(endpoints: AdminEndpoints, serve: Serve, log: Logger): Promise<Listening> {
  const servers: Deno.HttpServer[] = [];
  const at: string[] = [];
  const missing: string[] = [];
  const { bind, socket } = endpoints;
  const options = { onListen: () => {}, onError: faultAnswer(log) };
  const overTcp: Handler = { ...options, handler: (request) => serve(request, { transport: "tcp" }) };
  const overUnix: Handler = { ...options, handler: (request) => serve(request, { transport: "unix" }) };
  try {
    if (bind !== null) {
      servers.push(bind.startsWith("unix:") ? await listenUnix(bind.slice(5), overUnix) : listenTcp(bind, overTcp));
      at.push(bind.startsWith("unix:") ? bind : `http://${bind}`);
    }
    if (socket !== null) {
      try {
        servers.push(await listenUnix(socket, overUnix));
        at.push(`unix:${socket}`);
      } catch (error) {
        if (bind === null || !(error instanceof Error)) throw error;
        missing.push(error.message);
      }
    }
  } catch (error) {
    await Promise.all(servers.map((server) => server.shutdown()));
    throw error;
  }
  return {
    at,
    missing,
    async [Symbol.asyncDispose]() {
      // Readers of the event stream would hold a graceful end for ever.
      const ending = Promise.all(servers.map((server) => server.shutdown().catch(() => {})));
      await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 200))]);
    },
  };
}

interface Handler {
  readonly onListen: () => void;
  readonly onError: (error: unknown) => Response;
  readonly handler: (request: Request) => Response | Promise<Response>;
}

function listenTcp(bind: string, handler: Handler): Deno.HttpServer {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(bind) ?? [];
  const hostname = bracketed ?? (plain === "" || plain === "*" ? "0.0.0.0" : plain);
  try {
    return Deno.serve({ ...handler, hostname, port: Number(port) });
  } catch (cause) {
    throw new Error(`Cannot listen on ${bind} for the admin API: ${reason(cause)}`, { cause });
  }
}

async function listenUnix(path: string, handler: Handler): Promise<Deno.HttpServer> {
  const subject = `Cannot listen on unix:${path} for the admin API`;
  try {
    const directory = path.slice(0, path.lastIndexOf("/"));
    if (directory !== "") await Deno.mkdir(directory, { recursive: true, mode: 0o755 });
    await removeDead(path);
    const server = Deno.serve({ ...handler, path });
    // Whoever may write to the socket may do everything that the API can.
    await Deno.chmod(path, 0o660);
    return server;
  } catch (cause) {
    throw new Error(`${subject}: ${reason(cause)}`, { cause });
  }
}

/** Removes the socket that a crashed run left; one that still answers is somebody's. */
async function removeDead(path: string): Promise<void> {
  try {
    const conn = await Deno.connect({ transport: "unix", path });
    conn.close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) return await Deno.remove(path);
    throw error;
  }
  throw new Deno.errors.AddrInUse();
}

function reason(cause: unknown): string {
  if (cause instanceof Deno.errors.AddrInUse) return "another program holds it, perhaps another Tandem node";
  if (cause instanceof Deno.errors.AddrNotAvailable) return "this machine does not have the address";
  if (cause instanceof Deno.errors.PermissionDenied) return "permission denied";
  return cause instanceof Error ? cause.message.replace(/ \(os error \d+\).*$/, "") : String(cause);
}
