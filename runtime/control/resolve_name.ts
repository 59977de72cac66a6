/** Host names to addresses by the system's resolver: /etc/hosts first, then the servers of /etc/resolv.conf. */
import { promises as dns } from "node:dns";

export interface Resolution {
  /** At least one, in the order of the answer; IPv4 where there is any. */
  readonly addresses: readonly string[];
  /** How long the answer holds, ms. */
  readonly ttl: number;
}

/** @throws {Error} in few words why there is no address: "ENOTFOUND". */
export async function resolveName(name: string): Promise<Resolution> {
  try {
    return answer(await dns.resolve4(name, { ttl: true }));
  } catch (cause) {
    try {
      return answer(await dns.resolve6(name, { ttl: true }));
    } catch {
      throw new Error(codeOf(cause), { cause });
    }
  }
}

function answer(records: readonly { readonly address: string; readonly ttl: number }[]): Resolution {
  if (records.length === 0) throw Object.assign(new Error("no address"), { code: "ENODATA" });
  return { addresses: records.map(({ address }) => address), ttl: Math.min(...records.map(({ ttl }) => ttl)) * 1000 };
}

function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : cause instanceof Error ? cause.message : String(cause);
}
