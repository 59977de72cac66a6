/** Lines of the access log as they pass, for a reader who stays. */
import type { LineFilter } from "../telemetry/access_log/line_filter.ts";
import type { Relay } from "../telemetry/access_log/relay.ts";

/** A reader that lags by so many pieces misses lines: it must not hold up the log, nor fill our memory. */
const BACKLOG = 1000;

export interface LogStreamOptions {
  /** Lines to begin with. */
  readonly past: readonly string[];
  readonly fits: LineFilter | null;
}

export function logStream(relay: Relay, { past, fits }: LogStreamOptions): Response {
  const encoder = new TextEncoder();
  let close = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (past.length > 0) controller.enqueue(encoder.encode(past.map((line) => `${line}\n`).join("")));
      const subscription = relay.subscribe((text) => {
        if ((controller.desiredSize ?? 0) < -BACKLOG) return;
        const chosen = fits === null ? text : text.split("\n").filter(fits).map((line) => `${line}\n`).join("");
        if (chosen !== "") controller.enqueue(encoder.encode(chosen));
      });
      close = () => {
        subscription[Symbol.dispose]();
        try {
          controller.close();
        } catch {
          // The reader has closed it.
        }
      };
    },
    cancel: () => close(),
  });
  return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" } });
}
