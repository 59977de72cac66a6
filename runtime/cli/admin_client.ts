/** Speaking to a running node as commands do: over the admin API, wherever it can be found. */
import type { AdminConfig } from "../config/model.ts";
import { CommandError, Exit } from "./exit.ts";
import { printError } from "./terminal.ts";

export interface Reach {
  /** `--admin`. */
  readonly admin?: string;
  /** `--config`, `--node`. */
  readonly config?: string;
  readonly node?: string;
}

export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Where nodes listen that nobody configured otherwise. */
const usual = ["http://127.0.0.1:9700", "unix:/run/tandem/admin.sock"];

/** The endpoints to try, in turn: `--admin`, else TANDEM_ADMIN, else by the configuration, else the usual ones. */
export async function endpointsOf(reach: Reach): Promise<readonly string[]> {
  const named = reach.admin ?? Deno.env.get("TANDEM_ADMIN");
  if (named) {
    return [named.startsWith("/") ? `unix:${named}` : /^\w+:(\/\/|\/)/.test(named) ? named : `http://${named}`];
  }
  const { findConfiguration, loadConfiguration } = await import("./configuration.ts");
  const file = findConfiguration(reach.config ?? null);
  if (file === null) return usual;
  try {
    const nodes = reach.node === undefined ? await nodesToTry(file) : [reach.node];
    const admins = await Promise.all(nodes.map(async (node) => (await loadConfiguration(file, node)).admin));
    const places = new Map(admins.map((admin) => [JSON.stringify(admin), admin]));
    if (places.size > 1) {
      throw new CommandError(
        Exit.usage,
        `The nodes of "${file}" listen at different places: name one with --node or --admin`,
      );
    }
    return [...places.values()].flatMap(endpoints);
  } catch (error) {
    // A file that is broken now is no reason not to find the node that runs since before.
    if (reach.config !== undefined) throw error;
    return usual;
  }
}

/** The node that this machine is, else all of them: where every node listens at the same place, no name is needed. */
async function nodesToTry(file: string): Promise<readonly (string | null)[]> {
  const [{ nodesOf }, { readConfiguration }] = await Promise.all([
    import("../config/load.ts"),
    import("./configuration.ts"),
  ]);
  const names = nodesOf(await readConfiguration(file), file);
  const hostname = Deno.hostname();
  const own = Deno.env.get("TANDEM_NODE") || names.find((name) => name === hostname || name === hostname.split(".")[0]);
  return own || names.length === 0 ? [own || null] : names;
}

function endpoints({ bind, socket }: AdminConfig): string[] {
  // The address first: a socket is a file that nodes in other network namespaces share.
  return [
    ...bind === null ? [] : [bind.startsWith("unix:") ? bind : `http://${connectable(bind)}`],
    ...socket === null ? [] : [`unix:${socket}`],
  ];
}

/** Every address means this machine to whoever connects. */
function connectable(bind: string): string {
  return bind.replace(/^(\*|0\.0\.0\.0)?:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
}

/** Asks the node. @throws {CommandError} with exit code 3 when no node answers. */
export async function ask(reach: Reach, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await open(reach, method, path, body);
  const text = await response.text().catch(() => "");
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    throw new CommandError(Exit.unreachable, `The node's answer broke off after ${text.length} characters; ask again`);
  }
}

/** Demands a change, and passes on what the node has to say beside its answer. @throws {CommandError} as `demand` */
export async function order(reach: Reach, method: string, path: string, body?: unknown): Promise<Answer["body"]> {
  const answer = await demand(reach, method, path, body);
  for (const sentence of answer.missing ?? []) printError(sentence);
  return answer;
}

/** As `ask`, and only a good answer comes back. @throws {CommandError} with the node's own sentence when it refuses. */
export async function demand(reach: Reach, method: string, path: string, body?: unknown): Promise<Answer["body"]> {
  const answer = await ask(reach, method, path, body);
  if (answer.status < 400) return answer.body;
  const sentence = String(answer.body.error ?? answer.body.text ?? `The node answered ${answer.status}`);
  // 422: the configuration that the node read is wrong.
  throw new CommandError([400, 404, 422].includes(answer.status) ? Exit.usage : Exit.failed, sentence);
}

/** The raw response, for streams. @throws {CommandError} with exit code 3 when no node answers. */
export async function open(
  reach: Reach,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const endpoints = await endpointsOf(reach);
  const others: string[] = [];
  for (const endpoint of endpoints) {
    const socket = endpoint.startsWith("unix:") ? endpoint.slice(5) : null;
    const client = socket === null ? undefined : Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
    try {
      const response = await fetch(`${socket === null ? endpoint.replace(/\/+$/, "") : "http://tandem"}${path}`, {
        method,
        client,
        body: body === undefined ? undefined : JSON.stringify(body),
        headers: { ...body === undefined ? {} : { "content-type": "application/json" }, ...headers },
      });
      if (response.headers.has("x-tandem")) return response;
      // An order that something else said yes to has not been carried out.
      others.push(endpoint);
      await response.body?.cancel();
      client?.close();
    } catch {
      client?.close();
    }
  }
  if (others.length > 0) {
    throw new CommandError(
      Exit.unreachable,
      `What answers at ${others.join(" and ")} is not a Tandem node; name the node's own admin.bind or admin.socket ` +
        "with --admin, or see what has taken its place",
    );
  }
  throw new CommandError(
    Exit.unreachable,
    `No node answers at ${
      endpoints.join(" or ") || "any endpoint: the configuration has none"
    }; is it running? --admin URL names another place`,
  );
}

/** Who gives the order, for those who read it later. */
export function operator(): string {
  const { SUDO_USER, USER, LOGNAME } = Deno.env.toObject();
  return SUDO_USER || USER || LOGNAME || (Deno.uid() === 0 ? "root" : "cli");
}
