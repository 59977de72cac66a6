/** The weights a policy starts from. */
import type { PolicyServer } from "../contract.ts";

/** Every server's weight by name; backup servers only where no other has one. */
export function weightsOf(servers: readonly PolicyServer[]): Readonly<Record<string, number>> {
  const regular = servers.some(({ backup, weight }) => !backup && weight > 0);
  return Object.fromEntries(servers.map(({ name, backup, weight }) => [name, backup === regular ? 0 : weight]));
}

/** How long a plan holds without a new one: for ever, nearly. It depends on nothing that changes without a new plan. */
export const lasting = 24 * 3_600_000;
