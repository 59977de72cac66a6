/** One HTTP/1.1 exchange as a plain client sees it: no retry, no pool, every reset and early end told. */
import type { Outcome } from "./measure.ts";

/** An exchange's outcome, and whether the connection can carry another one. */
export interface Exchange {
  readonly outcome: Outcome;
  readonly reusable: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Sends `GET path` and reads the whole response. The server's name is the `x-served-by` header of the response. */
export async function exchange(connection: Deno.Conn, host: string, path: string, keep: boolean): Promise<Exchange> {
  try {
    const request = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${keep ? "" : "connection: close\r\n"}\r\n`;
    await writeAll(connection, encoder.encode(request));
  } catch (error) {
    return failed("send", error);
  }
  try {
    const head = await readHead(connection);
    const reusable = await skipBody(connection, head) && keep && head.field("connection").toLowerCase() !== "close";
    return { outcome: { type: "served", status: head.status, server: head.field("x-served-by") }, reusable };
  } catch (error) {
    return failed("receive", error);
  }
}

function failed(phase: "send" | "receive", error: unknown): Exchange {
  return { outcome: { type: "failed", phase, reason: reasonOf(error) }, reusable: false };
}

/** "reset by peer", "connection refused", … from Deno's errors. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionReset) return "reset by peer";
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  return error instanceof Error ? error.message : String(error);
}

interface Head {
  readonly status: number;
  field(name: string): string;
  /** Bytes of the body that came with the head. */
  readonly rest: Uint8Array;
}

async function readHead(connection: Deno.Conn): Promise<Head> {
  let received = new Uint8Array(0);
  while (true) {
    const text = decoder.decode(received);
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return parseHead(text.slice(0, end), received.subarray(end + 4));
    received = concat(
      received,
      await readSome(connection, received.length === 0 ? "before the response" : "in the head"),
    );
  }
}

function parseHead(text: string, rest: Uint8Array): Head {
  const [first, ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
  if (!status) throw new SyntaxError(`Status line must begin with "HTTP/1.1 NNN", got "${first.slice(0, 40)}"`);
  const fields = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { status, rest, field: (name) => fields.get(name) ?? "" };
}

/** Reads the body to its end; false when the end of the body was the end of the connection. */
async function skipBody(connection: Deno.Conn, head: Head): Promise<boolean> {
  if (head.field("transfer-encoding").toLowerCase() === "chunked") {
    let tail = decoder.decode(head.rest);
    // The demo's bodies hold no CRLF, so the last chunk is found by its own bytes.
    while (!tail.endsWith("0\r\n\r\n")) tail += decoder.decode(await readSome(connection, "in the body"));
    return true;
  }
  const length = head.field("content-length");
  if (length === "") {
    const buffer = new Uint8Array(16_384);
    while (await connection.read(buffer) !== null);
    return false;
  }
  for (let missing = Number(length) - head.rest.length; missing > 0;) {
    missing -= (await readSome(connection, "in the body")).length;
  }
  return true;
}

async function readSome(connection: Deno.Conn, where: string): Promise<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(16_384);
  const count = await connection.read(buffer);
  if (count === null) throw new Error(`closed ${where}`);
  return buffer.subarray(0, count);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
