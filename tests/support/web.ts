/** A web server behind the balancer: says who answered, echoes requests. SIGSTOP makes it silent, SIGKILL gone. */
import { fileURLToPath } from "node:url";
import { ahead } from "./ahead.ts";
import { Running } from "./command.ts";
import type { Host } from "./namespaces.ts";

/** Starts it on the host's address and waits until it listens. */
export async function startWeb(host: Host, port = 80): Promise<Running> {
  const program = fileURLToPath(new URL("./web_program.ts", import.meta.url));
  const argv = [Deno.execPath(), "run", "-A", "--no-prompt", program, host.name, host.address, String(port)];
  const server = new Running(`${host.name}: web server`, host.inside(ahead(argv)));
  try {
    await server.said(/listening/);
  } catch (error) {
    await server.stop("SIGKILL");
    throw error;
  }
  return server;
}
