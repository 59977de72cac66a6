/** An application at work: its module loaded, served on a Unix socket, its requests as the client sent them. */
import { pathToFileURL } from "node:url";
import type { AppContext } from "../../plugins/contract.ts";
import { forwardTo } from "./forwarder.ts";
import type { AppCommand } from "./protocol.ts";
import { requestOf } from "./target.ts";

/** What a module must export by default: a Hono application, or what `defineApp` answers. */
interface Application {
  init?(ctx: AppContext): void | Promise<void>;
  fetch(request: Request, ctx: AppContext): Response | Promise<Response>;
}

export interface ServiceLog {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warning(text: string, fields?: Readonly<Record<string, unknown>>): void;
  error(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Service {
  /** Takes no more requests; resolves when those that run are answered. */
  stop(): Promise<void>;
}

type Start = Extract<AppCommand, { readonly type: "start" }>;

/** Loads and serves. @throws what the module throws, or a TypeError when it is no application. */
export async function startService(start: Start, log: ServiceLog): Promise<Service> {
  const { entry, socket, balancer, node, cluster, labels } = start;
  const { default: app }: { default?: Application } = await import(pathToFileURL(entry).href);
  if (typeof app?.fetch !== "function") {
    throw new TypeError(`"${entry}" must export a Hono application, or what defineApp() answers, as its default`);
  }
  const unload = new AbortController();
  const context: AppContext = {
    config: {},
    host: { node, cluster, labels, api: 1 },
    signal: unload.signal,
    clock: {
      now: Date.now,
      monotonic: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    log: { debug: log.debug, info: log.info, warn: log.warning, error: log.error },
    forward: (backend, request) => forwardTo(balancer, backend, request),
  };
  await app.init?.(context);
  const received = acceptingUpgrades();
  removeSocket(socket);
  const server = Deno.serve({
    path: socket,
    onListen: () => {},
    onError(error) {
      log.error("A request failed", { error: error instanceof Error ? error.stack ?? error.message : String(error) });
      return new Response("The application failed.\n", { status: 500 });
    },
  }, (request) => app.fetch(received(request), context));
  // The proxy has another uid; who may come here at all is up to the directory.
  Deno.chmodSync(socket, 0o666);
  return {
    async stop() {
      unload.abort();
      await server.shutdown();
      removeSocket(socket);
    },
  };
}

/**
 * What makes an application's request of Deno's. `Deno.upgradeWebSocket` knows only Deno's own: from now on it takes either,
 * so that an application can accept a WebSocket from the request that it has.
 */
function acceptingUpgrades(): (request: Request) => Request {
  const originals = new WeakMap<Request, Request>();
  const { upgradeWebSocket } = Deno;
  Deno.upgradeWebSocket = (request, options) => upgradeWebSocket(originals.get(request) ?? request, options);
  return (request) => {
    const sent = asSent(request);
    if (request.headers.has("upgrade")) originals.set(sent, request);
    return sent;
  };
}

/** Deno's own URL of it is not parsed yet: "http+unix://HOST/a/../b". */
function asSent(request: Request): Request {
  const { url } = request;
  const path = url.indexOf("/", url.indexOf("://") + 3);
  return requestOf(path < 0 ? "*" : url.slice(path), request);
}

function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
