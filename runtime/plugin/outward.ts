/** What control does outside of this machine's memory for a plugin: datagrams to endpoints, and commands. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { runProgram } from "../os/program.ts";
import { sendUnixDatagram } from "../os/unix_datagram.ts";
import type { CommandResult } from "./broker.ts";
import { type EndpointOptions, EndpointRefused, forbiddenAddresses, isForbidden } from "./endpoints.ts";

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

/** What a plugin may add to an environment: nothing that a loader, a shell or an interpreter obeys. */
const ENV_NAME = /^(TANDEM|HAPROXY)_[A-Z0-9_]+$/;

/** Runs a program of the operator's; it and what it started are killed when `signal` is aborted. */
export async function runCommand(
  argv: readonly string[],
  { input, env }: { readonly input: string; readonly env: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<CommandResult> {
  const wrong = Object.keys(env).find((name) => !ENV_NAME.test(name));
  if (wrong !== undefined) throw new Error(`Environment variable "${wrong}" must begin with TANDEM_ or HAPROXY_`);
  const { code, stdout, stderr } = await runProgram(argv, signal, { input, env });
  return { code, output: [stdout, stderr].filter(Boolean).join("\n") };
}
