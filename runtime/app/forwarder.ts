/**
 * How an application's `forward` reaches the balancer: HTTP/1.1 on a Unix socket, one connection a request. `fetch` would
 * decode bodies, add fields of its own and repeat what it took for lost.
 */
import { isAddress } from "../bytes/address.ts";
import { BODY_MORE, BodyDecoder } from "../http/body.ts";
import { bytesOf } from "../http/bytes.ts";
import { NEED_MORE, NO_BODY, REFUSED } from "../http/head.ts";
import { parseResponse, ResponseHead } from "../http/response_head.ts";
import { TARGET_FIELD, targetOf } from "./target.ts";
import { UPGRADED_FIELD, type Upgrades } from "./upgrades.ts";

/** The field by which the balancer knows the backend; it goes no further. */
export const BACKEND_FIELD = "x-tandem-backend";

/** Fields of the connection, and those written here. */
const OURS: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  BACKEND_FIELD,
  TARGET_FIELD,
  UPGRADED_FIELD,
]);
/** Octets that are read at a time; a head must fit. */
const PIECE = 64 * 1024;
/** Buffers that nobody uses now. New ones for every request keep the collector busy with little else. */
const spare: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE = 64;
const BODY = { of: "response", unchunk: true, most: Number.MAX_SAFE_INTEGER } as const;

/**
 * Sends `request` to `backend` by the balancer that listens at `socket`.
 *
 * @param upgrades where upgraded connections are left for the server of the application; without it none is asked for
 */
export async function forwardTo(
  socket: string,
  backend: string,
  request: Request,
  upgrades: Upgrades | null = null,
): Promise<Response> {
  if (!/^[\w.-]+$/.test(backend)) throw new TypeError(`Cannot forward to "${backend}": that is no name of a backend`);
  const connection = await Deno.connect({ transport: "unix", path: socket }).catch((cause) => {
    throw new Error(`Cannot forward to "${backend}": the balancer does not listen for it`, { cause });
  });
  const close = closing(connection, request.signal);
  try {
    const upgrade = upgrades === null ? null : request.headers.get("upgrade");
    await write(connection, headOf(backend, request, upgrade));
    // An answer may come before the body was sent, and then the rest is not wanted.
    if (request.body !== null) sendBody(connection, request).catch(() => {});
    const leave = upgrade === null || upgrades === null ? null : (first: Uint8Array<ArrayBuffer>) => {
      const release = () => request.signal.removeEventListener("abort", close);
      return upgrades.put({ connection, first, release });
    };
    return await receive(connection, { toHead: request.method === "HEAD", close, leave });
  } catch (error) {
    close();
    throw error;
  }
}

/** Closes once, also when nobody waits for the answer any more. */
function closing(connection: Deno.Conn, signal: AbortSignal): () => void {
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    signal.removeEventListener("abort", close);
    connection.close();
  };
  signal.addEventListener("abort", close);
  return close;
}

function headOf(backend: string, request: Request, upgrade: string | null): Uint8Array {
  const { method, headers, body } = request;
  const url = new URL(request.url);
  let head = `${introduction(headers)}${method} ${targetOf(request)} HTTP/1.1\r\n`;
  head += `Host: ${headers.get("host") ?? url.host}\r\n${BACKEND_FIELD}: ${backend}\r\n`;
  head += upgrade === null ? "Connection: close\r\n" : `Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`;
  for (const [name, value] of headers) if (!OURS.has(name)) head += `${name}: ${value}\r\n`;
  if (body !== null && !headers.has("content-length")) head += "Transfer-Encoding: chunked\r\n";
  return bytesOf(`${head}\r\n`);
}

/** Whom the request is for, so that policies and logs go by the client and not by us. */
function introduction(headers: Headers): string {
  const client = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
  if (!isAddress(client)) return "PROXY UNKNOWN\r\n";
  return client.includes(":") ? `PROXY TCP6 ${client} :: 0 0\r\n` : `PROXY TCP4 ${client} 0.0.0.0 0 0\r\n`;
}

