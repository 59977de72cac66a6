/** What the routes of all frontends share in one thread. */
import { randomBytes } from "node:crypto";
import type { Backend } from "./backend.ts";
import { PasswordDesk } from "./password_desk.ts";
import { CredentialCache } from "./routes/credentials.ts";
import { RateTable } from "./routes/rate_table.ts";
import { RequestFacts } from "./routes/request_facts.ts";

export interface RoutingStatePorts {
  /** Has a password compared by the password thread. */
  compare(id: string, password: string, hash: string): void;
  /** Monotonic ms. */
  now(): number;
}

export class RoutingState {
  readonly rates: RateTable;
  readonly credentials = new CredentialCache();
  readonly passwords: PasswordDesk;
  readonly facts: RequestFacts;
  /** Virtual addresses this node holds. */
  held: ReadonlySet<string> = new Set();
  /** By name. */
  backends: ReadonlyMap<string, Backend> = new Map();
  #requests = 0;

  constructor(rates: SharedArrayBuffer, ports: RoutingStatePorts) {
    this.rates = new RateTable(rates);
    // Unlike any other thread's, so that ids are told apart by what they begin with.
    const prefix = randomBytes(8).toString("hex");
    this.facts = new RequestFacts(() => `${prefix}-${(++this.#requests).toString(16).padStart(8, "0")}`);
    this.passwords = new PasswordDesk({
      compare: ({ digest, password, hash }) => ports.compare(digest, password, hash),
      learn: (question, matches) => this.credentials.learn(question, matches, ports.now()),
    });
  }
}
