/** Single requests from a host, byte by byte as the test writes them. */
import { fileURLToPath } from "node:url";
import type { Host } from "./namespaces.ts";

export interface Answer {
  readonly status: number;
  /** Names in lower case; of repeated fields the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds from connect to the end of the response. */
  readonly took: number;
}

export interface RequestOptions {
  readonly address: string;
  /** @default 80 */
  readonly port?: number;
  /** @default "/" */
  readonly path?: string;
  /** Header lines as they are. */
  readonly headers?: readonly string[];
  /** How often, one after another, each on its own connection. @default 1 */
  readonly times?: number;
}

/** Sends GET requests from `host` and reads the responses to the end of their connection. */
export async function request(host: Host, options: RequestOptions): Promise<Answer[]> {
  const program = fileURLToPath(new URL("./request_program.ts", import.meta.url));
  const argv = [Deno.execPath(), "run", "-A", "--no-prompt", program, JSON.stringify(options)];
  return JSON.parse((await host.run(argv, { timeout: 60_000 })).stdout);
}
