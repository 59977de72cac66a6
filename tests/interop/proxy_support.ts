/** A proxy process alone, without control: what its tests start and talk to. */
import type {
  AccessLogOptions,
  BackendOptions,
  FrontendOptions,
  ProxyCommand,
  ProxyReport,
} from "../../runtime/proxy/protocol.ts";
import type { ServerVerdict } from "../../runtime/proxy/protocol.ts";

export { freePort } from "../support/free_port.ts";

export type Report<Type extends ProxyReport["type"]> = Extract<ProxyReport, { readonly type: Type }>;

export interface ProxySetup {
  readonly threads?: number;
  readonly maxconn?: number;
  readonly frontends: readonly FrontendOptions[];
  readonly backends: readonly BackendOptions[];
  readonly accessLog?: AccessLogOptions;
}

/** A frontend on 127.0.0.1 with everything at its default. */
export function frontend(name: string, port: number, change: Partial<FrontendOptions> = {}): FrontendOptions {
  return {
    name,
    mode: "http",
    binds: [{ address: "127.0.0.1", port }],
    forwardfor: true,
    trustedProxies: [],
    defaultBackend: "web",
    maxconn: 10_000,
    timeouts: { httpRequest: 10_000, keepAlive: 10_000, client: 30_000, tunnel: 3_600_000 },
    ...change,
  };
}

/** A backend of servers on 127.0.0.1, one a port: s0, s1, … */
export function backend(name: string, ports: readonly number[], change: Partial<BackendOptions> = {}): BackendOptions {
  return {
    name,
    balance: { use: "roundrobin", with: {} },
    servers: ports.map((port, index) => ({
      name: `s${index}`,
      address: "127.0.0.1",
      port,
      weight: 1,
      maxconn: null,
      backup: false,
      labels: {},
    })),
    retries: 3,
    onDown: "keep",
    timeouts: { connect: 5000, server: 30_000, queue: 5000 },
    ...change,
  };
}

/** Verdicts that take every server as up with its configured weight. */
export function allUp(backends: readonly BackendOptions[]): ServerVerdict[] {
  return backends.flatMap(({ name, servers }) =>
    servers.map((server) => ({ backend: name, server: server.name, state: "up" as const, weight: server.weight }))
  );
}

export class ProxyUnderTest implements AsyncDisposable {
  readonly reports: ProxyReport[] = [];
  /** What it logged of errors of its own. */
  readonly errors: string[] = [];
  /** All that it logged. */
  logged = "";
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Set<() => void>();
  #id = 0;

  /** `lend` runs what starts the process. */
  constructor(io: string, lend: (spawn: () => Deno.ChildProcess) => Deno.ChildProcess = (spawn) => spawn()) {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", new URL("../../mod.ts", import.meta.url).pathname, "role", "proxy"],
      env: { TANDEM_IO: io },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    this.#child = lend(() => command.spawn());
    this.#readLog();
    this.#writer = this.#child.stdin.getWriter();
    this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Applies a set and waits until it is. */
  async apply(setup: ProxySetup, verdicts = allUp(setup.backends)): Promise<Report<"applied">> {
    const id = ++this.#id;
    const { frontends, backends, accessLog = null } = setup;
    const options = { threads: setup.threads ?? 1, maxconn: setup.maxconn ?? 20_000, frontends, backends, accessLog };
    await this.send({ type: "apply", id, options, verdicts });
    return await this.report("applied", (report) => report.id === id);
  }

  async send(command: ProxyCommand): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(command) + "\n"));
  }

  /** The first report of this type that fits, from now or before. */
  async report<Type extends ProxyReport["type"]>(
    type: Type,
    fits: (report: Report<Type>) => boolean = () => true,
  ): Promise<Report<Type>> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const found = this.reports.find((each): each is Report<Type> => each.type === type && fits(each as Report<Type>));
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`The proxy did not report "${type}" within 10 s`);
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        setTimeout(resolve, 200);
      });
    }
  }

  /** Every thread goes by what was sent before. */
  async settled(): Promise<void> {
    const id = this.reports.length;
    await this.send({ type: "settle", id });
    await this.report("settled", (report) => report.id === id);
  }

  /** The next status report. */
  async status(): Promise<Report<"status">> {
    const seen = this.reports.length;
    return await this.report("status", (report) => this.reports.indexOf(report) >= seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.send({ type: "stop", drain: 200 });
      await this.#writer.close();
    } catch {
      // Gone already.
    }
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await this.#child.status;
    clearTimeout(timer);
  }

  async #readLog(): Promise<void> {
    for await (const chunk of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.logged += chunk;
      if (chunk.includes("error of the engine") || chunk.includes("Uncaught")) this.errors.push(chunk);
      if (Deno.env.get("TANDEM_TEST_LOG")) Deno.stderr.writeSync(new TextEncoder().encode(chunk));
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") this.reports.push(JSON.parse(line));
      for (const resolve of this.#waiting) resolve();
      this.#waiting.clear();
    }
  }
}

