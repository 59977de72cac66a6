/** What every server is now: judged anew when anything about it changes, passed on to the proxy at once and told after. */
import type { BackendConfig } from "../config/model.ts";
import type { Standing } from "../health/prober.ts";
import type { Happening } from "../telemetry/events.ts";
import { applyEjections, type Ejection, isEjected } from "./ejections.ts";
import { keepLast } from "./last_servers.ts";
import type { ServerWords } from "./overrides.ts";
import { backendHappening, serverHappening } from "./server_events.ts";
import { type ServerView, viewServer } from "./servers.ts";

export interface ServerBoardOptions {
  readonly standing: (backend: string, server: string) => Standing | null;
  /** What the operator said of it. */
  readonly words: (backend: string, server: string) => ServerWords;
  /** Why the address of a host is not known; null = it is. */
  readonly unresolved: (host: string) => string | null;
  readonly ejection: (backend: string, server: string) => Ejection | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The state or weight of these changed, or why they are not up. Called before anything is told: traffic comes first. */
  readonly changed: (views: readonly ServerView[]) => void;
  readonly tell: (happening: Happening) => void;
}

export interface ServerBoard {
  view(backend: string, server: string): ServerView | null;
  views(): readonly ServerView[];
  /** Whether something will change by time alone, so that it must be judged again. */
  restless(): boolean;
  /** Judges the servers of `backends`, the whole set, or of those named `only`; the others stay as they are. */
  judge(backends: readonly BackendConfig[], only?: string): void;
}

type Views = ReadonlyMap<string, ServerView>;

export function createServerBoard(options: ServerBoardOptions): ServerBoard {
  let views: Views = new Map();
  return {
    view: (backend, server) => views.get(`${backend}/${server}`) ?? null,
    views: () => [...views.values()],
    restless: () => [...views.values()].some((view) => view.restless),
    judge(backends, only) {
      const before = views;
      const judged = backends.filter(({ name }) => only === undefined || name === only);
      const after = new Map(only === undefined ? [] : [...before].filter(([, { backend }]) => backend !== only));
      for (const [key, view] of judged.flatMap((backend) => judgeBackend(backend, before, options))) {
        after.set(key, view);
      }
      views = after;
      const changed = [...after].filter(([key, view]) => isChanged(before.get(key), view)).map(([, view]) => view);
      if (changed.length > 0) options.changed(changed);
      for (const happening of judged.flatMap(({ name }) => happenings(name, before, after))) options.tell(happening);
    },
  };
}

function judgeBackend(backend: BackendConfig, before: Views, options: ServerBoardOptions): [string, ServerView][] {
  const now = options.now();
  const views = backend.servers.map((server) => {
    const standing = options.standing(backend.name, server.name);
    const words = options.words(backend.name, server.name);
    const was = before.get(`${backend.name}/${server.name}`) ?? null;
    return viewServer(backend, server, standing, words, was, now, options.unresolved(server.address));
  });
  const last = keepLast(backend, views, {
    standing: ({ server }) => options.standing(backend.name, server),
    words: ({ server }) => options.words(backend.name, server),
    before: ({ server }) => before.get(`${backend.name}/${server}`) ?? null,
    now,
  });
  const judged = applyEjections(last, ({ server }) => {
    const ejection = options.ejection(backend.name, server);
    return isEjected(ejection, options.standing(backend.name, server), now) ? ejection : null;
  }, now);
  return judged.map((view) => [`${view.backend}/${view.server}`, view]);
}

function isChanged(before: ServerView | undefined, after: ServerView): boolean {
  return before === undefined || before.state !== after.state || before.weight !== after.weight ||
    before.effective !== after.effective || (after.state !== "up" && before.reason !== after.reason);
}

function happenings(backend: string, before: Views, after: Views): Happening[] {
  const of = (views: Views) => [...views.values()].filter((view) => view.backend === backend);
  const servers = of(after).map((view) => serverHappening(before.get(`${backend}/${view.server}`) ?? null, view));
  return [...servers, backendHappening(backend, of(before), of(after))].filter((one) => one !== null);
}
