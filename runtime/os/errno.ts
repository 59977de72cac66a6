/** Errors of the operating system, by their POSIX names. */
import { libc } from "./libc.ts";

/** Linux errno numbers that Tandem names in decisions and messages (asm-generic/errno.h; equal on x86-64 and arm64). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  EPIPE: 32,
  ENOSYS: 38,
  ETIME: 62,
  EPROTOTYPE: 91,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
  ECANCELED: 125,
  EOPNOTSUPP: 95,
} as const;

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** `ECONNREFUSED` for 111; `errno 200` for a number without a name here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

let location: Int32Array | undefined;

/** errno of the last call on this thread. Read it at once after a synchronous call. */
export function errno(): number {
  location ??= new Int32Array(Deno.UnsafePointerView.getArrayBuffer(libc().__errno_location()!, 4));
  return location[0];
}

/** A system call that failed: which one, on what, with which errno. */
export class OsError extends Error {
  override readonly name = "OsError";
  constructor(
    /** The call, as in its man page: "bind". */
    readonly call: string,
    readonly errno: number,
    /** What could not be done, to what: `Cannot bind raw socket to "ens32"`. */
    action: string,
    options?: ErrorOptions,
  ) {
    super(`${action}: ${call} answered ${errnoName(errno)}`, options);
  }
  /** The errno by name, "EPERM". */
  get code(): string {
    return errnoName(this.errno);
  }
}

/**
 * Passes a non-negative result on.
 *
 * @throws {OsError} when `result` is negative.
 */
export function check(result: number, call: string, action: string): number {
  if (result < 0) throw new OsError(call, errno(), action);
  return result;
}
