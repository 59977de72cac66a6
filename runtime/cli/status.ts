/** `status`: who holds what, since when and why. */
import type { Status } from "../control/status.ts";
import { demand } from "./admin_client.ts";
import { Exit } from "./exit.ts";
import { parseOptions, reachOptions } from "./options.ts";
import { type Cell, inked, paint, print, show, table, terminalWidth } from "./terminal.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseOptions("status", args, { ...reachOptions, json: { type: "boolean" } });
  const status: Status = await demand(values, "GET", "/api/v1/status");
  if (values.json) print(JSON.stringify(status, null, 2));
  else show(renderStatus(status, Date.now(), terminalWidth()));
  return Exit.done;
}

/**
 * @param now ms since the epoch, for ages
 * @param columns of the terminal
 */
export function renderStatus(status: Status, now: number, columns = Infinity): string {
  const section = (head: readonly string[], rows: readonly (readonly Cell[])[]) =>
    rows.length === 0 ? "" : table([head.map((word) => paint(word, "dim")), ...rows], columns);
  const age = (since: string) => describeAge(now - Date.parse(since));
  const sections = [
    inked(
      `${status.node}  Tandem ${status.version}, ${status.phase}, up ${describeAge(status.uptime_s * 1000)}, ${
        status.io ?? "no I/O yet"
      }, ${status.config.file}`,
    ),
    section(
      ["INSTANCE", "STATE", "SINCE", "PRIORITY", "ADDRESSES", "ACTIVE ROUTER", "WHY"],
      status.vrrp.flatMap((one): Cell[][] => [
        [
          one.name,
          state(one.state),
          age(one.since),
          one.priority.effective === one.priority.configured
            ? String(one.priority.configured)
            : `${one.priority.effective} (of ${one.priority.configured})`,
          one.virtual_addresses.join(" "),
          one.active_router ?? "none heard",
          one.reason,
        ],
        ...instanceNotes(one).map((note) => ["", "", "", "", "", "", paint(note, "dim")]),
      ]),
    ),
    section(
      ["FRONTEND", "LISTENS ON", "CONNS", "REQUESTS", "2XX", "4XX", "5XX"],
      status.frontends.map((one) => [
        one.name,
        one.listening ? one.bind.join(" ") : paint(one.error ?? `not on ${one.bind.join(" ")}`, "bad"),
        String(one.connections.current),
        String(one.requests_total),
        String(one.responses["2xx"]),
        String(one.responses["4xx"]),
        String(one.responses["5xx"]),
      ]),
    ),
    section(
      ["SERVER", "STATE", "SINCE", "ADDRESS", "WEIGHT", "CONNS", "REQUESTS", "WHY"],
      status.backends.flatMap(({ name, servers }) =>
        servers.map((one) => [
          `${name}/${one.name}`,
          state(one.state),
          age(one.since),
          one.address,
          String(one.weight),
          String(one.connections),
          String(one.requests_total),
          one.reason,
        ])
      ),
    ),
    section(
      ["PLUGIN", "STATE", "KIND", "CALLS", "TIME-OUTS", "RESTARTS", "MEMORY", "WHY"],
      status.plugins.flatMap((one): Cell[][] => [
        [
          `${one.name} (${one.plugin})`,
          one.state === "running"
            ? paint(one.state, "good")
            : one.state === "quarantined"
            ? paint(one.state, "bad")
            : one.state,
          one.kind,
          String(one.calls),
          String(one.timeouts),
          String(one.restarts),
          one.memory_bytes === null ? "-" : `${Math.round(one.memory_bytes / 2 ** 20)} MiB`,
          one.reason,
        ],
        ...one.isolation.missing.map((note) => ["", "", "", "", "", "", "", paint(`not confined by ${note}`, "dim")]),
        ...one.isolation.substituted.map((note) => ["", "", "", "", "", "", "", paint(`without ${note}`, "dim")]),
      ]),
    ),
    section(
      ["NOTIFIER", "WAITING", "DELIVERED", "RETRIED", "DROPPED", "WHY"],
      status.notifiers.map((one) => [
        `${one.use} (${one.id})`,
        String(one.waiting),
        String(one.delivered),
        String(one.retried),
        String(one.dropped),
        one.last_error ?? "",
      ]),
    ),
    section(
      ["OVERRIDE", "WHAT", "UNTIL", "BY", "REASON"],
      status.overrides.map((one) => [
        one.about,
        one.kind === "hold"
          ? "held away"
          : [one.state, one.weight === null ? null : `weight ${one.weight}`].filter(Boolean).join(", "),
        one.until ?? "taken back",
        one.by,
        one.reason,
      ]),
    ),
    status.missing.map((sentence) => inked(`! ${sentence}`)).join("\n"),
  ];
  return sections.filter((text) => text !== "").join("\n\n");
}

function instanceNotes(instance: Status["vrrp"][number]): string[] {
  const { handover, hold, peer, tracking } = instance;
  return [
    ...tracking.causes.map((cause) => `${tracking.effect}: ${cause}`),
    ...hold === null ? [] : [`held by ${hold.by}${hold.reason === "" ? "" : `: ${hold.reason}`}`],
    ...handover === null ? [] : [
      `${handover.phase}, peer ${handover.peer}${
        handover.connections === null ? "" : `, ${handover.connections} connections`
      }`,
    ],
    ...peer?.explain ? [`peer ${peer.address} is ${peer.state}: ${peer.explain}`] : [],
  ];
}

function state(word: string): Cell {
  if (word === "active" || word === "up") return paint(word, "good");
  if (word === "fault" || word === "down") return paint(word, "bad");
  return word;
}

/** 850 → "0 s", 75000 → "1 min 15 s", 90061000 → "1 d 1 h". */
export function describeAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]] as const;
  const at = units.findIndex(([size]) => seconds >= size);
  if (at === -1) return "0 s";
  let rest = seconds;
  return units.slice(at, at + 2).flatMap(([size, unit]) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return amount === 0 ? [] : [`${amount} ${unit}`];
  }).join(" ");
}
