/**
 * A plugin's memory on this node: keys and values in one file, of no more bytes than were granted. Written whole, beside its
 * place and then renamed, so that a crash leaves the old or the new.
 */

export interface PluginStore {
  get(key: string): string | null;
  /** null removes. @throws {RangeError} when the grant would be exceeded */
  set(key: string, value: string | null): Promise<void>;
}

const MOST_KEYS = 10_000;
const encoder = new TextEncoder();

/**
 * Opens the store in `path`, which need not exist. A file that cannot be read as one begins empty: what a plugin remembers is
 * never worth a plugin that does not start.
 *
 * @param bytes granted, for keys and values together
 */
export function openStore(path: string, bytes: number): PluginStore {
  const entries = load(path);
  let used = [...entries].reduce((sum, [key, value]) => sum + size(key, value), 0);
  let writing: Promise<void> = Promise.resolve();
  let dirty = false;
  const write = async () => {
    dirty = false;
    const draft = `${path}.new`;
    await Deno.writeTextFile(draft, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
    await Deno.rename(draft, path);
  };
  return {
    get: (key) => entries.get(key) ?? null,
    async set(key, value) {
      const before = entries.get(key);
      const next = used - (before === undefined ? 0 : size(key, before)) + (value === null ? 0 : size(key, value));
      if (value !== null && next > bytes) {
        throw new RangeError(`The store is full: ${next} bytes wanted, ${bytes} granted`);
      }
      if (value !== null && before === undefined && entries.size >= MOST_KEYS) {
        throw new RangeError(`The store is full: it holds ${MOST_KEYS} keys`);
      }
      if (value === null) entries.delete(key);
      else entries.set(key, value);
      used = next;
      // One write for all that was set while the last one was under way.
      if (!dirty) {
        dirty = true;
        writing = writing.catch(() => {}).then(write);
      }
      await writing;
    },
  };
}

function size(key: string, value: string): number {
  return encoder.encode(key).length + encoder.encode(value).length;
}

function load(path: string): Map<string, string> {
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(path));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
    return new Map(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch {
    return new Map();
  }
}
