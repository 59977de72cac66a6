/** `GET /metrics`: the status in the Prometheus text format (version 0.0.4). Pure. */
import type { Status } from "../control/status.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function renderMetrics(status: Status): string {
  return [
    ...nodeFamilies(status),
    ...vrrpFamilies(status),
    ...frontendFamilies(status),
    ...backendFamilies(status),
    ...serverFamilies(status),
    ...pluginFamilies(status),
  ]
    .filter(({ samples }) => samples.length > 0)
    .map(renderFamily)
    .join("");
}

function nodeFamilies(status: Status): Family[] {
  return [
    gauge("tandem_info", "Version and node, always 1", [[{ node: status.node, version: status.version }, 1]]),
    gauge("tandem_uptime_seconds", "Time since the start of this node", [[{}, status.uptime_s]]),
    counter(
      "tandem_process_restarts_total",
      "Child processes started again after they died",
      status.children.map(({ role, restarts }) => [{ role }, restarts]),
    ),
    gauge(
      "tandem_process_up",
      "1 while the child process runs",
      status.children.map(({ role, pid }) => [{ role }, pid === null ? 0 : 1]),
    ),
    counter(
      "tandem_access_log_dropped_lines_total",
      "Lines of the access log that got lost: read too slowly, or not kept",
      status.access_log === null ? [] : [
        [{ by: "reader" }, status.access_log.dropped],
        [{ by: "sink" }, status.access_log.lost],
      ],
    ),
  ];
}

const instanceStates = ["initialize", "backup", "active", "fault"] as const;

function vrrpFamilies({ vrrp }: Status): Family[] {
  type Instance = Status["vrrp"][number];
  const each = (value: (instance: Instance) => number): Sample[] =>
    vrrp.map((instance) => [{ instance: instance.name }, value(instance)]);
  return [
    gauge(
      "tandem_vrrp_state",
      "1 for the state the instance is in",
      vrrp.flatMap(({ name, state }) =>
        instanceStates.map((one): Sample => [{ instance: name, state: one }, one === state ? 1 : 0])
      ),
    ),
    gauge("tandem_vrrp_priority", "Priority in effect, 0-255", each(({ priority }) => priority.effective)),
    counter("tandem_vrrp_transitions_total", "Changes of state", each(({ counters }) => counters.transitions)),
    counter("tandem_vrrp_adverts_sent_total", "Advertisements sent", each(({ counters }) => counters.adverts_sent)),
    counter(
      "tandem_vrrp_adverts_received_total",
      "Advertisements taken",
      each(({ counters }) => counters.adverts_received),
    ),
    counter(
      "tandem_vrrp_adverts_dropped_total",
      "Advertisements not taken, by reason",
      vrrp.flatMap(({ name, counters }) =>
        Object.entries(counters.dropped).map(([reason, value]): Sample => [{ instance: name, reason }, value])
      ),
    ),
    counter("tandem_vrrp_garp_sent_total", "Gratuitous ARP frames sent", each(({ counters }) => counters.garp_sent)),
    counter(
      "tandem_vrrp_addresses_restored_total",
      "Virtual addresses put back after someone else removed them",
      each(({ counters }) => counters.addresses_restored),
    ),
    gauge(
      "tandem_vrrp_hold",
      "1 while a planned move holds the instance away",
      each(({ hold }) => hold === null ? 0 : 1),
    ),
  ];
}

function pluginFamilies({ plugins, notifiers }: Status): Family[] {
  type Plugin = Status["plugins"][number];
  const each = (value: (plugin: Plugin) => number | null): Sample[] =>
    plugins.flatMap((plugin): Sample[] => {
      const found = value(plugin);
      return found === null ? [] : [[{ plugin: plugin.name }, found]];
    });
  // Names as labels: those of two plugins may be alike, and neither need be one of Prometheus.
  const own = (wanted: Plugin["metrics"][number]["kind"]): Sample[] =>
    plugins.flatMap(({ name: plugin, metrics }) =>
      metrics.filter(({ kind }) => kind === wanted).map(({ name, value }): Sample => [{ plugin, name }, value])
    );
  type Notifier = Status["notifiers"][number];
  const told = (value: (notifier: Notifier) => number): Sample[] =>
    notifiers.map((notifier) => [{ notifier: notifier.id, use: notifier.use }, value(notifier)]);
  return [
    gauge(
      "tandem_plugin_running",
      "1 while the plugin's process answers",
      each(({ state }) => state === "running" ? 1 : 0),
    ),
    counter("tandem_plugin_calls_total", "Questions to the plugin", each(({ calls }) => calls)),
    counter("tandem_plugin_timeouts_total", "Questions without an answer in time", each(({ timeouts }) => timeouts)),
    counter(
      "tandem_plugin_restarts_total",
      "Processes started again after they failed",
      each(({ restarts }) => restarts),
    ),
    gauge("tandem_plugin_memory_bytes", "Memory of the process", each((plugin) => plugin.memory_bytes)),
    gauge(
      "tandem_plugin_cpu_seconds",
      "Processor time of the process that runs",
      each(({ cpu_ms: cpu }) => cpu === null ? null : cpu / 1000),
    ),
    counter("tandem_plugin_count_total", "What the plugin counts, by its own names", own("count")),
    gauge("tandem_plugin_gauge", "What the plugin measures, by its own names", own("gauge")),
    gauge("tandem_notifier_waiting", "Events that wait to be told", told(({ waiting }) => waiting)),
    counter("tandem_notifier_delivered_total", "Events told", told(({ delivered }) => delivered)),
    counter("tandem_notifier_retried_total", "Attempts that failed and were repeated", told(({ retried }) => retried)),
    counter("tandem_notifier_dropped_total", "Events given up", told(({ dropped }) => dropped)),
  ];
}

