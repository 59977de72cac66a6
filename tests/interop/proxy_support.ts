/** A proxy process alone, without control: what its tests start and talk to. */
import type { BackendOptions, FrontendOptions, ProxyCommand, ProxyReport } from "../../runtime/proxy/protocol.ts";
import type { ServerVerdict } from "../../runtime/proxy/protocol.ts";

export type Report<Type extends ProxyReport["type"]> = Extract<ProxyReport, { readonly type: Type }>;

export interface ProxySetup {
  readonly threads?: number;
  readonly maxconn?: number;
  readonly frontends: readonly FrontendOptions[];
  readonly backends: readonly BackendOptions[];
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
    balance: "roundrobin",
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
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Set<() => void>();
  #id = 0;

  constructor(io: string, log: "inherit" | "null" = "null") {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", new URL("../../mod.ts", import.meta.url).pathname, "role", "proxy"],
      env: { TANDEM_IO: io },
      stdin: "piped",
      stdout: "piped",
      stderr: log,
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Applies a set and waits until it is. */
  async apply(setup: ProxySetup, verdicts = allUp(setup.backends)): Promise<Report<"applied">> {
    const id = ++this.#id;
    const { frontends, backends } = setup;
    const options = { threads: setup.threads ?? 1, maxconn: setup.maxconn ?? 20_000, frontends, backends };
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
