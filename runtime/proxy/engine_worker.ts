/** An engine thread as the main isolate holds it: its Worker, its port, its eventfd, and what is closed when it dies. */
import { closeOwned } from "../os/descriptors.ts";
import { check } from "../os/errno.ts";
import { libc } from "../os/libc.ts";
import { type SharedBuffers, SharedState } from "./shared_state.ts";
import type { ThreadCommand, ThreadReport, ThreadStart } from "./thread_protocol.ts";

const EFD_CLOEXEC = 0x80000;

export interface EngineWorkerOptions {
  readonly thread: number;
  readonly shared: SharedBuffers;
  /** Bytes of address space for buffers. */
  readonly arena: number;
  reported(report: Exclude<ThreadReport, { readonly type: "failed" }>): void;
  /** It serves no more; `text` says why. Its connections are closed already. */
  died(text: string): void;
}

export class EngineWorker {
  readonly state: SharedState;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #wake: number;
  #dead = false;

  constructor(readonly options: EngineWorkerOptions) {
    const { thread, shared, arena } = options;
    this.state = new SharedState(shared, thread);
    // Kept for the life of the process: others write to it, who must not meet a descriptor that became somebody's.
    this.#wake = this.state.wakeOf(thread) ||
      check(libc().eventfd(0, EFD_CLOEXEC), "eventfd", "Cannot make an eventfd");
    this.state.wake = this.#wake;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(Deno.mainModule, { type: "module", name: "engine" });
    this.#worker.onmessage = ({ data }: MessageEvent<ThreadReport>) => this.#heard(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#died(event.message);
    };
    const start: ThreadStart = { thread, shared, wake: this.#wake, arena, port: port2 };
    this.#worker.postMessage(start, [port2]);
    this.state.alive = true;
  }

  send(command: ThreadCommand): void {
    if (this.#dead) return;
    this.#port.postMessage(command);
    this.wake();
  }

  /** Makes the thread take a turn now. */
  wake(): void {
    if (!this.#dead) libc().write(this.#wake, one, 8n);
  }

  #heard(report: ThreadReport): void {
    if (this.#dead) return;
    if (report.type === "failed") return this.#died(report.text);
    if (report.type === "exited") this.#bury();
    this.options.reported(report);
  }

  #died(text: string): void {
    if (this.#dead) return;
    this.#bury();
    this.options.died(text);
  }

  #bury(): void {
    this.#dead = true;
    this.state.alive = false;
    this.#worker.terminate();
    this.#port.close();
    closeOwned(this.state.owned);
    this.state.forgetConnections();
  }
}

const one = new Uint8Array(new BigUint64Array([1n]).buffer);
