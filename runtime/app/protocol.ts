/** What control and the process of an application say to each other: one JSON value a line, on its stdin and stdout. */

export type AppCommand =
  /** The first one. */
  | {
    readonly type: "start";
    /** The module, as an absolute path. */
    readonly entry: string;
    /** Where it is to listen, and where it finds the balancer: Unix sockets. */
    readonly socket: string;
    readonly balancer: string;
    readonly node: string;
    readonly cluster: string;
    readonly labels: Readonly<Record<string, string>>;
  }
  /** Take no more requests, finish those that run within `drain` ms, exit. */
  | { readonly type: "stop"; readonly drain: number };

export type AppReport =
  /** It listens. */
  | { readonly type: "ready" }
  /** It never will; the process ends. */
  | { readonly type: "failed"; readonly text: string }
  /** Its event loop turns; every second. */
  | { readonly type: "alive" };
