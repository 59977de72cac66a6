/**
 * Stage 2 of the process of an application that is a plugin: confined already, with no code of it loaded yet. It has the
 * descriptor that it serves on and the path of the balancer's socket as arguments.
 */
import { serveAdopted } from "../app/adopted_server.ts";
import { forwardTo } from "../app/forwarder.ts";
import { createUpgrades } from "../app/upgrades.ts";
import { runHost } from "../plugin/host/main.ts";

/** Runs until control closes the pipe. */
export async function runAppHost([listening, balancer]: readonly string[]): Promise<void> {
  const upgrades = createUpgrades();
  await runHost({
    serve: (answer, failed) => serveAdopted(Number(listening), answer, failed, upgrades),
    forward: (backend, request) => forwardTo(balancer, backend, request, upgrades),
  });
}

if (import.meta.main) await runAppHost(Deno.args);
