/** Asking somebody else about a request: the password thread, or the forward-auth server. */
import { type AuthOutcome, AuthRequest } from "./auth_request.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Engine } from "./engine.ts";
import type { Errand, HeldRequest } from "./held_request.ts";
import type { Verdict } from "./routing.ts";

export type Outcome = AuthOutcome | { readonly type: "right" } | { readonly type: "wrong" };

/** Asks, and calls `done` once, perhaps at once; disposing of the errand means that nobody wants to know any more. */
export function askFor(
  engine: Engine,
  client: ClientConnection,
  verdict: Extract<Verdict, { readonly type: "verify" | "ask" }>,
  held: HeldRequest,
  done: (outcome: Outcome) => void,
): Errand | null {
  if (verdict.type === "verify") {
    const { question } = verdict;
    const { passwords } = engine.routing;
    const answered = (matches: boolean) => done({ type: matches ? "right" : "wrong" });
    const asked = passwords.ask(question, engine.addressOf(client), answered);
    // Comparing is dear on purpose; who asks for too much of it waits until later.
    if (asked === null) done({ type: "failed", status: 429, why: "too many passwords wait to be compared" });
    return asked === null ? null : { late() {}, [Symbol.dispose]: () => asked[Symbol.dispose]() };
  }
  const options = verdict.route.options?.forwardAuth ?? null;
  if (options === null) throw new TypeError("Cannot ask about a request: its route has no forward_auth");
  return new AuthRequest(engine, options, client, held.head(client.frontend.limits), done);
}
