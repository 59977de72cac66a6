/**
 * The listening sockets of the proxy process, one for each address and thread. They belong to the main isolate: a thread
 * that dies takes none with it, and a reload keeps those whose address stays.
 */
import { libc } from "../os/libc.ts";
import { isPortTaken, listenOn } from "../os/tcp_socket.ts";
import { listenOnUnix, shareSocket } from "../os/unix_listener.ts";
import type { ListenerOptions } from "./listening.ts";
import type { BindOptions, FrontendOptions, ListenerStatus } from "./protocol.ts";

interface Place {
  readonly frontend: string;
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

  /** Makes the listeners of `frontends` the wanted set for the threads numbered `threads`. */
  apply(frontends: readonly FrontendOptions[], threads: readonly number[]): void {
    const wanted = new Map<string, { frontend: string; bind: BindOptions }>();
    for (const { name, binds } of frontends) {
      for (const bind of binds) wanted.set(`${bind.address} ${bind.port}`, { frontend: name, bind });
    }
    for (const [key, place] of this.#places) {
      if (wanted.get(key)?.frontend === place.frontend) continue;
      this.#places.delete(key);
      this.#leaving.push(...place.fds.values());
    }
    for (const [key, { frontend, bind }] of wanted) {
      const place = this.#places.get(key);
      // The socket stays; what is said on it may change.
      if (place !== undefined) place.bind = bind;
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
    for (const place of this.#places.values()) changed = openPlace(place, threads) || changed;
    return changed;
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
    return [...this.#places.values()].map(({ frontend, bind, fds, error }) => ({
      frontend,
      address: bind.address.startsWith("unix:")
        ? bind.address
        : bind.address.includes(":")
        ? `[${bind.address}]:${bind.port}`
        : `${bind.address}:${bind.port}`,
      listening: fds.size > 0,
      error,
    }));
  }
}

/** Whether anything changed. One thread that cannot listen here means that none can. */
function openPlace(place: Place, threads: readonly number[]): boolean {
  const { address, port } = place.bind;
  if (address.startsWith("unix:")) return openUnixPlace(place, threads);
  const before = place.error;
  const missing = threads.filter((thread) => !place.fds.has(thread));
  if (missing.length === 0) return false;
  // SO_REUSEPORT would let us share the port with a stranger of the same user, and half of the connections with it.
  place.error = place.fds.size === 0 ? isPortTaken(address, port) : null;
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
