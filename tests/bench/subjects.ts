/** What is measured: Tandem's proxy on io_uring and on epoll, HAProxy and nginx, alike before the same origin. */
import { LogUnderTest } from "../interop/access_log_support.ts";
import { backend, freePort, frontend, ProxyUnderTest } from "../interop/proxy_support.ts";

/** A running proxy. */
export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Lines of its access log that are lost, where it tells. */
  lostLines?(): Promise<number>;
  stop(): Promise<void>;
}

/** What differs between runs. */
export interface Setup {
  /** Threads that serve, or processes. @default 1 */
  readonly threads?: number;
  /** UDP port of a syslog receiver: an access log is kept. @default none is */
  readonly logPort?: number;
}

export interface Origin {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** Connections that each is made to hold at most; twice as many descriptors must be allowed. */
const MOST_CONNECTIONS = 10_200;

/** nginx with one worker on two ports: `/` answers some bytes, `/16k` and `/1m` files of that size. */
export async function startOrigin(directory: string): Promise<Origin> {
  const ports = [freePort(), freePort()];
  const root = `${directory}/www`;
  await Deno.mkdir(root);
  for (const [name, size] of [["16k", 16 << 10], ["1m", 1 << 20]] as const) {
    await Deno.writeFile(`${root}/${name}`, new Uint8Array(size).fill(120));
  }
  const stop = await startNginx(
    `${directory}/origin`,
    1,
    `access_log off;
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port};`).join(" ")}
    root ${root};
    location = / { return 200 "a small body, as an API would answer it\\n"; }
  }`,
    ports,
  );
  return { ports, stop: stop.end };
}

/** HAProxy with what Tandem does by default. */
export async function startHaproxy(directory: string, origin: Origin, setup: Setup = {}): Promise<Subject> {
  const port = freePort();
  const { threads = 1, logPort } = setup;
  const servers = origin.ports.map((each, index) => `  server s${index} 127.0.0.1:${each}`).join("\n");
  // Without strict-limits it starts where the limit of descriptors is a little less than it would like.
  const configuration = `global
  nbthread ${threads}
  maxconn ${MOST_CONNECTIONS}
  no strict-limits
${logPort === undefined ? "" : `  log 127.0.0.1:${logPort} local0`}
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 60s
frontend in
  bind 127.0.0.1:${port}
  option forwardfor
${logPort === undefined ? "" : "  log global\n  option httplog"}
  default_backend web
backend web
  balance roundrobin
${servers}
`;
  const file = `${directory}/haproxy-${port}.cfg`;
  await Deno.writeTextFile(file, configuration);
  const child = start(["haproxy", "-db", "-f", file]);
  await listening(port, child);
  return { name: "HAProxy", pid: child.pid, port, stop: () => end(child) };
}

/** nginx as a proxy with connections to its servers kept, which it does not do by default and everybody configures. */
export async function startNginxProxy(directory: string, origin: Origin, setup: Setup = {}): Promise<Subject> {
  const port = freePort();
  const { threads = 1, logPort } = setup;
  const servers = origin.ports.map((each) => `server 127.0.0.1:${each};`).join(" ");
  const { pid, end } = await startNginx(
    `${directory}/nginx-${port}`,
    threads,
    `access_log ${logPort === undefined ? "off" : `syslog:server=127.0.0.1:${logPort} combined`};
  upstream web { ${servers} keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}${threads > 1 ? " reuseport" : ""};
    location / {
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_max_temp_file_size 0;
    }
  }`,
    [port],
  );
  return { name: "nginx", pid, port, stop: end };
}

export async function startTandem(io: "uring" | "epoll", origin: Origin, setup: Setup = {}): Promise<Subject> {
  const port = freePort();
  const { threads = 1, logPort } = setup;
  // Its engine threads log into a pipe, as they do in production; who reads that there sends the datagrams.
  const log = logPort === undefined ? null : new LogUnderTest({ keeps: false });
  const proxy = log?.start(io) ?? new ProxyUnderTest(io);
  const stop = async () => {
    await proxy[Symbol.asyncDispose]();
    await log?.[Symbol.asyncDispose]();
  };
  try {
    const timeouts = { httpRequest: 10_000, keepAlive: 60_000, client: 30_000, tunnel: 3_600_000 };
    const applied = await proxy.apply({
      threads,
      frontends: [frontend("in", port, { timeouts, maxconn: MOST_CONNECTIONS })],
      backends: [backend("web", origin.ports)],
      accessLog: log?.json,
    });
    const { error } = applied.listeners[0];
    if (error !== null) throw new Error(error);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name: `Tandem, ${io === "uring" ? "io_uring" : "epoll"}`,
    pid: proxy.pid,
    port,
    async lostLines() {
      return (await proxy.status()).threads.reduce((sum, { droppedLines }) => sum + (droppedLines ?? 0), 0);
    },
    stop,
  };
}

/** A syslog receiver that throws away what it gets. */
export async function startSyslogReceiver(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const program = new URL("./syslog_receiver_program.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", "--no-check", program];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  if (!(port > 0)) throw new Error(`Cannot receive syslog: the receiver ended before it told its port`);
  return {
    port,
    async stop() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

async function startNginx(directory: string, workers: number, http: string, ports: readonly number[]) {
  await Deno.mkdir(directory);
  const configuration =
    `daemon off; user root; worker_processes ${workers}; pid ${directory}/nginx.pid; error_log ${directory}/error.log;
events { worker_connections 30000; }
http {
  keepalive_requests 100000000; keepalive_timeout 75s; sendfile on;
  client_body_temp_path ${directory}/a; proxy_temp_path ${directory}/b; fastcgi_temp_path ${directory}/c;
  uwsgi_temp_path ${directory}/d; scgi_temp_path ${directory}/e;
  ${http}
}`;
  await Deno.writeTextFile(`${directory}/nginx.conf`, configuration);
  const child = start(["nginx", "-c", `${directory}/nginx.conf`, "-p", directory]);
  for (const port of ports) await listening(port, child);
  return { pid: child.pid, end: () => end(child) };
}

function start([program, ...args]: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // Ended already.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), 3000);
  await child.status;
  clearTimeout(timer);
}

/** Waits until somebody listens; `child` is ended where nobody comes to. */
async function listening(port: number, child: Deno.ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await end(child).catch(() => {});
  throw new Error(`Nobody listens on port ${port} after 5 s`);
}
