/**
 * Pages a human by an events API in the shape of PagerDuty's version 2: one incident for each thing that is wrong, resolved
 * by the event that ends it, and none twice though events may come twice.
 */
import { type Context, defineNotifier, type Event, GiveUp, Retry, s, type Severity } from "tandem/plugin";

const LEVELS: Readonly<Record<Severity, string>> = {
  info: "info",
  notice: "info",
  warning: "warning",
  error: "critical",
};
const ORDER: readonly Severity[] = ["info", "notice", "warning", "error"];

export default defineNotifier({
  config: {
    routingKey: s.secret({ description: "integration key of the service" }),
    from: s.oneOf(["info", "notice", "warning", "error"], { default: "warning", description: "the least that pages" }),
    quiet: s.duration({ default: "5m", description: "the same thing is not reported again within this time" }),
  },
  async notify(event, ctx) {
    const action = event.resolves === null ? "trigger" : "resolve";
    if (action === "trigger" && ORDER.indexOf(event.severity) < ORDER.indexOf(ctx.config.from)) return;
    const key = dedupKey(event);
    const remembered = await recall(ctx, key);
    if (remembered?.id === event.id) return; // the delivery was repeated, the page was not lost
    if (action === "resolve" && remembered === null) return; // nobody was paged for it
    if (action === "trigger" && remembered && ctx.clock.now() - remembered.at < ctx.config.quiet) return;
    await send(ctx, {
      routing_key: ctx.config.routingKey,
      event_action: action,
      dedup_key: key,
      payload: payload(event),
    });
    await remember(ctx, key, action === "trigger" ? { id: event.id, at: ctx.clock.now() } : null);
  },
});

/** The same thing has the same key on both nodes: whichever pages first, the other adds to its incident. */
function dedupKey(event: Event): string {
  return `${event.cluster}/${event.type}/${event.about}`;
}

function payload(event: Event) {
  return {
    summary: `${event.node}: ${event.text}`.slice(0, 1024),
    source: event.node,
    severity: LEVELS[event.severity],
    timestamp: event.at,
    component: event.about,
    group: event.cluster,
    class: event.type,
    custom_details: event.fields,
  };
}

async function send(ctx: Context<unknown>, body: unknown): Promise<void> {
  if (!ctx.fetch) throw new GiveUp("no endpoint is granted");
  const response = await ctx.fetch("events", { body });
  if (response.ok) return;
  const text = `the events API answered ${response.status}`;
  if (response.status === 429) throw new Retry(text, seconds(response.headers.get("retry-after"), 30) * 1000);
  // 4xx: what we send is wrong, and will be wrong the next time.
  if (response.status >= 400 && response.status < 500) {
    throw new GiveUp(`${text}: ${(await response.text()).slice(0, 200)}`);
  }
  throw new Error(text);
}

function seconds(header: string | null, fallback: number): number {
  const value = Number(header ?? NaN);
  return Number.isFinite(value) && value >= 0 ? value : fallback;
}

/** The event that paged last for this key. */
interface Remembered {
  readonly id: string;
  readonly at: number;
}

async function recall(ctx: Context<unknown>, key: string): Promise<Remembered | null> {
  const text = await ctx.store?.get(key) ?? null;
  return text === null ? null : JSON.parse(text);
}

/** A store that is full costs a page too many, never one too few. */
async function remember(ctx: Context<unknown>, key: string, value: Remembered | null): Promise<void> {
  try {
    await ctx.store?.set(key, value === null ? null : JSON.stringify(value));
  } catch (error) {
    ctx.log.warn(`Cannot remember ${key}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