async function sendBody(connection: Deno.Conn, { body, headers }: Request): Promise<void> {
  const chunked = !headers.has("content-length");
  for await (const piece of body ?? []) {
    if (piece.length === 0) continue;
    if (chunked) await write(connection, bytesOf(`${piece.length.toString(16)}\r\n`));
    await write(connection, piece);
    if (chunked) await write(connection, bytesOf("\r\n"));
  }
  if (chunked) await write(connection, bytesOf("0\r\n\r\n"));
}

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Only where nothing is read into it any more. */
function giveBack(buffer: Uint8Array<ArrayBuffer>): void {
  if (spare.length < MOST_SPARE) spare.push(buffer);
}

interface Receiving {
  readonly toHead: boolean;
  readonly close: () => void;
  /** Leaves the upgraded connection, with what came behind the head, and answers its mark; null = none was asked for. */
  readonly leave: ((first: Uint8Array<ArrayBuffer>) => string) | null;
}

async function receive(connection: Deno.Conn, { toHead, close, leave }: Receiving): Promise<Response> {
  const head = new ResponseHead();
  const bytes = spare.pop() ?? new Uint8Array(PIECE);
  head.reset();
  let from = 0;
  let end = 0;
  for (;;) {
    const answer = parseResponse(head, bytes, from, end, toHead);
    const isUpgrade = answer > 0 && head.status === 101;
    if (answer === REFUSED || (isUpgrade && leave === null)) throw new Error("The balancer's answer is not HTTP");
    if (answer !== NEED_MORE) {
      from += answer;
      if (isUpgrade || !head.interim) break;
      head.reset();
      continue;
    }
    const length = end < bytes.length ? await connection.read(bytes.subarray(end)) : null;
    if (length === null) throw new Error("The balancer closed the connection without an answer");
    end += length;
  }
  const headers = new Headers();
  for (let i = 0; i < head.count; i++) {
    const name = head.name(i).toLowerCase();
    if (!OURS.has(name)) headers.append(name, head.text(i));
  }
  const { status } = head;
  if (status === 101 && leave !== null) {
    for (let i = 0; i < head.count; i++) {
      if (head.name(i).toLowerCase() === "upgrade") headers.set("upgrade", head.text(i));
    }
    headers.set(UPGRADED_FIELD, leave(bytes.slice(from, end)));
    giveBack(bytes);
    return new Response(null, { headers });
  }
  if (head.framing === NO_BODY) {
    giveBack(bytes);
    close();
    return new Response(null, { status, headers });
  }
  const decoder = new BodyDecoder();
  decoder.begin(head.framing, head.contentLength, BODY);
  return new Response(bodyOf(connection, decoder, bytes, bytes.subarray(from, end), close), { status, headers });
}

function bodyOf(
  connection: Deno.Conn,
  decoder: BodyDecoder,
  buffer: Uint8Array<ArrayBuffer>,
  first: Uint8Array<ArrayBuffer>,
  close: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let rest: Uint8Array<ArrayBuffer> | null = first;
  /** Content of the next piece; null at the end of the body. */
  const next = async (): Promise<Uint8Array<ArrayBuffer> | null> => {
    while (decoder.state === BODY_MORE) {
      const piece: Uint8Array<ArrayBuffer> = rest ?? buffer;
      const length: number | null = rest?.length ?? await connection.read(buffer);
      rest = null;
      if (length === null) break;
      decoder.decode(piece, 0, length);
      if (decoder.outEnd > 0) return piece.slice(0, decoder.outEnd);
    }
    if (decoder.endOfStream()) return null;
    throw new Error("The balancer closed the connection before the end of the body, or its framing is wrong");
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        const content = await next();
        if (content !== null) return controller.enqueue(content);
        giveBack(buffer);
        close();
        controller.close();
      } catch (error) {
        close();
        controller.error(error);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
