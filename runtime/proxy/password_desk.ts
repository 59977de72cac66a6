/**
 * Passwords that a thread has to have compared: it asks the password thread by way of main, and who waits is told. Equal
 * questions are asked once. What waits is bounded, in all and for each client, as every comparison is meant to be dear.
 */
import type { PasswordQuestion } from "./routes/credentials.ts";

const MOST_QUESTIONS = 64;
const MOST_OF_ONE_CLIENT = 4;

interface Asked {
  readonly question: PasswordQuestion;
  readonly waiting: Set<(matches: boolean) => void>;
  readonly client: string;
}

export interface PasswordPorts {
  /** Has a password compared; `answered` is called with the digest sometime. */
  compare(question: PasswordQuestion): void;
  /** Remembers the answer. */
  learn(question: PasswordQuestion, matches: boolean): void;
}

export class PasswordDesk {
  readonly #asked = new Map<string, Asked>();

  constructor(readonly ports: PasswordPorts) {}

  /** Asks for `client`; answers how to stop waiting, or null where too much waits already. */
  ask(question: PasswordQuestion, client: string, done: (matches: boolean) => void): Disposable | null {
    let asked = this.#asked.get(question.digest);
    if (asked === undefined) {
      const ofClient = [...this.#asked.values()].filter((each) => each.client === client).length;
      if (this.#asked.size >= MOST_QUESTIONS || ofClient >= MOST_OF_ONE_CLIENT) return null;
      asked = { question, waiting: new Set(), client };
      this.#asked.set(question.digest, asked);
      this.ports.compare(question);
    }
    const { waiting } = asked;
    waiting.add(done);
    return { [Symbol.dispose]: () => void waiting.delete(done) };
  }

  /** `matches` is null where nobody could compare. */
  answered(digest: string, matches: boolean | null): void {
    const asked = this.#asked.get(digest);
    if (asked === undefined) return;
    this.#asked.delete(digest);
    if (matches !== null) this.ports.learn(asked.question, matches);
    for (const done of asked.waiting) done(matches === true && asked.question.known);
  }
}
