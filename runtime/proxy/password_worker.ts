/** The password thread as the main isolate holds it: started when the first password is to be compared. */
import type { Compared, Comparison } from "./password_thread.ts";

export class PasswordWorker {
  #worker: Worker | null = null;
  readonly #waiting = new Map<string, (matches: boolean | null) => void>();
  /** The thread listens to its port once it has loaded its modules, so until its first answer it is told one question. */
  #ready = false;
  readonly #held: Comparison[] = [];

  /** `done` is called with null where the thread failed. */
  compare(comparison: Comparison, done: (matches: boolean | null) => void): void {
    this.#waiting.set(comparison.id, done);
    if (this.#worker !== null && !this.#ready) this.#held.push(comparison);
    else (this.#worker ??= this.#start()).postMessage(comparison);
  }

  #start(): Worker {
    const worker = new Worker(Deno.mainModule, { type: "module", name: "passwords" });
    worker.onmessage = ({ data }: MessageEvent<Compared>) => {
      this.#ready = true;
      for (const comparison of this.#held.splice(0)) worker.postMessage(comparison);
      this.#answer(data.id, data.matches);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.#worker = null;
      this.#ready = false;
      this.#held.length = 0;
      for (const id of [...this.#waiting.keys()]) this.#answer(id, null);
    };
    return worker;
  }

  #answer(id: string, matches: boolean | null): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(matches);
  }
}
