/** What control does outside of this machine's memory for a plugin: datagrams to endpoints, and commands. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { sendUnixDatagram } from "../os/unix_datagram.ts";
import type { CommandResult } from "./broker.ts";
import { type EndpointOptions, EndpointRefused, forbiddenAddresses, isForbidden } from "./endpoints.ts";

const MOST_OUTPUT = 16 * 1024;
const MOST_DATAGRAM = 64 * 1024;

/** "192.0.2.1:514", "[2001:db8::1]:514", "log.example:514", "unix:/dev/log". @throws {SyntaxError} */
export function parseDestination(
  text: string,
): { readonly host: string; readonly port: number } | { readonly path: string } {
  if (text.startsWith("unix:/")) return { path: text.slice("unix:".length) };
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65535) {
    throw new SyntaxError(`Destination must be HOST:PORT or unix:PATH, got "${text}"`);
  }
  return { host: match[1] ?? match[2], port };
}

/** One datagram. What becomes of it nobody learns. */
export async function sendDatagram(
  destination: string,
  message: Uint8Array,
  options: EndpointOptions & { readonly unsafe: boolean },
): Promise<void> {
  if (message.length > MOST_DATAGRAM) {
    throw new RangeError(`Datagram has ${message.length} bytes, at most ${MOST_DATAGRAM}`);
  }
  const target = parseDestination(destination);
  if ("path" in target) return sendUnixDatagram(target.path, message);
  const [{ address, family }] = isIP(target.host)
    ? [{ address: target.host, family: isIP(target.host) }]
    : await lookup(target.host, { all: true });
  if (isForbidden(forbiddenAddresses(options, options), address)) {
    throw new EndpointRefused(`Address ${address} is reached only under net_unsafe`);
  }
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.send(message, target.port, address, (error) => error ? reject(error) : resolve());
    });
  } finally {
    socket.close();
  }
}

/** Runs a program with an environment of its own, no shell, and nothing of ours; it is killed when `signal` is aborted. */
export async function runCommand(
  argv: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<CommandResult> {
  signal.throwIfAborted();
  const [path, ...args] = argv;
  const child = new Deno.Command(path, {
    args,
    clearEnv: true,
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const writing = write(child.stdin, input);
  const [stdout, stderr, status] = await Promise.all([beginning(child.stdout), beginning(child.stderr), child.status]);
  await writing;
  signal.throwIfAborted();
  return { code: status.code, output: [stdout, stderr].filter(Boolean).join("\n") };
}

/** A program that does not read what it is given is no failure. */
async function write(stream: WritableStream<Uint8Array<ArrayBuffer>>, text: string): Promise<void> {
  try {
    const writer = stream.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It has closed its standard input, or ended.
  }
}

async function beginning(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    if (size < MOST_OUTPUT) chunks.push(chunk.subarray(0, MOST_OUTPUT - size));
    size += chunk.length;
  }
  return chunks.map((chunk) => new TextDecoder().decode(chunk)).join("").trim();
}
