/** What is compared, a row each, with the budgets of DESIGN §3: most of what HAProxy needs in the same run. */
import type { Setup } from "./subjects.ts";

/** Shares of HAProxy's figure: on io_uring and on epoll. */
export type Budget = readonly [uring: number, epoll: number];

interface Common {
  /** For --only. */
  readonly name: string;
  readonly title: string;
  /** `fresh`: subjects that have done nothing yet. */
  readonly setup: { readonly threads: number; readonly log: boolean; readonly fresh?: boolean };
}

export type Scenario =
  /** As many requests as are answered: what one costs. */
  | Common & {
    readonly type: "closed";
    readonly path: string;
    readonly connections: number;
    /** A connection for each request. */
    readonly close?: boolean;
    readonly cpu?: Budget;
  }
  /** The same number of requests for everybody: how long one takes. */
  | Common & {
    readonly type: "offered";
    readonly path: string;
    readonly connections: number;
    /** Share of what the slowest can do. */
    readonly load: number;
    readonly p99: Budget;
  }
  /** Connections that are open and do nothing. */
  | Common & {
    readonly type: "idle";
    readonly connections: number;
    /** Most bytes for each. */
    readonly memory: number;
  };

const plain = { threads: 1, log: false };
const small = { type: "closed", path: "/", connections: 64 } as const;

/** Those of one setup stand together: its subjects are started once. */
export const scenarios: readonly Scenario[] = [
  { ...small, name: "small", title: "small body, 64 kept connections", setup: plain, cpu: [0.8, 1] },
  { ...small, name: "close", title: "small body, a connection for each request", setup: plain, close: true },
  { ...small, name: "16k", title: "16 KiB body, 64 kept connections", setup: plain, path: "/16k" },
  {
    ...small,
    name: "1m",
    title: "1 MiB body, 16 kept connections",
    setup: plain,
    path: "/1m",
    connections: 16,
    cpu: [1, 1],
  },
  {
    type: "offered",
    name: "rate",
    title: "small body at a fixed rate",
    setup: plain,
    path: "/",
    connections: 64,
    load: 0.5,
    p99: [1.1, 1.1],
  },
  {
    type: "idle",
    name: "idle",
    title: "idle connections",
    // Memory that a load needed and left to the process would hide what they need.
    setup: { ...plain, fresh: true },
    connections: 10_000,
    memory: 2048,
  },
  { ...small, name: "log", title: "small body, with access log", setup: { threads: 1, log: true } },
  { ...small, name: "threads", title: "small body, 2 threads", setup: { threads: 2, log: false } },
  { ...small, name: "threads-log", title: "small body, 2 threads, with access log", setup: { threads: 2, log: true } },
];

/** The setup of a scenario, with the receiver that an access log needs. */
export function setupOf({ setup }: Scenario, logPort: number): Setup {
  return { threads: setup.threads, logPort: setup.log ? logPort : undefined };
}
