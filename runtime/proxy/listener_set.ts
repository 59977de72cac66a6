/**
 * The listening sockets of the proxy process, one for each address and thread. They belong to the main isolate: a thread
 * that dies takes none with it, and a reload keeps those whose address stays, whichever frontend it is of then.
 */
import { libc } from "../os/libc.ts";
import { isPortTaken, listenOn } from "../os/tcp_socket.ts";
import { listenOnUnix, shareSocket } from "../os/unix_listener.ts";
import type { ListenerOptions } from "./listening.ts";
import type { BindOptions, FrontendOptions, ListenerStatus } from "./protocol.ts";

interface Place {
  frontend: string;
  bind: BindOptions;
  /** Descriptor by thread; a thread without one does not accept here. */
  readonly fds: Map<number, number>;
  error: string | null;
}

export class ListenerSet {
  /** By "address port". */
  readonly #places = new Map<string, Place>();
  /** Sockets that threads may still accept on. */
  #leaving: number[] = [];

  /**
   * Opens the places of `frontends` that are new, beside those that are open. Answers those that cannot be had; then none
   * was opened, and who asked may go on with what there is.
   */
  prepare(frontends: readonly FrontendOptions[], threads: readonly number[]): ListenerStatus[] {
    const opened = [...wantedPlaces(frontends)].filter(([key]) => !this.#places.has(key));
    for (const [, place] of opened) openPlace(place, threads, this.#shares(place));
    const deaf = opened.map(([, place]) => place).filter(({ error }) => error !== null);
    for (const [key, place] of opened) {
      if (deaf.length === 0) this.#places.set(key, place);
      else for (const fd of place.fds.values()) libc().close(fd);
    }
    return deaf.map((place) => statusOf({ ...place, fds: new Map() }));
  }

  /** Makes the listeners of `frontends` the wanted set for the threads numbered `threads`. */
  apply(frontends: readonly FrontendOptions[], threads: readonly number[]): void {
    const wanted = wantedPlaces(frontends);
    for (const [key, place] of this.#places) {
      if (wanted.has(key)) continue;
      this.#places.delete(key);
      this.#leaving.push(...place.fds.values());
    }
    for (const [key, { frontend, bind }] of wanted) {
      const place = this.#places.get(key);
      // The socket stays; whose it is, and what is said on it, may change.
      if (place !== undefined) Object.assign(place, { frontend, bind });
      else this.#places.set(key, { frontend, bind, fds: new Map(), error: null });
    }
    for (const place of this.#places.values()) {
      for (const [thread, fd] of place.fds) {
        if (threads.includes(thread)) continue;
        place.fds.delete(thread);
        this.#leaving.push(fd);
      }
    }
    this.open(threads);
  }

  /** Opens what is not open yet; whether anything changed. */
  open(threads: readonly number[]): boolean {
    let changed = false;
    for (const place of this.#places.values()) changed = openPlace(place, threads, this.#shares(place)) || changed;
    return changed;
  }

  /** Whether we listen on an address that has this one in it, or that this one has: "0.0.0.0:80" and "192.0.2.1:80". */
  #shares({ bind }: Place): boolean {
    return [...this.#places.values()].some(({ bind: other, fds }) =>
      fds.size > 0 && other.port === bind.port && (isWildcard(other.address) || isWildcard(bind.address))
    );
  }

  /** What `thread` accepts on. */
  of(thread: number): ListenerOptions[] {
    const listeners: ListenerOptions[] = [];
    for (const { frontend, bind, fds } of this.#places.values()) {
      const fd = fds.get(thread);
      if (fd !== undefined) {
        listeners.push({ fd, frontend, address: bind.address, proxyProtocol: bind.proxyProtocol ?? false });
      }
    }
    return listeners;
  }

  /** Closes the sockets of a thread that died, so that the kernel gives its connections to the others. */
  abandon(thread: number): void {
    for (const { fds } of this.#places.values()) {
      const fd = fds.get(thread);
      if (fd === undefined) continue;
      fds.delete(thread);
      libc().close(fd);
    }
  }

  /** Closes sockets that are no longer wanted; to be called when no thread accepts on them any more. */
  closeLeaving(): void {
    for (const fd of this.#leaving.splice(0)) libc().close(fd);
  }

  statuses(): ListenerStatus[] {
    return [...this.#places.values()].map(statusOf);
  }
}

/** None of them open yet, by "address port". */
function wantedPlaces(frontends: readonly FrontendOptions[]): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const { name: frontend, binds } of frontends) {
    for (const bind of binds) {
      places.set(`${bind.address} ${bind.port}`, { frontend, bind, fds: new Map(), error: null });
    }
  }
  return places;
}

function statusOf({ frontend, bind, fds, error }: Place): ListenerStatus {
  const { address, port } = bind;
  const text = address.startsWith("unix:")
    ? address
    : address.includes(":")
    ? `[${address}]:${port}`
    : `${address}:${port}`;
  return { frontend, address: text, listening: fds.size > 0, error };
}

function isWildcard(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** Whether anything changed. One thread that cannot listen here means that none can. `shared` with an address of ours. */
function openPlace(place: Place, threads: readonly number[], shared: boolean): boolean {
  const { address, port } = place.bind;
  if (address.startsWith("unix:")) return openUnixPlace(place, threads);
  const before = place.error;
  const missing = threads.filter((thread) => !place.fds.has(thread));
  if (missing.length === 0) return false;
  // SO_REUSEPORT would let us share the port with a stranger of the same user, and half of the connections with it.
  place.error = place.fds.size === 0 && !shared ? isPortTaken(address, port) : null;
  for (const thread of missing) {
    if (place.error !== null) break;
    const listener = listenOn(address, port);
    if ("error" in listener) place.error = listener.error;
    else place.fds.set(thread, listener.fd);
  }
  return place.error !== before || place.error === null;
}

/** As `openPlace`: all threads accept on one socket. */
function openUnixPlace(place: Place, threads: readonly number[]): boolean {
  const before = place.error;
  let changed = false;
  for (const thread of threads) {
    if (place.fds.has(thread)) continue;
    const [any] = place.fds.values();
    const listener = any === undefined ? listenOnUnix(place.bind.address, 0o666) : { fd: shareSocket(any) };
    place.error = "error" in listener ? listener.error : null;
    if ("error" in listener) break;
    place.fds.set(thread, listener.fd);
    changed = true;
  }
  return changed || place.error !== before;
}