function frontendFamilies({ frontends }: Status): Family[] {
  type Frontend = Status["frontends"][number];
  const each = (value: (frontend: Frontend) => number): Sample[] =>
    frontends.map((frontend) => [{ frontend: frontend.name }, value(frontend)]);
  return [
    gauge(
      "tandem_frontend_listening",
      "1 while every address of the frontend listens",
      each(({ listening }) => listening ? 1 : 0),
    ),
    gauge("tandem_frontend_connections", "Open client connections", each(({ connections }) => connections.current)),
    counter(
      "tandem_frontend_connections_total",
      "Client connections taken",
      each(({ connections }) => connections.total),
    ),
    counter("tandem_frontend_requests_total", "Requests taken", each((frontend) => frontend.requests_total)),
    counter(
      "tandem_frontend_responses_total",
      "Responses sent, by class of status",
      frontends.flatMap(({ name, responses }) =>
        Object.entries(responses).map(([code, value]): Sample => [{ frontend: name, code }, value])
      ),
    ),
    counter("tandem_frontend_received_bytes_total", "Bytes from clients", each(({ bytes }) => bytes.in)),
    counter("tandem_frontend_sent_bytes_total", "Bytes to clients", each(({ bytes }) => bytes.out)),
  ];
}

const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

function backendFamilies({ backends }: Status): Family[] {
  type Backend = Status["backends"][number];
  const each = (value: (backend: Backend) => number): Sample[] =>
    backends.map((backend) => [{ backend: backend.name }, value(backend)]);
  const sum = (value: (server: Backend["servers"][number]) => number) =>
    each(({ servers }) => servers.reduce((total, server) => total + value(server), 0));
  return [
    gauge("tandem_backend_servers", "Servers configured", sum(() => 1)),
    gauge("tandem_backend_servers_up", "Servers that are up", sum(({ state }) => state === "up" ? 1 : 0)),
    gauge("tandem_backend_queued", "Requests waiting for any server of the backend", each(({ queued }) => queued)),
    gauge("tandem_backend_connections", "Open connections to its servers", sum(({ connections }) => connections)),
    counter("tandem_backend_requests_total", "Requests sent to its servers", sum((server) => server.requests_total)),
    counter(
      "tandem_backend_connect_failures_total",
      "Connections to its servers that failed",
      sum((server) => server.connect_failures),
    ),
    counter(
      "tandem_backend_responses_total",
      "Responses of its servers, by class of status",
      backends.flatMap(({ name, servers }) =>
        CLASSES.map((code): Sample => [
          { backend: name, code },
          servers.reduce((total, { responses }) => total + responses[code], 0),
        ])
      ),
    ),
    counter(
      "tandem_backend_response_failures_total",
      "Requests to its servers that got no usable response",
      sum((server) => server.response_failures),
    ),
    counter(
      "tandem_backend_response_seconds_total",
      "Time to the heads of the responses of its servers, added up",
      sum((server) => server.response_seconds_total),
    ),
  ];
}

function serverFamilies({ backends }: Status): Family[] {
  type Server = Status["backends"][number]["servers"][number];
  const each = (value: (server: Server) => number): Sample[] =>
    backends.flatMap(({ name, servers }) =>
      servers.map((server): Sample => [{ backend: name, server: server.name }, value(server)])
    );
  return [
    gauge("tandem_server_up", "1 while the server is up", each(({ state }) => state === "up" ? 1 : 0)),
    gauge("tandem_server_weight", "Weight in effect", each(({ weight }) => weight)),
    gauge("tandem_server_connections", "Open connections to the server", each(({ connections }) => connections)),
    gauge("tandem_server_queued", "Requests waiting for the server", each(({ queued }) => queued)),
    counter("tandem_server_requests_total", "Requests sent to the server", each((server) => server.requests_total)),
    counter(
      "tandem_server_connect_failures_total",
      "Connections to the server that failed",
      each((server) => server.connect_failures),
    ),
    counter(
      "tandem_server_responses_total",
      "Responses of the server, by class of status",
      backends.flatMap(({ name, servers }) =>
        servers.flatMap((server) =>
          CLASSES.map((code): Sample => [{ backend: name, server: server.name, code }, server.responses[code]])
        )
      ),
    ),
    counter(
      "tandem_server_response_failures_total",
      "Requests to the server that got no usable response",
      each((server) => server.response_failures),
    ),
    counter(
      "tandem_server_response_seconds_total",
      "Time to the heads of the server's responses, added up",
      each((server) => server.response_seconds_total),
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}

function renderFamily({ name, type, help, samples }: Family): string {
  const lines = samples.map(([labels, value]) => `${name}${renderLabels(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
