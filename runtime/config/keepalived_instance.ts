/** What a vrrp_instance of keepalived.conf says. */
import { isIPv4 } from "node:net";
import { faultOf } from "./import_faults.ts";
import { instance } from "./instance_schema.ts";
import type { Statement } from "./keepalived_text.ts";
import { printDuration } from "./values.ts";

/** Where a statement goes that cannot be carried over. */
export type Leave = (statement: Statement, why: string) => void;

/** An instance as it would be written, of keys that may be given piece by piece. */
export interface InstanceDocument {
  [key: string]: unknown;
  track?: { interfaces?: unknown[] };
  unicast?: { peers: string[]; source?: string };
  garp?: Record<string, unknown>;
}

/** What `global_defs` says for every instance. */
export interface Globals {
  readonly version: number;
  readonly garp: Readonly<Record<string, unknown>>;
}

export function readInstance(block: readonly Statement[], globals: Globals, leave: Leave): InstanceDocument {
  const document: InstanceDocument = {};
  let version = globals.version;
  let interval: Statement | null = null;
  let delay: Statement | null = null;
  for (const statement of block) {
    const [keyword, value] = statement.words;
    const isNumber = /^\d+(\.\d+)?$/.test(value ?? "");
    if (numeric.has(keyword) && !isNumber) leave(statement, "must be a number");
    else if (keyword === "version") version = Number(value);
    else if (keyword === "advert_int") interval = statement;
    else if (keyword === "preempt_delay") delay = statement;
    else if (Object.hasOwn(garpKeys, keyword)) {
      document.garp = { ...document.garp, [garpKeys[keyword]]: garpValue(garpKeys[keyword], value) };
    } else {
      const reader = Object.hasOwn(readers, keyword) ? readers[keyword] : null;
      const why = reader === null ? reasonFor(keyword) : reader(statement, document, leave);
      if (why !== null) leave(statement, why);
    }
  }
  if (Object.keys(globals.garp).length > 0) document.garp = { ...globals.garp, ...document.garp };
  if (version !== 3) document.version = version;
  const advertised = interval === null ? undefined : readInterval(interval, version, leave);
  if (advertised !== undefined) document.advert_int = advertised;
  if (delay !== null && document.preempt === false) leave(delay, "delays nothing with nopreempt");
  else if (delay !== null) document.preempt_delay = seconds(delay.words[1]);
  if (document.authentication !== undefined && version === 3) {
    delete document.authentication;
    const at = block.find(({ words }) => words[0] === "authentication") ?? block[0];
    leave(at, "VRRPv3 has no passwords (RFC 9568 §1.2)");
  }
  dropFaults(document, block, leave);
  return document;
}

/** Keys that an instance can do without, and what says them. keepalived too goes on without a value that it refuses. */
const dispensable: Readonly<Record<string, RegExp>> = {
  priority: /^priority$/,
  advert_int: /^advert_int$/,
  preempt_delay: /^preempt_delay$/,
  garp: /^garp_/,
  track: /^track_interface$/,
};

function dropFaults(document: InstanceDocument, block: readonly Statement[], leave: Leave): void {
  for (const [key, { decoder }] of Object.entries(instance.known)) {
    const says = dispensable[key];
    const fault = says === undefined || document[key] === undefined ? null : faultOf(decoder, document[key]);
    if (fault === null) continue;
    delete document[key];
    for (const statement of block) if (says.test(statement.words[0])) leave(statement, `is not carried: ${fault}`);
  }
}

/** Puts what a statement says into the document, and answers why it cannot, or null. */
type Reader = (statement: Statement, document: InstanceDocument, leave: Leave) => string | null;

const readers: Readonly<Record<string, Reader>> = {
  interface: ({ words: [, name] }, document) => set(document, "interface", name),
  virtual_router_id: (statement, document) => setNumber(statement, document),
  priority: (statement, document) => setNumber(statement, document),
  nopreempt: (_statement, document) => set(document, "preempt", false),
  preempt: () => null,
  state: () => null,
  accept: () => null,
  mcast_src_ip: ({ words: [, source] }, document) => set(document, "source", source),
  unicast_src_ip: ({ words: [, source] }, document) => set(document, "source", source),
  unicast_peer: ({ block }, document, leave) => {
    const peers = (block ?? []).flatMap((statement) => {
      const [peer, ...options] = statement.words;
      if (options.length > 0 && !options.every(isIPv4)) leave(statement, "only the address of a peer is carried");
      return [peer, ...options.filter(isIPv4)];
    });
    return set(document, "unicast", { peers });
  },
  authentication: readAuthentication,
  virtual_ipaddress: ({ block }, document, leave) => {
    const seen = new Set<string>();
    const addresses = (block ?? []).flatMap((statement) => {
      const [address] = statement.words[0].split("/");
      const repeated = seen.has(address);
      seen.add(address);
      if (repeated) leave(statement, "is given twice");
      return repeated ? [] : readAddress(statement, leave);
    });
    return set(document, "virtual_addresses", addresses);
  },
  track_interface: ({ block }, document) => {
    const interfaces = (block ?? []).map(({ words: [name, option] }) => {
      // A weight moves the priority, which is what yielding is; without one the instance falls into FAULT.
      return option === "weight" ? { name, effect: "yield" } : name;
    });
    document.track = { ...document.track, interfaces };
    return null;
  },
  track_script: ({ block }, _document, leave) => {
    for (const statement of block ?? []) {
      leave(statement, "track the backend's check instead (track: { backends: [NAME] })");
    }
    return null;
  },
};

