/**
 * Sockets by completion: what an engine loop asks of the kernel, and what it hears back in `report`. Two implementations:
 * io_uring (`uring_io.ts`) and epoll (`epoll_io.ts`); code above cannot tell them apart.
 *
 * Rules that hold for both:
 * - Nothing is reported from within a call; only `report` calls endpoints, on the thread that opened the Io.
 * - Received bytes lie in a region of the arena. It belongs to the endpoint that heard of it, until `give`.
 * - A region in `send` belongs to the Io until `sent`; a `close` in between leaves it to the Io, which gives it back.
 * - After `close` an endpoint hears nothing more, even if the number of its descriptor is in use again.
 */
import type { Arena } from "./arena.ts";

/** One connected (or connecting) socket. */
export interface Endpoint {
  /** Bytes `[start, start + length)` of the arena arrived in `region`. */
  received(region: number, start: number, length: number): void;
  /** Nothing more will arrive: 0 = the peer ended its stream, else errno. */
  ended(errno: number): void;
  /** 0 = connected, else errno. */
  connected(errno: number): void;
  /** A part of a send was taken; the rest is on its way. */
  progressed(): void;
  /** The whole of a send was taken (0) or never will be (errno). */
  sent(errno: number): void;
}

/** One listening socket. */
export interface Acceptor {
  /** A new connection; its descriptor belongs to the acceptor. May still come after `pause`. */
  accepted(fd: number): void;
  /** Accepting stopped (EMFILE, ENFILE, ENOMEM): `accept` again when there is room. */
  refused(errno: number): void;
}

export interface Io extends Disposable {
  readonly name: "io_uring" | "epoll";
  /** Why this one, for `status`. */
  readonly reason: string;
  readonly arena: Arena;
  /** Regions of the arena that wait in the kernel for what arrives next. */
  readonly offered: number;
  /** Flags a socket needs for this Io in `socket(2)`. */
  readonly socketFlags: number;

  /** Accepts until `pause` or `forget`. The listening socket is not closed by this Io. */
  accept(fd: number, acceptor: Acceptor): void;
  /** Stops accepting until `accept`; what is under way may still be reported. */
  pause(fd: number): void;
  /** Stops accepting for good, without closing the socket. */
  forget(fd: number): void;
  /** Whether connections may still be reported that came before their listener was forgotten. */
  readonly accepting: boolean;
  /** Calls `woken` whenever the eventfd is written. */
  watch(fd: number, woken: () => void): void;

  /** Makes `endpoint` hear of socket `fd`, which this Io will close. */
  open(fd: number, endpoint: Endpoint): void;
  /** Connects to the socket address at `[start, start + length)` of the arena, which must outlive the next `wait`. */
  connect(fd: number, start: number, length: number): void;
  /** Receives until `hold`: little by little in small regions, a stream that fills those in large ones. */
  receive(fd: number): void;
  /** Stops receiving; what is under way, some pieces at most, may still come. */
  hold(fd: number): void;
  /** Sends `[start, start + length)`; one send a socket at a time. `region` is what to give back if the socket is closed. */
  send(fd: number, start: number, length: number, region: number): void;
  /** Ends our stream (FIN), after `sent`; the other direction stays. */
  finish(fd: number): void;
  close(fd: number): void;
  /** Closes with a reset, so that the peer cannot take a cut message for a whole one. */
  abort(fd: number): void;

  /** Gives a region back. */
  give(region: number): void;
  /** Submits what was asked and waits at most `ms` for something to report. */
  wait(ms: number): void;
  /** Reports what there is. After an exception of an endpoint it can be called again for the rest. */
  report(): void;
  /** The endpoint that `report` called last. */
  culprit(): Endpoint | null;
}

export interface IoOptions {
  /** Bytes of address space for the arena; memory is used as needed. @default 192 MiB */
  readonly arena?: number;
  /** Highest descriptor number + 1. @default the limit of this process, at most 1,048,576 */
  readonly descriptors?: number;
  /** Where open descriptors are marked (index = descriptor), so that another thread can close them. */
  readonly owned?: Uint8Array;
}
