/** The admin API (contract §4) as a Hono app: what a node tells and takes. Errors are `{ "error": sentence }`. */
import { isIP } from "node:net";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Control } from "../control.ts";
import { RefusedError } from "../control/refused_error.ts";
import { statusFilter } from "../telemetry/access_log/line_filter.ts";
import { createLogger, type Logger } from "../telemetry/log.ts";
import { version } from "../version.ts";
import { eventStream } from "./event_stream.ts";
import { tellFault } from "./fault.ts";
import type { Way } from "./listen.ts";
import { logStream } from "./log_stream.ts";
import { renderMetrics } from "./metrics.ts";
import { renderPage } from "./page.ts";
import { decodeMove, decodeReload, decodeServerChange, RequestError } from "./requests.ts";

const statusOf: Readonly<Record<RefusedError["why"], ContentfulStatusCode>> = {
  unknown: 404,
  conflict: 409,
  invalid: 422,
  unavailable: 503,
};

/** What `listenAdmin` says of a request; without it, it came over TCP. */
interface Came {
  readonly Bindings: Way;
}

/** How many events are listed when nobody says. */
const defaultLimit = 100;

/**
 * The app over a node. `log` hears of our own faults.
 *
 * @example
 * ```ts ignore
 * const response = await createAdmin(control).request("/api/v1/status");
 * ```
 */
export function createAdmin(control: Control, log: Logger = createLogger({ role: "control" })): Hono<Came> {
  const app = new Hono<Came>();

  // By this the command line knows that it speaks to a node, and not to whatever else answers in JSON there.
  app.use(async (c, next) => {
    await next();
    c.res.headers.set("x-tandem", version);
  });
  app.use(async (c, next) => {
    const foreign = foreignHost(c) ?? foreignOrigin(c);
    return foreign === null ? await next() : c.json({ error: foreign }, 403);
  });

  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => {
    const reasons = control.unready();
    return c.text(reasons.length === 0 ? "ready\n" : `${reasons.join("\n")}\n`, reasons.length === 0 ? 200 : 503);
  });
  app.get(
    "/metrics",
    (c) => c.text(renderMetrics(control.status()), 200, { "content-type": "text/plain; version=0.0.4" }),
  );
  app.get("/", (c) => c.html(renderPage(control.status(), control.journal.list({ limit: 20 }))));

  app.get("/api/v1/status", (c) => c.json(control.status()));
  app.get("/api/v1/events", (c) => {
    const after = count("after", c.req.query("after"));
    if (c.req.header("accept")?.includes("text/event-stream")) {
      // A reader that comes back names the last event it has seen.
      const seen = after ?? count("Last-Event-ID", c.req.header("last-event-id"));
      return eventStream(control.journal, seen);
    }
    return c.json(control.journal.list({ after, limit: count("limit", c.req.query("limit")) ?? defaultLimit }));
  });
  app.get("/api/v1/logs", async (c) => {
    const { accessLog } = control;
    if (accessLog === null || accessLog.sink === null) {
      throw new RefusedError("conflict", "Requests are not logged: set log.access, such as log: { access: {} }");
    }
    const status = c.req.query("status");
    const fits = status ? statusFilter(status) : null;
    if (status && fits === null) {
      throw new RequestError(`"status" must be such as 5xx, 404 or 400-499, got "${status}"`);
    }
    const limit = count("limit", c.req.query("limit")) ?? defaultLimit;
    const past = await accessLog.list({ limit, fits: fits ?? undefined });
    if (!follows(c.req.query("follow"))) return c.json({ lines: past });
    return logStream(accessLog, { past, fits });
  });
  app.post("/api/v1/reload", async (c) => {
    const { dryRun } = decodeReload(await body(c));
    return c.json(await (dryRun ? control.plan() : control.reload()));
  });
  app.post("/api/v1/vrrp/:instance/failover", async (c) => {
    const { wait, ...request } = decodeMove(await body(c));
    const { text, moved } = await control.failover(c.req.param("instance"), request);
    if (!wait) return c.json({ text, ...await unkept(control) }, 202);
    const last = await moved;
    return c.json(
      { text: last.text, outcome: last.outcome, ...await unkept(control) },
      last.outcome === "failed" || last.outcome === "refused" ? 409 : 200,
    );
  });
  app.post(
    "/api/v1/vrrp/:instance/failback",
    async (c) => c.json({ ...await control.failback(c.req.param("instance")), ...await unkept(control) }, 202),
  );
  app.post("/api/v1/plugins/:plugin/reset", (c) => {
    const name = c.req.param("plugin");
    control.resetPlugin(name);
    return c.json(control.status().plugins.find((plugin) => plugin.name === name) ?? null);
  });
  app.put("/api/v1/backends/:backend/servers/:server", async (c) => {
    const change = decodeServerChange(await body(c), Date.now());
    const { view, applied } = await control.changeServer(c.req.param("backend"), c.req.param("server"), change);
    return c.json({
      backend: view.backend,
      server: view.server,
      state: view.state,
      weight: view.weight,
      reason: view.reason,
      applied,
      ...await unkept(control),
    });
  });

  app.notFound((c) => c.json({ error: `There is no ${c.req.method} ${c.req.path}` }, 404));
  app.onError((error, c) => {
    if (error instanceof RefusedError) return c.json({ error: error.message }, statusOf[error.why]);
    if (error instanceof RequestError) return c.json({ error: error.message }, error.status);
    return c.json({ error: tellFault(log, error) }, 500);
  });
  return app;
}

