/** What two routers must have in common to keep connections: listed, or, where that is long, as a digest. Pure. */
import { createHash } from "node:crypto";

/** Addresses and the TCP ports served on them. */
export interface Served {
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

/** The same for the same addresses and ports, in whatever order. */
export function digestOf({ addresses, ports }: Served): string {
  const text = JSON.stringify([addresses.toSorted(), ports.toSorted((a, b) => a - b)]);
  return createHash("sha256").update(text).digest("hex");
}

/** What of `own` the other one serves too; null = nothing, or it cannot be said: a digest is of all or nothing. */
export function servedByBoth(own: Served, other: Served & { readonly digest?: string }): Served | null {
  if (other.digest !== undefined) return other.digest === digestOf(own) ? own : null;
  const addresses = own.addresses.filter((address) => other.addresses.includes(address));
  const ports = own.ports.filter((port) => other.ports.includes(port));
  return addresses.length === 0 || ports.length === 0 ? null : { addresses, ports };
}
