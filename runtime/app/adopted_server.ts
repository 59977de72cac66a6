/**
 * HTTP/1.1 on a listening socket that this process was given. It needs no right to listen anywhere, and whoever serves this
 * way may have none.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { requestOf } from "./target.ts";
import { usableResponse } from "./usable_response.ts";
import { type Upgraded, UPGRADED_FIELD, type Upgrades } from "./upgrades.ts";

export interface AdoptedServer {
  /** Takes no more; resolves when those that run are answered. */
  close(): Promise<void>;
}

type Answer = (request: Request) => Response | Promise<Response>;

/** Serves on the descriptor `fd`. `failed` hears what `answer` throws. Connections are upgraded as `upgrades` says. */
export function serveAdopted(
  fd: number,
  answer: Answer,
  failed: (error: unknown) => void,
  upgrades: Upgrades,
): AdoptedServer {
  const server = createServer((incoming, outgoing) => {
    exchange(incoming, outgoing, answer, failed).catch(() => outgoing.destroy());
  });
  server.on("upgrade", (incoming, socket, first) => {
    socket.on("error", () => {});
    upgrade(incoming, socket, first, { answer, failed, upgrades }).catch(() => socket.destroy());
  });
  // The balancer has time-outs of its own, and must never ask on a connection that ends just then.
  server.keepAliveTimeout = 0;
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  server.timeout = 0;
  server.on("error", failed);
  server.listen({ fd });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: Answer,
  failed: (error: unknown) => void,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => {
    if (!outgoing.writableFinished) gone.abort(new Error("The client went away"));
  });
  let response: Response;
  try {
    const request = readRequest(incoming, gone.signal);
    response = usableResponse(await answer(request), request);
  } catch (error) {
    if (!gone.signal.aborted) failed(error);
    response = new Response("The application failed.\n", { status: 500 });
  }
  if (gone.signal.aborted) return void await response.body?.cancel();
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (response.body === null) return void outgoing.end();
  try {
    await send(response.body, outgoing, gone.signal);
  } catch (error) {
    // Cut off: what has no end must not look like the whole.
    outgoing.destroy();
    if (!gone.signal.aborted) failed(error);
  }
}

function readRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = "GET", rawHeaders, url = "/" } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i], rawHeaders[i + 1]);
  const isEmpty = method === "GET" || method === "HEAD" ||
    (incoming.headers["transfer-encoding"] === undefined && !(Number(incoming.headers["content-length"]) > 0));
  const body = isEmpty ? null : ReadableStream.from<Uint8Array<ArrayBuffer>>(incoming);
  const init = { method, headers, body, signal, duplex: "half" };
  return requestOf(url, init);
}

async function send(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    // Who waits for the first piece waits for the head as well.
    outgoing.flushHeaders();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!outgoing.write(value)) await drained(outgoing, signal);
    }
    if (!signal.aborted) outgoing.end();
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

function drained(outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      outgoing.off("drain", go);
      signal.removeEventListener("abort", go);
      resolve();
    };
    outgoing.on("drain", go);
    signal.addEventListener("abort", go);
  });
}

interface Upgrading {
  readonly answer: Answer;
  readonly failed: (error: unknown) => void;
  readonly upgrades: Upgrades;
}

/** A request that asks for another protocol: granted by whom it was forwarded to, or answered on a connection that ends. */
async function upgrade(
  incoming: IncomingMessage,
  socket: Duplex,
  first: Uint8Array,
  { answer, failed, upgrades }: Upgrading,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error("The client went away"));
  socket.on("close", leave);
  let response: Response;
  try {
    const request = readRequest(incoming, gone.signal);
    response = usableResponse(await answer(request), request);
  } catch (error) {
    failed(error);
    response = new Response("The application failed.\n", { status: 500 });
  }
  const upgraded = upgrades.take(response.headers.get(UPGRADED_FIELD) ?? "");
  const headers = [...response.headers].filter(([name]) => name !== UPGRADED_FIELD);
  const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  if (upgraded === null) {
    socket.write(
      `HTTP/1.1 ${response.status} ${response.statusText || "Answer"}\r\n${fields}connection: close\r\n\r\n`,
    );
    for await (const piece of response.body ?? []) socket.write(piece);
    return void socket.end();
  }
  upgraded.release();
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}connection: upgrade\r\n\r\n`);
  await Promise.all([toBalancer(socket, first, upgraded), toClient(socket, upgraded)]);
}

async function toBalancer(socket: Duplex, first: Uint8Array, { connection }: Upgraded): Promise<void> {
  try {
    await writeAll(connection, first);
    for await (const piece of socket) await writeAll(connection, piece);
    await connection.closeWrite();
  } catch {
    // Either side has gone; the other direction ends by it.
  }
}

async function toClient(socket: Duplex, { connection, first }: Upgraded): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    if (first.length > 0) socket.write(first);
    for (let length = await connection.read(buffer); length !== null; length = await connection.read(buffer)) {
      if (!socket.write(buffer.slice(0, length))) {
        await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
      }
    }
  } catch {
    // As above.
  } finally {
    connection.close();
    socket.end();
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
