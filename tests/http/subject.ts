/**
 * The proxy under test: ours, HAProxy or nginx, started in front of one origin with the same short time-outs; or one that
 * runs already.
 *
 * TANDEM_HTTP_SUBJECT = uring, epoll, haproxy, nginx, :PORT (of a proxy on this machine that has these time-outs), or
 * several of them separated by commas (default: uring,epoll). TANDEM_HTTP_ORIGIN = port where the origin is to listen
 * (default: any; one that runs already has to know it).
 */

import { bestIo } from "../../runtime/os/open_io.ts";
import { pause } from "./wire.ts";
import { freePort } from "../support/free_port.ts";

/** Time-outs of every subject, in ms: short, but far from what a loaded test machine needs. */
export const TIMEOUTS = { head: 1000, keepAlive: 1000, client: 1500, server: 1500, connect: 1000, tunnel: 5000 };

export interface Subject {
  readonly name: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** A subject to test, and whether this machine cannot. */
export interface Wanted {
  readonly name: string;
  readonly ignore: boolean;
}

/** What TANDEM_HTTP_SUBJECT asks for. A kernel without io_uring is no reason to fail, but is to be seen. */
export function wantedSubjects(): Wanted[] {
  const asked = Deno.env.get("TANDEM_HTTP_SUBJECT");
  if (asked !== undefined) return asked.split(",").map((name) => ({ name, ignore: false }));
  return [{ name: "uring", ignore: bestIo("auto").name !== "io_uring" }, { name: "epoll", ignore: false }];
}

/** Starts the subject called `name` in front of the origin at `originPort`. */
export async function startSubject(name: string, originPort: number): Promise<Subject> {
  if (name.startsWith(":")) return { name, port: Number(name.slice(1)), stop: () => Promise.resolve() };
  const port = freePort();
  switch (name) {
    case "haproxy":
      return await startPeer(name, port, ["haproxy", "-db", "-f"], haproxyConfiguration(port, originPort));
    case "nginx":
      return await startPeer(name, port, ["nginx", "-g", "daemon off;", "-c"], nginxConfiguration(port, originPort));
    case "uring":
    case "epoll":
      return await startTandem(name, port, originPort);
  }
  throw new Error(`Cannot start subject "${name}": wanted uring, epoll, haproxy, nginx or :PORT`);
}

async function startPeer(name: string, port: number, command: string[], configuration: string): Promise<Subject> {
  const directory = await Deno.makeTempDir({ prefix: `tandem-http-${name}-` });
  const file = `${directory}/configuration`;
  await Deno.writeTextFile(file, configuration.replaceAll("DIRECTORY", directory));
  const child = new Deno.Command(command[0], { args: [...command.slice(1), file], stdout: "null", stderr: "null" })
    .spawn();
  await listening(name, port, child);
  return {
    name,
    port,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function startTandem(io: string, port: number, originPort: number): Promise<Subject> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../mod.ts", import.meta.url).pathname, "role", "proxy"],
    env: { TANDEM_IO: io },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const commands = child.stdin.getWriter();
  await commands.write(new TextEncoder().encode(JSON.stringify(applyCommand(port, originPort)) + "\n"));
  const drained = child.stdout.pipeTo(new WritableStream());
  await listening(`tandem on ${io}`, port, child);
  return {
    name: `tandem on ${io}`,
    port,
    async stop() {
      await commands.write(new TextEncoder().encode(JSON.stringify({ type: "stop", drain: 0 }) + "\n")).catch(() => {});
      await commands.close().catch(() => {});
      const stuck = setTimeout(() => child.kill("SIGKILL"), 5000);
      await child.status;
      clearTimeout(stuck);
      await drained.catch(() => {});
    },
  };
}

/** Waits until somebody listens; a child that does not is not left behind. */
async function listening(name: string, port: number, child: Deno.ChildProcess): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await pause(100);
    }
  }
  child.kill("SIGKILL");
  await child.status;
  throw new Error(`Cannot test ${name}: nothing listens on 127.0.0.1:${port} after 10 s`);
}

function applyCommand(port: number, originPort: number) {
  const server = {
    name: "o",
    address: "127.0.0.1",
    port: originPort,
    weight: 1,
    maxconn: null,
    backup: false,
    labels: {},
  };
  return {
    type: "apply",
    id: 1,
    options: {
      threads: 1,
      maxconn: 1000,
      frontends: [{
        name: "f",
        mode: "http",
        binds: [{ address: "127.0.0.1", port }],
        forwardfor: true,
        trustedProxies: [],
        defaultBackend: "b",
        maxconn: 1000,
        timeouts: {
          httpRequest: TIMEOUTS.head,
          keepAlive: TIMEOUTS.keepAlive,
          client: TIMEOUTS.client,
          tunnel: TIMEOUTS.tunnel,
        },
      }],
      backends: [{
        name: "b",
        balance: { use: "roundrobin", with: {} },
        servers: [server],
        retries: 1,
        onDown: "keep",
        timeouts: { connect: TIMEOUTS.connect, server: TIMEOUTS.server, queue: 1000 },
      }],
    },
    verdicts: [{ backend: "b", server: "o", state: "up", weight: 1 }],
  };
}

function haproxyConfiguration(port: number, originPort: number): string {
  return `
global
  maxconn 1000
  nbthread 1
defaults
  mode http
  option forwardfor
  option http-no-delay
  retries 1
  timeout connect ${TIMEOUTS.connect}ms
  timeout client ${TIMEOUTS.client}ms
  timeout server ${TIMEOUTS.server}ms
  timeout http-request ${TIMEOUTS.head}ms
  timeout http-keep-alive ${TIMEOUTS.keepAlive}ms
  timeout tunnel ${TIMEOUTS.tunnel}ms
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server o 127.0.0.1:${originPort}
`;
}

function nginxConfiguration(port: number, originPort: number): string {
  return `
worker_processes 1;
pid DIRECTORY/pid;
error_log DIRECTORY/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path DIRECTORY/body; proxy_temp_path DIRECTORY/proxy; fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi; scgi_temp_path DIRECTORY/scgi;
  map $http_upgrade $connection_out { default upgrade; "" ""; }
  upstream o { server 127.0.0.1:${originPort}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    client_header_timeout ${TIMEOUTS.head}ms; client_body_timeout ${TIMEOUTS.client}ms;
    keepalive_timeout ${TIMEOUTS.keepAlive}ms; send_timeout ${TIMEOUTS.client}ms;
    underscores_in_headers on;
    location / {
      proxy_pass http://o;
      proxy_http_version 1.1;
      proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $connection_out;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_connect_timeout ${TIMEOUTS.connect}ms; proxy_read_timeout ${TIMEOUTS.server}ms;
      proxy_send_timeout ${TIMEOUTS.server}ms;
    }
  }
}
`;
}