function set(document: InstanceDocument, key: string, value: unknown): string | null {
  if (value === undefined) return "has no value";
  document[key] = value;
  return null;
}

function setNumber({ words: [key, value] }: Statement, document: InstanceDocument): string | null {
  return /^\d+$/.test(value ?? "") ? set(document, key, Number(value)) : "must be a number";
}

function readAuthentication({ block }: Statement, document: InstanceDocument, leave: Leave): string | null {
  const type = block?.find(({ words }) => words[0] === "auth_type")?.words[1];
  const password = block?.find(({ words }) => words[0] === "auth_pass");
  if (type !== "PASS") return `authentication ${type ?? "without auth_type"} is not known; only PASS is`;
  if (password?.words[1] === undefined) return "has no auth_pass";
  const written = password.words[1];
  if (written.length > 8) leave(password, "keepalived sends the first 8 characters; so does this file");
  document.authentication = { type: "pass", password: written.slice(0, 8) };
  return null;
}

function readAddress(statement: Statement, leave: Leave): readonly unknown[] {
  const [address, ...options] = statement.words;
  if (address.includes(":")) {
    leave(statement, "IPv6 is not in this version of vrrp");
    return [];
  }
  const entry: Record<string, string> = { address };
  for (let i = 0; i < options.length; i += 2) {
    if (options[i] === "dev") entry.interface = options[i + 1];
    else if (options[i] === "label") entry.label = options[i + 1];
    else if (!["brd", "broadcast", "scope"].includes(options[i])) {
      leave(statement, `only the address, dev and label are carried, not ${options[i]}`);
      break;
    }
  }
  return [Object.keys(entry).length === 1 ? address : entry];
}

function reasonFor(keyword: string): string {
  if (/^notify|^smtp_alert/.test(keyword)) return "add a notifier to notify: webhook, command, syslog or keepalived";
  if (keyword === "virtual_ipaddress_excluded") {
    return "add them to virtual_addresses once both nodes run Tandem; a keepalived peer drops adverts with other addresses";
  }
  if (/^use_vmac|^vmac|^use_ipvlan/.test(keyword)) {
    return `${notYet("virtual_mac")}; the address moves to the interface's own MAC`;
  }
  if (/^virtual_r(outes|ules)/.test(keyword)) return "routes and rules are not part of Tandem";
  if (/^(garp_|lower_prio|higher_prio)/.test(keyword)) return "Tandem announces on every sign of doubt by itself";
  return "means nothing to Tandem";
}

/** keepalived takes fractions of a second at version 2 and sends whole ones. */
function readInterval(statement: Statement, version: number, leave: Leave): string | undefined {
  const written = Number(statement.words[1]);
  const most = version === 3 ? 40.95 : 255;
  if (written > most) {
    leave(statement, `is not carried: must be at most ${most} s at version ${version}, so advert_int is 1s`);
    return undefined;
  }
  if (version === 3) return printDuration(Math.max(10, Math.round(written * 100) * 10));
  const whole = Math.max(1, Math.round(written));
  if (whole !== written) leave(statement, `keepalived sends ${whole} s at version 2; so does this file`);
  return `${whole}s`;
}

function seconds(text: string): string {
  return printDuration(Math.round(Number(text) * 1000));
}

/** keepalived's words for what `garp:` holds; in global_defs they begin with vrrp_. */
export const garpKeys: Readonly<Record<string, string>> = {
  garp_master_delay: "delay",
  garp_master_repeat: "repeat",
  garp_master_refresh: "refresh",
};

const numeric: ReadonlySet<string> = new Set(["version", "advert_int", "preempt_delay", ...Object.keys(garpKeys)]);

export function garpValue(key: string, value: string): unknown {
  return key === "repeat" ? Number(value) : `${Number(value)}s`;
}

export function notYet(what: string): string {
  return `${what} is not in this version`;
}
