/** Children that speak the pipe protocols without being processes: what they are told is recorded, what they say is the test's. */
import type { Exit, RoleListener, RoleProcess } from "../../../runtime/os/process.ts";
import type { ProxyCommand, ProxyReport } from "../../../runtime/proxy/protocol.ts";
import type { InstanceOptions, InstanceStatus, VrrpCommand, VrrpReport } from "../../../runtime/vrrp/protocol.ts";

export interface FakeRole<Command, Report> {
  readonly spawn: (listener: RoleListener) => RoleProcess;
  /** Everything told to every process of this role, in order. */
  readonly told: Command[];
  /** It hears commands, and does not answer. */
  silent: boolean;
  say(report: Report): void;
  die(exit?: Exit): void;
}

/** @param answer what the process says at once to a command */
function fakeRole<Command extends { readonly type: string }, Report>(
  answer: (command: Command, say: (report: Report) => void) => void,
): FakeRole<Command, Report> {
  const told: Command[] = [];
  let current: { listener: RoleListener; exited: PromiseWithResolvers<Exit> } | null = null;
  let pid = 100;
  const say = (report: Report) => current?.listener.message(structuredClone(report));
  const role: FakeRole<Command, Report> = {
    told,
    silent: false,
    say,
    die: (exit = { code: 137, signal: "SIGKILL" }) => current?.exited.resolve(exit),
    spawn(listener) {
      const exited = Promise.withResolvers<Exit>();
      current = { listener, exited };
      return {
        pid: ++pid,
        send(message) {
          const command = structuredClone(message) as Command;
          told.push(command);
          if (role.silent) return;
          queueMicrotask(() =>
            command.type === "stop" ? exited.resolve({ code: 0, signal: null }) : answer(command, say)
          );
        },
        end: () => exited.resolve({ code: 0, signal: null }),
        kill: (signal) => exited.resolve({ code: 137, signal }),
        exited: exited.promise,
      };
    },
  };
  return role;
}

/** What a proxy with one thread and nothing to count says every 250 ms. */
export const proxyAlive: ProxyReport = {
  type: "status",
  at: 0,
  threads: [{ thread: 0, alive: true, turnAgeMs: 0 }],
  frontends: [],
  servers: [],
  backends: [],
};

/** A proxy that listens wherever it is told, but on the addresses in `taken`. */
export function fakeProxy(taken: Set<string> = new Set()): FakeRole<ProxyCommand, ProxyReport> {
  return fakeRole<ProxyCommand, ProxyReport>((command, say) => {
    if (command.type === "settle") return say({ type: "settled", id: command.id });
    if (command.type !== "apply") return;
    const listeners = command.options.frontends.flatMap(({ name, binds }) =>
      binds.map(({ address, port }) => {
        const at = `${address}:${port}`;
        const error = taken.has(at) ? `Cannot listen on ${at}: EADDRINUSE, another program holds the port` : null;
        return { frontend: name, address: at, listening: error === null, error };
      })
    );
    say({ type: "applied", id: command.id, listeners });
    say(proxyAlive);
  });
}

/** A vrrp process that reports each instance in `state`, and accepts every planned move. */
export function fakeVrrp(state: () => InstanceStatus["state"]): FakeRole<VrrpCommand, VrrpReport> {
  return fakeRole<VrrpCommand, VrrpReport>((command, say) => {
    if (command.type === "apply") {
      say({ type: "applied", id: command.id, problems: [] });
      say({ type: "status", at: 0, instances: command.instances.map((options) => instanceStatus(options, state())) });
    }
    if (command.type === "failover" || command.type === "failback") {
      say({ type: "answer", id: command.id, outcome: "accepted", text: "handing over" });
    }
  });
}

export function instanceStatus(
  { name, priority }: Pick<InstanceOptions, "name" | "priority">,
  state: InstanceStatus["state"],
  overrides: Partial<InstanceStatus> = {},
): InstanceStatus {
  return {
    name,
    state,
    since: 0,
    reason: "test",
    priority: { configured: priority, effective: priority },
    activeRouter: null,
    counters: {
      adverts_sent: 0,
      adverts_received: 0,
      transitions: 0,
      priority_zero_sent: 0,
      priority_zero_received: 0,
      vip_mismatch: 0,
      incompatible: 0,
      garp_sent: 0,
      addresses_restored: 0,
      dropped: {
        ttl: 0,
        version: 0,
        type: 0,
        length: 0,
        checksum: 0,
        count: 0,
        interval: 0,
        auth: 0,
        vrid: 0,
        source: 0,
      },
    },
    tracking: { effect: "none", causes: [] },
    hold: null,
    peer: null,
    handover: null,
    held: [],
    activeMs: 0,
    ...overrides,
  };
}
