/**
 * The web servers behind the demo's balancer: `/` says who answered, `/echo` shows the request as it arrived, `/slow`
 * answers after a while. They know nothing of Tandem.
 */
import { onSignals } from "../os/signals.ts";
import { aheadOfOthers } from "./ahead.ts";

/** Serves until SIGTERM, then finishes what it has begun, as a web server that is stopped by its init system does. */
export async function runWebServer(name: string, hostname: string, port: number): Promise<void> {
  aheadOfOthers();
  const server = Deno.serve(
    { hostname, port, onListen: () => say(`listening ${hostname}:${port}\n`) },
    async (request, info) => {
      const url = new URL(request.url);
      const headers = { "x-served-by": name };
      if (url.pathname === "/echo") {
        return Response.json({
          server: name,
          method: request.method,
          path: url.pathname + url.search,
          peer: (info.remoteAddr as Deno.NetAddr).hostname,
          headers: Object.fromEntries(request.headers),
          body: await request.text(),
        }, { headers });
      }
      if (url.pathname === "/slow") {
        await new Promise((resolve) => setTimeout(resolve, Number(url.searchParams.get("ms") ?? 1000)));
      }
      return new Response(`${name}\n`, { headers });
    },
  );
  using _stop = onSignals(["SIGTERM"], () => void server.shutdown());
  await server.finished;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
