/**
 * What control and the vrrp process say to each other: one JSON value a line, commands on its stdin, reports on its
 * stdout. Closing stdin is the command to stop. Durations are milliseconds, `at` is milliseconds since the epoch.
 */

/** One address of a virtual router, on the interface that carries it. */
export interface VirtualAddress {
  readonly address: string;
  readonly prefix: number;
  readonly interface: string;
  readonly label?: string;
}

export type Authentication = {
  readonly type: "pass";
  readonly password: string;
  readonly alsoAccept: readonly string[];
};

/** One virtual router of this node, as configured. */
export interface InstanceOptions {
  readonly name: string;
  readonly interface: string;
  /** 1–255. */
  readonly virtualRouterId: number;
  readonly version: 2 | 3;
  /** 1–255; 255 = address owner. */
  readonly priority: number;
  /** Advertisement interval in ms; whole seconds at version 2, 10–40950 at version 3. */
  readonly advertInterval: number;
  readonly preempt: boolean;
  readonly preemptDelay: number;
  readonly authentication: Authentication | null;
  readonly addresses: readonly VirtualAddress[];
  /** `source: null` = found among the node's own addresses on the interface. Own addresses among `peers` are ignored. */
  readonly unicast:
    | { readonly source: string | null; readonly peers: readonly string[]; readonly minTtl: number }
    | null;
  readonly checksum: "auto" | "pseudo" | "plain";
  readonly garp: { readonly repeat: number; readonly delay: number; readonly refresh: number };
  readonly trackInterfaces: readonly { readonly name: string; readonly effect: "yield" | "fault" }[];
  readonly handover: { readonly connections: "auto" | "none"; readonly drain: number };
  /** TCP ports that frontends serve on these addresses: what the connection-keeping rules match. */
  readonly ports: readonly number[];
}

/** Why a tracked thing fails and what that does to the instance (contract 2.1). */
export interface Tracking {
  readonly effect: "none" | "yield" | "fault";
  readonly causes: readonly string[];
}

export type VrrpCommand =
  /** The whole wanted set; the process compares and touches only what changed. `vouched`: instances this node held within the master-down interval. */
  | {
    readonly type: "apply";
    readonly id: number;
    readonly instances: readonly InstanceOptions[];
    readonly vouched: readonly string[];
    readonly tracking: Readonly<Record<string, Tracking>>;
    readonly holds: Readonly<Record<string, Hold>>;
  }
  | { readonly type: "track"; readonly instance: string; readonly tracking: Tracking }
  /** Hands the instance over and, with `hold`, stays backup until failback, `hold.until`, or the peer's death. */
  | { readonly type: "failover"; readonly id: number; readonly instance: string; readonly hold: Hold | null }
  | { readonly type: "failback"; readonly id: number; readonly instance: string }
  /** Hand every active instance over, drain, release, exit. Said again: release and exit, whoever has not taken over yet. */
  | { readonly type: "stop" };

/** A planned move that stays moved (contract 2.2). `until: null` = until failback. */
export interface Hold {
  readonly until: number | null;
  readonly since: number;
  readonly reason: string;
  readonly by: string;
}

export type InstanceState = "initialize" | "backup" | "active" | "fault";

/** Why an advertisement was not taken, by the word that status and metrics use. */
export type DropReason =
  | "ttl"
  | "version"
  | "type"
  | "length"
  | "checksum"
  | "count"
  | "interval"
  | "auth"
  | "vrid"
  | "source";

export interface InstanceCounters {
  readonly adverts_sent: number;
  readonly adverts_received: number;
  readonly transitions: number;
  readonly priority_zero_sent: number;
  readonly priority_zero_received: number;
  readonly vip_mismatch: number;
  readonly incompatible: number;
  readonly garp_sent: number;
  /** Virtual addresses put back after someone else removed them. */
  readonly addresses_restored: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

export interface InstanceStatus {
  readonly name: string;
  readonly state: InstanceState;
  readonly since: number;
  readonly reason: string;
  readonly priority: { readonly configured: number; readonly effective: number };
  /** Primary address of the router that is active, as far as heard; null when nobody is. */
  readonly activeRouter: string | null;
  readonly counters: InstanceCounters;
  readonly tracking: Tracking;
  readonly hold: Hold | null;
  /** The other router, as last heard; `incompatible` names the line to change. */
  readonly peer: {
    readonly address: string;
    readonly state: "ok" | "incompatible" | "silent";
    readonly tandem: boolean;
    readonly explain: string | null;
  } | null;
  /** Planned move under way or draining. */
  readonly handover: {
    readonly phase: "offering" | "releasing" | "draining" | "forwarding";
    readonly peer: string;
    readonly connections: number | null;
  } | null;
  /** Virtual addresses on an interface of this node now. */
  readonly held: readonly string[];
  readonly activeMs: number;
}

/** Something that happened; control numbers and journals it. */
export interface VrrpEvent {
  readonly type: "vrrp.transition" | "peer.state" | "dropped";
  readonly severity: "info" | "notice" | "warning" | "error";
  readonly about: string;
  readonly at: number;
  readonly text: string;
  /** Facts for machines: from, to, reason, cause, … */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What this process could get of what it wants. */
export interface VrrpRuntime {
  readonly realtime: boolean;
  readonly locked: boolean;
  /** Sentences for `status`: "Real-time priority is not available: EPERM, needs CAP_SYS_NICE". */
  readonly missing: readonly string[];
}

export type VrrpReport =
  | { readonly type: "ready"; readonly pid: number; readonly runtime: VrrpRuntime }
  | { readonly type: "applied"; readonly id: number; readonly problems: readonly string[] }
  /** At every change and at least once a second. */
  | { readonly type: "status"; readonly at: number; readonly instances: readonly InstanceStatus[] }
  | { readonly type: "event"; readonly event: VrrpEvent }
  /** `phase: moved` when the peer has it, `drained` when the last connection has moved or the drain is over. */
  | {
    readonly type: "answer";
    readonly id: number;
    readonly outcome: "accepted" | "refused" | "moved" | "drained" | "failed";
    readonly text: string;
  }
  | { readonly type: "stopped" };
