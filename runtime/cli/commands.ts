/** The commands: what each is for and takes, and where it is. Loaded only when it runs. */

export interface CommandModule {
  /** Runs the command and answers its exit code. */
  run(args: readonly string[]): Promise<number>;
}

export interface CommandEntry {
  readonly name: string;
  /** After the name, as in a synopsis. */
  readonly usage: string;
  readonly summary: string;
  /** Further lines of its help. */
  readonly details?: readonly string[];
  /** Its options, for help and completion: `["--json", "as JSON"]`. */
  readonly options: readonly (readonly [option: string, what: string])[];
  readonly hidden?: boolean;
  /** Its words are commands of their own, which explain themselves. */
  readonly nested?: readonly string[];
  /** Words that it takes, for completion. */
  readonly words?: readonly string[];
  readonly load: () => Promise<CommandModule>;
}

const reach: CommandEntry["options"] = [
  ["--admin URL", "the node to speak to: http://HOST:PORT or unix:PATH (else TANDEM_ADMIN, else by the configuration)"],
  ["--config FILE", "the configuration that says where the node listens"],
  ["--node NAME", "which node of the configuration this is"],
];
const why = ["--reason TEXT", "why; shown in status and events"] as const;
const said: CommandEntry["options"] = [["--for TIME", "how long, such as 30m"], why];
const chosen: CommandEntry["options"] = [
  ["--config FILE", "else TANDEM_CONFIG, ./tandem.yaml, /etc/tandem/tandem.yaml"],
  ["--node NAME", "else TANDEM_NODE, else the hostname"],
];

const pluginVerbs = ["new", "check", "test", "pack", "add", "remove", "list", "reset"];

/** The four verbs about a server are one module. */
async function servers(verb: "drain" | "maint" | "ready" | "weight"): Promise<CommandModule> {
  const { change } = await import("./servers.ts");
  return { run: (args) => change(verb, args) };
}

export const commands: readonly CommandEntry[] = [
  {
    name: "run",
    usage: "[--config FILE] [--node NAME]",
    summary: "run the node in the foreground",
    details: [
      "SIGTERM and SIGINT hand every address over, drain and end; a second one hurries. SIGHUP reloads.",
      "State is kept in TANDEM_STATE_DIR, /var/lib/tandem where that is not set.",
    ],
    options: chosen,
    load: () => import("./run.ts"),
  },
  {
    name: "demo",
    usage: "[--once]",
    summary: "run a whole pair on this machine, in private namespaces",
    options: [["--once", "play start, balance, failover, handover, failback, and print what was measured"]],
    load: () => import("./demo.ts"),
  },
  {
    name: "check",
    usage: "[FILE] [--node NAME] [--diff]",
    summary: "check a configuration and list everything that is wrong",
    options: [
      ["--node NAME", "check that node only, not every one"],
      ["--diff", "ask the running node what a reload would do"],
      ["--admin URL", "that node: http://HOST:PORT or unix:PATH"],
    ],
    load: () => import("./check.ts"),
  },
  {
    name: "status",
    usage: "[--json]",
    summary: "who holds what, since when and why; servers and what their checks say",
    options: [["--json", "as the admin API tells it"], ...reach],
    load: () => import("./status.ts"),
  },
  {
    name: "events",
    usage: "[--follow] [--limit N] [--json]",
    summary: "what happened",
    options: [
      ["--follow", "go on as it happens"],
      ["--limit N", "the newest N, 20 by default"],
      ["--json", "one JSON object a line"],
      ...reach,
    ],
    load: () => import("./events.ts"),
  },
  {
    name: "logs",
    usage: "[--follow] [--status 5xx] [--limit N]",
    summary: "what was requested, and what came of it",
    details: ["Of the file, where log.access writes one; else of the last lines that passed."],
    options: [
      ["--follow", "go on as requests end"],
      ["--status LIST", "only those answered so: 5xx, 404, 400-499, or several with commas"],
      ["--limit N", "the newest N, 20 by default"],
      ...reach,
    ],
    load: () => import("./logs.ts"),
  },
  {
    name: "failover",
    usage: "INSTANCE|--all [--for TIME] [--reason TEXT] [--wait]",
    summary: "hand an instance over to the peer, and hold it there",
    details: ["It stays there until `failback`, the time is over, or the peer dies."],
    options: [
      ["--all", "every instance that is active here"],
      ...said,
      ["--wait", "return when the last connection has moved or the drain is over"],
      ...reach,
    ],
    load: () => import("./failover.ts"),
  },
  {
    name: "failback",
    usage: "INSTANCE|--all",
    summary: "end the hold of a failover",
    options: [["--all", "every instance that is held"], ...reach],
    load: () => import("./failback.ts"),
  },
  {
    name: "drain",
    usage: "BACKEND/SERVER [--for TIME] [--reason TEXT]",
    summary: "send a server no new clients",
    options: [...said, ...reach],
    load: () => servers("drain"),
  },
  {
    name: "maint",
    usage: "BACKEND/SERVER [--for TIME] [--reason TEXT]",
    summary: "take a server out",
    options: [...said, ...reach],
    load: () => servers("maint"),
  },
  {
    name: "ready",
    usage: "BACKEND/SERVER [--reason TEXT]",
    summary: "take drain and maintenance back",
    options: [why, ...reach],
    load: () => servers("ready"),
  },
  {
    name: "weight",
    usage: "BACKEND/SERVER WEIGHT [--for TIME] [--reason TEXT]",
    summary: "change the weight of a server, 0-256",
    options: [...said, ...reach],
    load: () => servers("weight"),
  },
  {
    name: "reload",
    usage: "",
    summary: "read the configuration again; what did not change is not touched",
    options: reach,
    load: () => import("./reload.ts"),
  },
  {
    name: "import",
    usage: "[--keepalived [NODE=]FILE]… [--haproxy FILE]",
    summary: "print a tandem.yaml made of keepalived's and HAProxy's configuration",
    details: [
      "The configuration goes to stdout; every line that could not be carried goes to stderr, with its place and the reason.",
      "Check it then: tandem check FILE.",
    ],
    options: [
      ["--keepalived [NODE=]FILE", "keepalived.conf, of that node; once for each node"],
      ["--haproxy FILE", "haproxy.cfg"],
    ],
    load: () => import("./import.ts"),
  },
  {
    name: "plugin",
    usage: pluginVerbs.join("|"),
    summary: "write, check and add plugins",
    options: [],
    nested: pluginVerbs,
    load: () => import("./plugin.ts"),
  },
  {
    name: "completion",
    usage: "bash|zsh",
    summary: "print a completion script for the shell",
    details: ["bash: source <(tandem completion bash)", 'zsh:  tandem completion zsh > "${fpath[1]}/_tandem"'],
    options: [],
    words: ["bash", "zsh"],
    load: () => import("./completion.ts"),
  },
  { name: "version", usage: "", summary: "print the version", options: [], load: () => import("./version.ts") },
  {
    name: "role",
    usage: "NAME",
    summary: "run as a child process of a node",
    options: [],
    hidden: true,
    load: () => import("./role.ts"),
  },
];

/** Words of the contract that a later version will know. */
export const laterCommands: readonly string[] = ["cluster", "doctor"];
