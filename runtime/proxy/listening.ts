/** A listening socket of one frontend in one thread: accepts while there is room, waits a moment where there is none. */
import type { Acceptor } from "../os/io.ts";
import type { Engine } from "./engine.ts";
import type { Frontend } from "./frontend.ts";
import { Timed } from "./timer_wheel.ts";

/** How long to wait after the system had no descriptor or memory left, ms. */
const RELIEF = 100;

/** A listening socket as main opened it for a thread. */
export interface ListenerOptions {
  readonly fd: number;
  readonly frontend: string;
  readonly address: string;
  /** Every connection begins with a PROXY header. */
  readonly proxyProtocol: boolean;
}

export class Listening extends Timed implements Acceptor {
  #accepting = false;
  readonly #localAddress: string | null;

  constructor(readonly engine: Engine, readonly frontend: Frontend, public options: ListenerOptions) {
    super();
    const wildcard = options.address === "0.0.0.0" || options.address === "::";
    this.#localAddress = wildcard ? null : options.address;
  }

  /** Accepts if the frontend has room; called again whenever a connection of it ended. */
  open(): void {
    if (this.#accepting || this.deadline !== Infinity || !this.engine.hasRoom(this.frontend)) return;
    this.#accepting = true;
    this.engine.io.accept(this.options.fd, this);
  }

  /** Leaves the socket to its owner. */
  close(): void {
    this.engine.wheel.disarm(this);
    this.engine.io.forget(this.options.fd);
  }

  accepted(fd: number): void {
    this.engine.accepted(this.frontend, fd, this.#localAddress, this.options.proxyProtocol);
    if (this.engine.hasRoom(this.frontend)) return;
    // The rest waits in the kernel's queue, where a client sees nothing worse than a delay.
    this.#accepting = false;
    this.engine.io.pause(this.options.fd);
  }

  refused(_errno: number): void {
    this.#accepting = false;
    this.engine.wheel.arm(this, this.engine.now + RELIEF);
  }

  expired(): void {
    this.open();
  }
}