/** Told to whoever asks: there is nothing in it that a page from elsewhere must not read. */
const open: readonly string[] = ["/healthz", "/readyz", "/metrics"];

/**
 * Why a request by this name is not answered, or null. Loopback needs no token, so a page from elsewhere must not be able to
 * read through the operator's browser by a name that it made resolve to this machine. An address cannot be made to, and the
 * configuration has only addresses for the API; no browser comes to a Unix socket by itself.
 */
function foreignHost(c: Context<Came>): string | null {
  if (c.env?.transport === "unix" || open.includes(c.req.path)) return null;
  // Who sends no header is no browser; HTTP/2 has the name in the URL.
  const host = c.req.header("host") ?? URL.parse(c.req.url)?.host ?? "";
  if (isUnmistakable(host)) return null;
  return `This node is not asked as ${JSON.stringify(host)}, because any page could give it that name: ` +
    "use its address or localhost";
}

/**
 * Why a change is not taken from this browser, or null: a page from elsewhere must not speak through it, neither across
 * origins, nor by such a name where somebody passes connections on to the Unix socket.
 */
function foreignOrigin(c: Context<Came>): string | null {
  const origin = c.req.header("origin");
  if (origin === undefined || c.req.method === "GET" || c.req.method === "HEAD") return null;
  const host = c.req.header("host") ?? "";
  if (URL.parse(origin)?.host === host && isUnmistakable(host)) return null;
  return `Changes are not taken from pages of ${JSON.stringify(origin)}`;
}

/** An address or localhost, with or without a port: nobody can make these resolve to something else. */
function isUnmistakable(host: string): boolean {
  const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, "") ?? "";
  return isIP(name) !== 0 || name === "localhost";
}

/** Done here and now, but a restart would forget it: whoever asked must hear of that. */
async function unkept(control: Control): Promise<{ readonly missing?: readonly string[] }> {
  const missing = await control.kept();
  return missing.length === 0 ? {} : { missing };
}

function follows(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true" || text === "") return true;
  throw new RequestError(`"follow" must be true or false, got "${text}"`);
}

/** A parameter that counts, or undefined. */
function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new RequestError(`"${name}" must be a whole number, got "${text}"`);
  return Number(text);
}

/** What a node is asked takes a few hundred bytes; whoever sends more must not fill our memory. */
const longestBody = 64 * 1024;

async function body(c: Context): Promise<unknown> {
  const text = await bodyText(c.req.raw);
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError("The body must be JSON");
  }
}

/** Not `hono/body-limit`: that makes a new request of the old one, whose signal has a warning on stderr. */
async function bodyText({ headers, body }: Request): Promise<string> {
  const tooLong = new RequestError(`The body must be at most ${longestBody} bytes`, 413);
  if (Number(headers.get("content-length")) > longestBody) throw tooLong;
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > longestBody) throw tooLong;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
