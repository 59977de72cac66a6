/** Listeners of an io_uring: one request answers for every connection, until it is paused or the kernel ends it. */
import { Errno } from "./errno.ts";
import type { Acceptor } from "./io.ts";
import { libc } from "./libc.ts";
import { setBlocking } from "./socket_options.ts";
import { CQE_MORE } from "./uring_abi.ts";
import type { UringRequests } from "./uring_requests.ts";
import { ARMED, CANCELLING, type UringTable, WANTED } from "./uring_table.ts";

export class UringListeners {
  readonly #requests: UringRequests;
  readonly #state: Uint8Array;
  readonly #generation: Int32Array;
  readonly #acceptors = new Map<number, Acceptor>();
  /** Of forgotten listeners, whose request has not ended yet. */
  readonly #leaving: { readonly fd: number; readonly generation: number; readonly acceptor: Acceptor }[] = [];

  constructor(requests: UringRequests, table: UringTable) {
    this.#requests = requests;
    this.#state = table.state;
    this.#generation = table.generation;
  }

  accept(fd: number, acceptor: Acceptor): void {
    // A non-blocking socket would make io_uring answer EAGAIN instead of waiting.
    setBlocking(fd, true);
    this.#acceptors.set(fd, acceptor);
    if ((this.#state[fd] & ARMED) === 0) this.#arm(fd);
    else this.#state[fd] |= WANTED;
  }

  pause(fd: number): void {
    const state = this.#state[fd] & ~WANTED;
    this.#state[fd] = state;
    if ((state & (ARMED | CANCELLING)) !== ARMED) return;
    this.#state[fd] = state | CANCELLING;
    this.#requests.cancelAccept(fd);
  }

  forget(fd: number): void {
    this.pause(fd);
    const acceptor = this.#acceptors.get(fd);
    if (acceptor !== undefined && (this.#state[fd] & ARMED) !== 0) {
      this.#leaving.push({ fd, generation: this.#generation[fd], acceptor });
    }
    this.#acceptors.delete(fd);
    this.#generation[fd]++;
    this.#state[fd] = 0;
  }

  /** Whether requests of forgotten listeners have not ended yet. */
  get leaving(): boolean {
    return this.#leaving.length > 0;
  }

  accepted(fd: number, generation: number, result: number, flags: number): void {
    const acceptor = this.#acceptors.get(fd);
    const last = (flags & CQE_MORE) === 0;
    if (generation !== this.#generation[fd] || acceptor === undefined) {
      return this.#acceptedLate(fd, generation, result, last);
    }
    if (last) this.#state[fd] &= ~(ARMED | CANCELLING);
    if (result >= 0) acceptor.accepted(result);
    if (!last || (this.#state[fd] & (ARMED | WANTED)) !== WANTED) return;
    // An aborted connection or a full completion queue ends the request; want of descriptors must not spin.
    if (result < 0 && result !== -Errno.ECONNABORTED && result !== -Errno.ECANCELED) {
      this.#state[fd] &= ~WANTED;
      acceptor.refused(-result);
    } else this.#arm(fd);
  }

  /** The kernel had accepted it already when its listener was forgotten. */
  #acceptedLate(fd: number, generation: number, result: number, last: boolean): void {
    const index = this.#leaving.findIndex((each) => each.fd === fd && each.generation === generation);
    if (result >= 0) {
      if (index < 0) libc().close(result);
      else this.#leaving[index].acceptor.accepted(result);
    }
    if (last && index >= 0) this.#leaving.splice(index, 1);
  }

  /** The request was no longer to be found: its last completion is on its way, or `pause` will ask again. */
  notCancelled(fd: number, generation: number): void {
    if (generation === this.#generation[fd]) this.#state[fd] &= ~CANCELLING;
  }

  #arm(fd: number): void {
    this.#state[fd] = ARMED | WANTED;
    this.#requests.accept(fd);
  }
}
