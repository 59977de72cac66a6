/** The journal as server-sent events: each with its number as `id`, so that a reader who comes back misses nothing. */
import type { Journal, JournalEvent } from "../telemetry/events.ts";

/** A comment is sent so often, ms, that a dead reader is noticed. */
const heartbeat = 15_000;
/** A reader that lags by so many unsent events is let go; it comes back with its last number. */
const backlog = 1000;

/** @param after events up to this number are known to the reader; undefined = only what is new */
export function eventStream(journal: Journal, after: number | undefined): Response {
  const encoder = new TextEncoder();
  let close = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (event: JournalEvent) => {
        if ((controller.desiredSize ?? 0) < -backlog) return close();
        controller.enqueue(
          encoder.encode(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
        );
      };
      controller.enqueue(encoder.encode("retry: 1000\n\n"));
      if (after !== undefined) journal.list({ after, limit: Infinity }).forEach(send);
      const subscription = journal.subscribe(send);
      const timer = setInterval(() => controller.enqueue(encoder.encode(": alive\n\n")), heartbeat);
      Deno.unrefTimer(timer);
      close = () => {
        clearInterval(timer);
        subscription[Symbol.dispose]();
        try {
          controller.close();
        } catch {
          // The reader has closed it.
        }
      };
    },
    // Deno cancels it when the reader goes. The request's signal says so too, but who touches it gets a warning on stderr.
    cancel: () => close(),
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}
