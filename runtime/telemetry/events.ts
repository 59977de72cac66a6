/**
 * The journal: what happened on this node, numbered. A ring in memory answers questions; a file in the state directory
 * carries the numbers and the last events over a restart.
 */

import type { Logger } from "./log.ts";

export type Severity = "info" | "notice" | "warning" | "error";

export type EventType =
  | "vrrp.transition"
  | "server.state"
  | "backend.state"
  | "peer.state"
  | "config.reload"
  | "plugin.state"
  | "process.state"
  | "dropped";

export interface JournalEvent {
  readonly v: 1;
  /** Unique over nodes and restarts. */
  readonly id: string;
  /** Rises by one with every event of this node. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly node: string;
  readonly cluster: string;
  readonly type: EventType;
  readonly severity: Severity;
  /** What it is about: "VI_1", "backend_servers/node01". */
  readonly about: string;
  /** The id of the warning or error about the same thing that this event ends. */
  readonly resolves: string | null;
  /** One sentence for people. */
  readonly text: string;
  /** Facts for machines. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the caller knows of an event; the journal adds the rest. */
export interface Happening {
  readonly type: EventType;
  readonly severity: Severity;
  readonly about: string;
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. @default now */
  readonly at?: number;
}

export interface JournalOptions {
  readonly node: string;
  readonly cluster: string;
  /** Directory of the file; null = memory only. */
  readonly directory: string | null;
  /** Events kept in memory. @default 1000 */
  readonly capacity?: number;
  /** The file is started afresh beyond this; one older file is kept. @default 4194304 */
  readonly maxBytes?: number;
  /** Hears when events cannot be kept, and when they can again. @default nobody */
  readonly log?: Logger;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface Journal extends AsyncDisposable {
  add(happening: Happening): JournalEvent;
  /** The newest `limit` events, oldest first; with `after`, the first `limit` that follow that number. */
  list(query?: { readonly after?: number; readonly limit?: number }): readonly JournalEvent[];
  subscribe(listener: (event: JournalEvent) => void): Disposable;
  /** Why the file does not have the newest events, in one sentence; null = it has. */
  readonly problem: string | null;
}

const fileName = "events.ndjson";

/**
 * Opens the journal and reads what an earlier run left.
 *
 * @throws {Error} when `directory` is given and cannot be written.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const capacity = options.capacity ?? 1000;
  const now = options.now ?? Date.now;
  const path = options.directory === null ? null : `${options.directory}/${fileName}`;
  const ring: JournalEvent[] = path === null ? [] : (await readEvents(path)).slice(-capacity);
  const unresolved = new Map<string, string>();
  for (const event of ring) resolve(unresolved, event);
  const file = path === null
    ? null
    : await openLog({ path, maxBytes: options.maxBytes ?? 4 << 20, capacity, log: options.log });
  const listeners = new Set<(event: JournalEvent) => void>();
  let seq = ring.at(-1)?.seq ?? 0;

  return {
    add(happening) {
      seq += 1;
      const draft = {
        type: happening.type,
        about: happening.about,
        severity: happening.severity,
        id: `${options.node}-${seq}`,
      };
      const event: JournalEvent = {
        v: 1,
        id: draft.id,
        seq,
        at: new Date(happening.at ?? now()).toISOString(),
        node: options.node,
        cluster: options.cluster,
        type: happening.type,
        severity: happening.severity,
        about: happening.about,
        resolves: resolve(unresolved, draft),
        text: happening.text,
        fields: happening.fields ?? {},
      };
      ring.push(event);
      if (ring.length > capacity) ring.shift();
      file?.append(JSON.stringify(event) + "\n");
      for (const listener of listeners) listener(event);
      return event;
    },
    list({ after, limit = 100 } = {}) {
      if (limit <= 0) return [];
      if (after === undefined) return ring.slice(-limit);
      return ring.filter((event) => event.seq > after).slice(0, limit);
    },
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    get problem() {
      return file?.problem() ?? null;
    },
    async [Symbol.asyncDispose]() {
      await file?.close();
    },
  };
}

/** Keeps what is wrong per subject; a good event about it names the bad one that it ends. */
function resolve(
  unresolved: Map<string, string>,
  event: Pick<JournalEvent, "type" | "about" | "severity" | "id">,
): string | null {
  const key = `${event.type} ${event.about}`;
  if (event.severity === "warning" || event.severity === "error") {
    unresolved.set(key, event.id);
    return null;
  }
  const resolved = unresolved.get(key) ?? null;
  unresolved.delete(key);
  return resolved;
}

async function readEvents(path: string): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  for (const at of [`${path}.1`, path]) {
    const text = await Deno.readTextFile(at).catch(() => "");
    for (const line of text.split("\n")) {
      try {
        const event = JSON.parse(line);
        if (event.v === 1 && Number.isInteger(event.seq)) events.push(event);
      } catch {
        // The last line of a crashed run may be half written.
      }
    }
  }
  return events;
}

interface LogOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** Lines that wait for a disk that takes none. */
  readonly capacity: number;
  readonly log?: Logger;
}

/** An append-only file whose writes follow each other, so that callers never wait for the disk. */
async function openLog({ path, maxBytes, capacity, log }: LogOptions) {
  const encoder = new TextEncoder();
  const waiting: string[] = [];
  let problem: string | null = null;
  let writing = Promise.resolve();
  let size = 0;
  let prefix = "";
  const open = async () => {
    const opened = await Deno.open(path, { append: true, create: true, mode: 0o640 });
    size = (await opened.stat()).size;
    // A crashed run, or a write that failed, may have left half a line; it must not swallow ours.
    prefix = size > 0 ? "\n" : "";
    return opened;
  };
  let file: Deno.FsFile | null = await open();
  const close = () => {
    file?.close();
    file = null;
  };
  const write = async (line: string) => {
    // A file that was removed takes lines that nobody can read.
    if (file !== null && (await file.stat()).nlink === 0) close();
    file ??= await open();
    const length = encoder.encode(line).length;
    if (size + length > maxBytes) {
      close();
      await Deno.rename(path, `${path}.1`);
      file = await open();
    }
    const bytes = encoder.encode(prefix + line);
    for (let sent = 0; sent < bytes.length;) sent += await file.write(bytes.subarray(sent));
    prefix = "";
    size += length;
  };
  const flush = async () => {
    try {
      for (let line = waiting[0]; line !== undefined; line = waiting[0]) {
        await write(line);
        // Meanwhile it may have had to make room.
        if (waiting[0] === line) waiting.shift();
      }
      if (problem !== null) log?.notice(`Events are kept in "${path}" again`);
      problem = null;
    } catch (error) {
      close();
      const why = error instanceof Error ? error.message.replace(/ \(os error \d+\).*$/, "") : String(error);
      const before = problem;
      problem =
        `Events are lost at a restart: they cannot be kept in "${path}" (${why}); see to that directory, it is ` +
        "tried again with the next event";
      if (problem !== before) log?.error(problem);
    }
  };
  return {
    problem: () => problem,
    append(line: string) {
      waiting.push(line);
      if (waiting.length > capacity) waiting.shift();
      writing = writing.then(flush);
    },
    async close() {
      await writing;
      close();
    },
  };
}
