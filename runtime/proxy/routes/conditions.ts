/** What a route asks of a request beside host and path. What is not configured is not looked at. */
import { type Cidr, contains, parseCidr } from "../../bytes/address.ts";
import { bytesOf, method as methods, type RequestHead } from "../../http/mod.ts";
import type { MatchOptions, NamedValues } from "./options.ts";
import type { RequestFacts } from "./request_facts.ts";

interface FieldCondition {
  readonly name: Uint8Array;
  readonly values: readonly string[];
}

export interface Conditions {
  /** Bits by constants of method.ts; 0 = all of those. */
  readonly known: number;
  /** Methods without a constant. */
  readonly other: readonly string[];
  readonly anyMethod: boolean;
  readonly headers: readonly FieldCondition[];
  readonly query: readonly NamedValues[];
  readonly clients: readonly Cidr[];
}

export function compileConditions(match: MatchOptions): Conditions {
  let known = 0;
  const other: string[] = [];
  for (const text of match.methods) {
    const bytes = bytesOf(text);
    const method = methods.methodOf(bytes, 0, bytes.length);
    if (method === methods.OTHER_METHOD) other.push(text);
    else known |= 1 << method;
  }
  return {
    known,
    other,
    anyMethod: match.methods.length === 0,
    headers: match.headers.map(({ name, values }) => ({ name: bytesOf(name.toLowerCase()), values })),
    query: match.query,
    clients: match.clients.map(parseCidr),
  };
}

export function meets(conditions: Conditions, facts: RequestFacts): boolean {
  const { head } = facts;
  if (head === null) return false;
  if (!conditions.anyMethod && !meetsMethod(conditions, head)) return false;
  const { headers, query, clients } = conditions;
  for (let i = 0; i < headers.length; i++) if (!meetsField(headers[i], head)) return false;
  for (let i = 0; i < query.length; i++) {
    const values = facts.query.getAll(query[i].name);
    const wanted = query[i].values;
    if (values.length === 0 || (wanted.length > 0 && !values.some((value) => wanted.includes(value)))) return false;
  }
  return clients.length === 0 || isAmong(clients, facts);
}

/** Whether the client lies in one of the networks. */
export function isAmong(networks: readonly Cidr[], facts: RequestFacts): boolean {
  const { client } = facts;
  if (client === null) return false;
  for (let i = 0; i < networks.length; i++) if (contains(networks[i], client)) return true;
  return false;
}

function meetsMethod({ known, other }: Conditions, head: RequestHead): boolean {
  if (head.method !== methods.OTHER_METHOD) return (known & (1 << head.method)) !== 0;
  return other.length > 0 && other.includes(head.methodText());
}

/** Whether one line of the field has one of the values, to the letter. */
function meetsField({ name, values }: FieldCondition, head: RequestHead): boolean {
  for (let i = head.find(name); i >= 0; i = head.find(name, i + 1)) {
    if (values.length === 0 || values.includes(head.text(i))) return true;
  }
  return false;
}
