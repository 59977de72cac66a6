/** Which Io: io_uring where the kernel has what we need, epoll elsewhere; TANDEM_IO forces one. */
import { EpollIo } from "./epoll_io.ts";
import type { Io, IoOptions } from "./io.ts";
import { UringIo } from "./uring_io.ts";
import { setUpRing, type UringSetup } from "./uring_setup.ts";

/**
 * Opens the best Io of this machine, or the one that `wanted` ("uring" | "epoll") forces.
 *
 * @throws {OsError} when io_uring is forced and refused, or memory cannot be had.
 */
export function openIo(options: IoOptions = {}, wanted: string | undefined = Deno.env.get("TANDEM_IO")): Io {
  switch (wanted) {
    case "epoll":
      return new EpollIo(options, "TANDEM_IO=epoll");
    case "uring":
    case "io_uring":
      return openUring(options, setUpRing(), "TANDEM_IO=uring");
    case undefined:
    case "":
    case "auto":
      return openBest(options);
    default:
      throw new RangeError(`Cannot open "${wanted}" I/O: TANDEM_IO must be uring or epoll`);
  }
}

/** Which Io `openIo` would open on this machine, and why, without keeping it. */
export function bestIo(wanted: string | undefined = Deno.env.get("TANDEM_IO")): { name: Io["name"]; reason: string } {
  using io = openIo({ arena: 1 << 20, descriptors: 1024 }, wanted);
  return { name: io.name, reason: io.reason };
}

function openBest(options: IoOptions): Io {
  const setup = setUpRing();
  if ("refused" in setup) return new EpollIo(options, setup.refused);
  return openUring(options, setup, "best of this kernel");
}

function openUring(options: IoOptions, setup: UringSetup, why: string): Io {
  if ("refused" in setup) throw new Error(`Cannot use io_uring: ${setup.refused}`);
  const lacking = setup.lacking.length > 0 ? `, without ${setup.lacking.join(", ")}` : "";
  return new UringIo(options, setup, `${why}${lacking}`);
}
