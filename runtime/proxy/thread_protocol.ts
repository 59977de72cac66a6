/** What the proxy's main isolate and an engine thread say to each other. Descriptors are numbers: one process has both. */
import type { Plan } from "../../plugins/contract.ts";
import type { Io } from "../os/io.ts";
import type { ListenerOptions } from "./listening.ts";
import type { Evidence, FrontendOptions, ProxyOptions } from "./protocol.ts";
import { routingOf, type RoutingOptions } from "./routes/options.ts";
import { packRouting, type RoutingText } from "./routes/routing_text.ts";
import type { SharedBuffers } from "./shared_state.ts";

/** First message to a new Worker; the port carries all others. */
export interface ThreadStart {
  readonly thread: number;
  readonly shared: SharedBuffers;
  /** An eventfd that is written behind every message, as the thread never returns to its event loop. */
  readonly wake: number;
  /** Address space for buffers. */
  readonly arena: number;
  readonly port: MessagePort;
}

/** Where counters and verdicts of the configured objects are; servers by `serverKey`. */
export interface Slots {
  readonly frontends: ReadonlyMap<string, number>;
  readonly servers: ReadonlyMap<string, number>;
  readonly backends: ReadonlyMap<string, number>;
}

export function serverKey(backend: string, server: string): string {
  return `${backend}/${server}`;
}

/** A frontend as a thread gets it. */
export interface ThreadFrontend extends Omit<FrontendOptions, keyof RoutingOptions> {
  /** null where there is nothing to do but to pass on. */
  readonly routing: RoutingText | null;
}

export interface ThreadOptions extends Omit<ProxyOptions, "frontends"> {
  readonly frontends: readonly ThreadFrontend[];
}

export type ThreadCommand =
  | {
    readonly type: "apply";
    readonly id: number;
    readonly options: ThreadOptions;
    readonly slots: Slots;
    readonly listeners: readonly ListenerOptions[];
  }
  /** What a plugin planned for a backend; null = nothing that holds. */
  | { readonly type: "plan"; readonly backend: string; readonly plan: Plan | null }
  /** The whole set of addresses this node gave away. */
  | { readonly type: "retire"; readonly addresses: readonly string[] }
  /** The whole set of virtual addresses this node holds. */
  | { readonly type: "held"; readonly addresses: readonly string[] }
  /** Why servers are not up, by `serverKey`: all that is known. */
  | { readonly type: "reasons"; readonly reasons: ReadonlyMap<string, string> }
  /** The answer to `compare`; null where nobody could compare. */
  | { readonly type: "compared"; readonly id: string; readonly matches: boolean | null }
  /** Answered with `applied` when verdicts published before are acted on. */
  | { readonly type: "settle"; readonly id: number }
  /** Connections end with their next response; `drained` follows when none is left. `patient`: idle ones may make it. */
  | { readonly type: "drain"; readonly patient: boolean }
  /** It is to go on after all. */
  | { readonly type: "resume" }
  /** `drained`: only if it is. */
  | { readonly type: "exit"; readonly drained: boolean };

export function threadOptions(options: ProxyOptions): ThreadOptions {
  return {
    ...options,
    frontends: options.frontends.map(({ routes, monitor, requestHeaders, responseHeaders, ...rest }) => {
      const routing = rest.mode === "tcp" ? null : routingOf({ routes, monitor, requestHeaders, responseHeaders });
      return { ...rest, routing: routing === null ? null : packRouting(routing) };
    }),
  };
}

export type ThreadReport =
  | { readonly type: "ready"; readonly io: Io["name"]; readonly reason: string }
  /** `apply` or `settle` was obeyed; sockets that are no longer in the set of listeners may be closed then. */
  | { readonly type: "applied"; readonly id: number }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "evidence"; readonly evidence: Evidence }
  /** A password is to be compared by somebody who may take their time. */
  | { readonly type: "compare"; readonly id: string; readonly password: string; readonly hash: string }
  | { readonly type: "drained" }
  | { readonly type: "exited" }
  | { readonly type: "failed"; readonly text: string };
