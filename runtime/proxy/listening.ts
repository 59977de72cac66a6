/** A listening socket of one frontend in one thread: accepts while there is room, waits a moment where there is none. */
import type { Acceptor } from "../os/io.ts";
import { stopListening } from "../os/tcp_socket.ts";
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
  #closed = false;
  /** Connections accepted for which there was no room any more. */
  readonly #parked: number[] = [];
  readonly #localAddress: string | null;

  constructor(readonly engine: Engine, public frontend: Frontend, public options: ListenerOptions) {
    super();
    const wildcard = options.address === "0.0.0.0" || options.address === "::";
    this.#localAddress = wildcard ? null : options.address;
  }

  /** Accepts if there is room; called again whenever there may be some. */
  open(): void {
    for (let fd = this.#parked[0]; fd !== undefined && this.#admit(); fd = this.#parked[0]) {
      this.#parked.shift();
      this.#begin(fd);
    }
    if (this.#accepting || this.deadline !== Infinity) return;
    if (this.#parked.length > 0 || !this.#hasRoom()) {
      this.engine.room.wanted = true;
      // The last one may have been closed between our look and our wish.
      if (this.#parked.length > 0 || !this.#hasRoom()) return;
    }
    this.#accepting = true;
    this.engine.io.accept(this.options.fd, this);
  }

  /** Listens no more, and leaves the socket to its owner. Who has come is served. */
  close(): void {
    this.#closed = true;
    const { io } = this.engine;
    this.engine.wheel.disarm(this);
    io.forget(this.options.fd);
    for (const fd of this.#parked.splice(0)) this.accepted(fd);
    // All threads have one socket for a path.
    if (this.options.address.startsWith("unix:")) return;
    for (const fd of stopListening(this.options.fd, io.socketFlags)) this.accepted(fd);
  }

  accepted(fd: number): void {
    if (this.#closed) {
      this.engine.room.enter(this.frontend.slot);
      return this.#begin(fd);
    }
    if (this.#parked.length === 0 && this.#admit()) this.#begin(fd);
    else {
      // Another thread was faster. Closing would be an error to the client; so it waits here, as it would in the queue.
      this.#parked.push(fd);
      this.engine.shared.owned[fd] = 1;
    }
    if (this.#parked.length === 0 && this.#hasRoom()) return;
    // The rest waits in the kernel's queue, where a client sees nothing worse than a delay.
    this.#accepting = false;
    this.engine.io.pause(this.options.fd);
    this.engine.room.wanted = true;
  }

  refused(_errno: number): void {
    this.#accepting = false;
    this.engine.wheel.arm(this, this.engine.now + RELIEF);
  }

  expired(): void {
    this.open();
  }

  #hasRoom(): boolean {
    return this.engine.room.has(this.frontend.slot, this.frontend.options.maxconn);
  }

  #admit(): boolean {
    return this.engine.room.admit(this.frontend.slot, this.frontend.options.maxconn);
  }

  /** Serves a connection that was counted. */
  #begin(fd: number): void {
    this.engine.accepted(this.frontend, fd, this.#localAddress, this.options.proxyProtocol);
  }
}