/** Both ways of I/O: every test runs on each. */
export const ways = ["uring", "epoll"] as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** A raw connection: text out, text in, nothing in between. */
export class Wire implements Disposable {
  #rest = "";
  #ended = false;

  constructor(readonly connection: Deno.Conn) {}

  static async to(port: number): Promise<Wire> {
    return new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    await this.sendBytes(encoder.encode(text));
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.connection.write(bytes.subarray(sent));
  }

  /** What arrived, up to and with `mark`. */
  async until(mark: string, ms = 5000): Promise<string> {
    return await this.#take(() => {
      const at = this.#rest.indexOf(mark);
      return at < 0 ? -1 : at + mark.length;
    }, ms);
  }

  /** The next `length` bytes. */
  async take(length: number, ms = 5000): Promise<string> {
    return await this.#take(() => (this.#rest.length >= length ? length : -1), ms);
  }

  /** A head, and the body that its Content-Length announces. */
  async message(ms = 5000): Promise<string> {
    const head = await this.until("\r\n\r\n", ms);
    const length = /content-length: *(\d+)/i.exec(head)?.[1];
    return length === undefined ? head : head + (await this.take(Number(length), ms));
  }

  /** Everything until the end of the stream; `reset` instead if it breaks. */
  async rest(ms = 5000): Promise<string> {
    try {
      while (!this.#ended) await this.#more(ms);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      this.#rest += "<reset>";
    }
    const all = this.#rest;
    this.#rest = "";
    return all;
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // Closed by the test.
    }
  }

  async #take(find: () => number, ms: number): Promise<string> {
    for (;;) {
      const length = find();
      if (length >= 0) {
        const found = this.#rest.slice(0, length);
        this.#rest = this.#rest.slice(length);
        return found;
      }
      if (this.#ended) throw new Error(`The stream ended behind ${JSON.stringify(this.#rest.slice(-200))}`);
      await this.#more(ms);
    }
  }

  async #more(ms: number): Promise<void> {
    const buffer = new Uint8Array(65536);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Nothing arrived within ${ms} ms`)), ms);
    });
    try {
      const length = await Promise.race([this.connection.read(buffer), late]);
      if (length === null) this.#ended = true;
      else this.#rest += decoder.decode(buffer.subarray(0, length));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A server whose every connection is served by `serve`, numbered from 0. */
export class Origin implements AsyncDisposable {
  readonly port: number;
  /** Connections accepted so far. */
  connections = 0;
  readonly #listener: Deno.Listener;
  #closed = false;
  readonly #wires = new Set<Wire>();

  constructor(readonly serve: (wire: Wire, connection: number) => Promise<void>, port = 0) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#accept();
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
    for (const wire of this.#wires) wire[Symbol.dispose]();
    return Promise.resolve();
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        const wire = new Wire(connection);
        this.#wires.add(wire);
        this.serve(wire, this.connections++).catch(() => {}).finally(() => wire[Symbol.dispose]());
      }
    } catch {
      // Closed.
    }
  }
}

/** Answers every request with 200 and `text`. */
export function answering(text: string): (wire: Wire) => Promise<void> {
  return async (wire) => {
    for (;;) {
      await wire.message();
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    }
  };
}

/** GET / on a connection of its own; the whole response. */
export async function get(port: number, path = "/", headers = ""): Promise<string> {
  using wire = await Wire.to(port);
  await wire.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${headers}\r\n`);
  return await wire.rest();
}
