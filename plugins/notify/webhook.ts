/** `use: webhook`: each event as JSON to a URL, which may be signed. */
import { defineNotifier, GiveUp, Retry, s } from "../contract.ts";

export default defineNotifier({
  config: {
    url: s.string({ description: "where events are posted" }),
    headers: s.map(s.secret(), { default: {} }),
    secret: s.optional(s.secret({ description: "X-Tandem-Signature: HMAC-SHA256 of the body, in hexadecimal" })),
  },
  async notify(event, ctx) {
    // Address, headers and signature belong to the endpoint: they are added where the request is sent.
    const response = await ctx.fetch!("webhook", { body: event, headers: { "x-tandem-event": event.type } });
    if (response.ok) return;
    const text = `the webhook answered ${response.status}`;
    if (response.status === 429 || response.status === 503) {
      const after = Number(response.headers.get("retry-after") ?? NaN);
      if (Number.isFinite(after) && after >= 0) throw new Retry(text, after * 1000);
    }
    // A redirect is an answer; the operator has to name where it leads.
    if (response.status >= 300 && response.status < 500 && response.status !== 408 && response.status !== 429) {
      throw new GiveUp(text);
    }
    throw new Error(text);
  },
});
