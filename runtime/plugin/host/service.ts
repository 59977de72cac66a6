/**
 * An application at work: from control's call `serve`, which lasts as long as it does, until `drain`. All its requests share
 * one `ctx`, whose questions to control are those of that call.
 */
import type { AppContext } from "../../../plugins/contract.ts";
import { sentenceOf, toWireError } from "./authored.ts";
import type { Carrier } from "./carrier.ts";

export interface ServiceParts {
  readonly carrier: Carrier;
  /** The plugin's `fetch`. */
  readonly fetch: (request: Request, ctx: AppContext) => Response | Promise<Response>;
  /** As every kind has it; `signal` is that of the call. */
  readonly context: Omit<AppContext, "forward">;
  /** Where the plugin's files are, for errors. */
  readonly directory: string;
}

export interface Service {
  /** Resolves when no request runs and none will. */
  readonly ended: Promise<void>;
  drain(): Promise<void>;
}

export function beginService({ carrier, fetch, context, directory }: ServiceParts): Service {
  const unload = new AbortController();
  const ctx: AppContext = Object.freeze({
    ...context,
    signal: unload.signal,
    forward: (backend: string, request: Request) => carrier.forward(String(backend), request),
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const server = carrier.serve((request) => fetch(request, ctx), (error) => {
    const wire = toWireError(error, directory);
    ctx.log.error(
      `A request failed: ${sentenceOf(wire)}`,
      wire.stack === undefined ? undefined : { stack: wire.stack },
    );
  });
  return {
    ended,
    async drain() {
      unload.abort(Object.assign(new Error("The plugin is stopped"), { name: "Unload" }));
      await server.close();
      resolve();
    },
  };
}
