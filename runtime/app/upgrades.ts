/**
 * Upgrades that `forward` was granted (101), on their way to the server that hands the client's connection over. A `Response`
 * cannot be a 101: what the application gets, and may change, is one of the fields, with a mark that its server knows.
 */

/** The field with the mark; it goes no further than the server. */
export const UPGRADED_FIELD = "x-tandem-upgraded";

/** The balancer's side of an upgraded connection. */
export interface Upgraded {
  readonly connection: Deno.Conn;
  /** What came behind the head. */
  readonly first: Uint8Array<ArrayBuffer>;
  /** Of the connection that changes hands: nobody else closes it now. */
  release(): void;
}

export interface Upgrades {
  /** Answers the mark. */
  put(upgraded: Upgraded): string;
  /** Once for each mark. */
  take(mark: string): Upgraded | null;
}

export function createUpgrades(): Upgrades {
  const waiting = new Map<string, Upgraded>();
  return {
    put(upgraded) {
      const mark = crypto.randomUUID();
      waiting.set(mark, upgraded);
      return mark;
    },
    take(mark) {
      const upgraded = waiting.get(mark) ?? null;
      waiting.delete(mark);
      return upgraded;
    },
  };
}
