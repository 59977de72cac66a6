/**
 * The trusted half of a plugin's process: it was loaded first, loads the plugin when control says so, and answers for it
 * when the plugin does not. Nothing here is a boundary: plugin code shares this realm and can break all of it. The kernel
 * and control's side of the protocol are the boundary.
 */
import { schemaOf } from "../../../plugins/declaration.ts";
import type { FromPlugin, ToPlugin } from "../protocol.ts";
import { Asking } from "./asking.ts";
import { toWireError } from "./authored.ts";
import { createContext } from "./context.ts";
import type { Carrier } from "./carrier.ts";
import type { Pipe } from "./pipe.ts";
import { beginService, type Service, type ServiceParts } from "./service.ts";

type Load = Extract<ToPlugin, { type: "load" }>;
type Call = Extract<ToPlugin, { type: "call" }>;

/** What a plugin's entry exports by default, as far as the host looks at it. */
type Loaded = Readonly<Record<string, unknown>> & { readonly kind: string };

/** A call that was not answered yet. */
interface Running {
  readonly controller: AbortController;
  answered: boolean;
}

/** The first failure between the start and `loaded` is the last message. */
export class Host {
  #load: Load | null = null;
  #plugin: Loaded | null = null;
  /** Config of each use, from its `init`. */
  readonly #configs = new Map<string, unknown>();
  readonly #running = new Map<number, Running>();
  readonly #asking: Asking;
  /** Calls that were answered for the plugin, and which its code still has not finished. */
  #abandoned = 0;

  /** Of an application, once it takes requests. */
  #service: Service | null = null;

  /** @param carrier null where this process has none to bring requests */
  constructor(private readonly pipe: Pipe, private readonly carrier: Carrier | null = null) {
    this.#asking = new Asking(pipe);
  }

  receive(message: ToPlugin): void {
    switch (message.type) {
      case "load":
        this.#begin(message);
        return;
      case "call":
        this.#call(message);
        return;
      case "cancel":
        this.#cancel(message);
        return;
      case "reply":
        this.#asking.reply(message);
        return;
      case "ping":
        this.pipe.send({ type: "pong", n: message.n, abandoned: this.#abandoned });
        return;
    }
  }

  /** Where the plugin's files are, for errors. */
  get directory(): string {
    return this.#load?.directory ?? "/";
  }

  async #begin(load: Load): Promise<void> {
    this.#load = load;
    try {
      // A computed specifier: a literal one would load with the rights of this module, past the permissions.
      const module = await import(`file://${load.directory}/${load.entry}`);
      const plugin = load.kind === "app" ? asApp(module.default) : module.default;
      if (typeof plugin !== "object" || plugin === null || typeof plugin.kind !== "string") {
        throw new TypeError(`"${load.entry}" must export a plugin by default: export default defineChecker({ … })`);
      }
      if (plugin.kind !== load.kind) {
        throw new TypeError(`"${load.entry}" exports a ${plugin.kind}, but plugin.yaml says kind: ${load.kind}`);
      }
      this.#plugin = plugin;
      this.pipe.send({ type: "loaded", kind: plugin.kind, schema: schemaOf(plugin.config ?? {}) });
    } catch (error) {
      this.pipe.send({ type: "failed", error: toWireError(error, load.directory) });
    }
  }

  async #call(call: Call): Promise<void> {
    const running: Running = { controller: new AbortController(), answered: false };
    this.#running.set(call.id, running);
    try {
      const value = await this.#invoke(call, running.controller.signal);
      this.#answer(call.id, running, { type: "answer", id: call.id, value: value ?? null });
    } catch (error) {
      this.#answer(call.id, running, { type: "answer", id: call.id, error: toWireError(error, this.directory) });
    }
  }

  async #invoke(call: Call, signal: AbortSignal): Promise<unknown> {
    const plugin = this.#plugin;
    if (!plugin || !this.#load) throw new Error("The plugin is not loaded");
    if (call.config !== undefined) this.#configs.set(call.use, call.config);
    if (call.method === "drain") return await this.#service?.drain();
    const method = plugin[call.method === "serve" ? "fetch" : call.method];
    if (method === undefined && (call.method === "init" || call.method === "forget")) return null;
    if (typeof method !== "function") throw new TypeError(`The plugin has no method "${call.method}"`);
    const context = createContext({
      call: call.id,
      config: this.#configs.get(call.use),
      host: this.#load.host,
      granted: this.#load.granted,
      signal,
      asking: this.#asking,
      pipe: this.pipe,
    });
    if (call.method === "serve") {
      const { carrier, directory } = this;
      if (carrier === null) throw new Error("Nothing brings this process requests");
      const fetch: ServiceParts["fetch"] = (request, ctx) => method.call(plugin, request, ctx);
      this.#service = beginService({ carrier, fetch, context, directory });
      return await this.#service.ended;
    }
    const args = call.method === "init" ? [context] : [call.argument, context];
    return await method.apply(plugin, args);
  }

  #answer(id: number, running: Running, message: FromPlugin): void {
    if (running.answered) {
      // Too late: the deadline was answered already. Only now is the plugin's own work over.
      this.#abandoned--;
      return;
    }
    running.answered = true;
    this.#running.delete(id);
    try {
      this.pipe.send(message);
    } catch (error) {
      this.pipe.send({ type: "answer", id, error: toWireError(error, this.directory) });
    }
  }

  #cancel({ id, reason }: Extract<ToPlugin, { type: "cancel" }>): void {
    const running = this.#running.get(id);
    if (!running) return;
    const error = new Error(reason.message);
    error.name = reason.name;
    running.controller.abort(error);
    // What listens to the signal may still say what it was doing: a check that could not connect is down, not unknown.
    setTimeout(() => {
      if (running.answered) return;
      running.answered = true;
      this.#running.delete(id);
      this.#abandoned++;
      this.pipe.send({ type: "answer", id, abandoned: true });
    }, 20);
  }
}

/** A Hono application is one as it is. */
function asApp(exported: unknown): unknown {
  const isApp = typeof exported === "object" && exported !== null && !("kind" in exported) && "fetch" in exported;
  if (!isApp || typeof exported.fetch !== "function") return exported;
  const { fetch } = exported;
  return { kind: "app", fetch: (request: Request, ctx: unknown) => fetch.call(exported, request, ctx) };
}
