/** What is measured: Tandem's proxy on io_uring and on epoll, and HAProxy, each with one thread before the same origin. */
import { backend, freePort, frontend, ProxyUnderTest } from "../interop/proxy_support.ts";

/** A running proxy. */
export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export interface Origin {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** nginx with one worker on two ports: `/` answers some bytes, `/16k` and `/1m` files of that size. */
export async function startOrigin(directory: string): Promise<Origin> {
  const ports = [freePort(), freePort()];
  const root = `${directory}/www`;
  await Deno.mkdir(root);
  for (const [name, size] of [["16k", 16 << 10], ["1m", 1 << 20]] as const) {
    await Deno.writeFile(`${root}/${name}`, new Uint8Array(size).fill(120));
  }
  const configuration =
    `daemon off; user root; worker_processes 1; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
events { worker_connections 30000; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 75s; sendfile on;
  client_body_temp_path ${directory}/a; proxy_temp_path ${directory}/b; fastcgi_temp_path ${directory}/c;
  uwsgi_temp_path ${directory}/d; scgi_temp_path ${directory}/e;
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port};`).join(" ")}
    root ${root};
    location = / { return 200 "a small body, as an API would answer it\\n"; }
  }
}`;
  await Deno.writeTextFile(`${directory}/nginx.conf`, configuration);
  const child = start(["nginx", "-c", `${directory}/nginx.conf`, "-p", directory]);
  for (const port of ports) await listening(port);
  return { ports, stop: () => end(child) };
}

/** HAProxy with one thread and what Tandem does by default. `logPort`: where it sends its log by UDP. */
export async function startHaproxy(directory: string, origin: Origin, logPort?: number): Promise<Subject> {
  const port = freePort();
  const servers = origin.ports.map((each, index) => `  server s${index} 127.0.0.1:${each}`).join("\n");
  const configuration = `global
  nbthread 1
  maxconn 9000
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
  await listening(port);
  const name = logPort === undefined ? "HAProxy" : "HAProxy, httplog";
  return { name, pid: child.pid, port, stop: () => end(child) };
}

export async function startTandem(io: "uring" | "epoll", origin: Origin): Promise<Subject> {
  const port = freePort();
  const proxy = new ProxyUnderTest(io);
  const timeouts = { httpRequest: 10_000, keepAlive: 60_000, client: 30_000, tunnel: 3_600_000 };
  const applied = await proxy.apply({
    frontends: [frontend("in", port, { timeouts, maxconn: 9000 })],
    backends: [backend("web", origin.ports)],
  });
  const { error } = applied.listeners[0];
  if (error !== null) throw new Error(error);
  await listening(port);
  return {
    name: `Tandem, ${io === "uring" ? "io_uring" : "epoll"}`,
    pid: proxy.pid,
    port,
    stop: () => proxy[Symbol.asyncDispose](),
  };
}

function start([program, ...args]: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await child.status;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Nobody listens on port ${port} after 5 s`);
}
