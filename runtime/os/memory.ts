/**
 * Memory that the kernel and JavaScript share: mapped below 2 GiB, so that an address is one 32-bit word in a
 * submission queue entry and a `u32` in a foreign call, and seen by typed arrays. Pages are committed when touched.
 */
import { libc } from "./libc.ts";
import { Errno, errno, OsError } from "./errno.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MAP_FIXED_NOREPLACE = 0x100000;

const LOWEST = 0x1000_0000;
const HIGHEST = 0x7f00_0000;
const STEP = 0x0100_0000;

export interface Mapping extends Disposable {
  /** Below 2 GiB for `mapLow`; any for `mapQueue`. */
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/**
 * Maps `length` bytes of zeroed, private memory below 2 GiB. MAP_32BIT would do the same on x86-64 only, and in its
 * middle only; so free ranges are searched. Safe beside other threads: the kernel refuses a range in use.
 *
 * @throws {OsError} when no range of this length is free.
 */
export function mapLow(length: number): Mapping {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  let cause: number = Errno.ENOMEM;
  for (let hint = LOWEST; hint + length <= HIGHEST; hint += STEP) {
    const pointer = libc().mmap(BigInt(hint), BigInt(length), PROT_READ_WRITE, flags, -1, 0n);
    const address = Deno.UnsafePointer.value(pointer);
    if (address === BigInt(hint)) return mapping(pointer, Number(address), length);
    if (isFailure(address)) {
      cause = errno();
      if (cause !== Errno.EEXIST) break;
    } else {
      // Kernels before 4.17 take the address as a hint only.
      libc().munmap(address, BigInt(length));
    }
  }
  throw new OsError("mmap", cause, `Cannot map ${length} bytes below 2 GiB`);
}

/**
 * Maps a queue that the kernel keeps behind descriptor `fd`, `offset` naming which.
 *
 * @throws {OsError} when the kernel refuses.
 */
export function mapQueue(fd: number, offset: bigint, length: number): Mapping {
  const pointer = libc().mmap(0n, BigInt(length), PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  const address = Deno.UnsafePointer.value(pointer);
  if (isFailure(address)) throw new OsError("mmap", errno(), "Cannot map the io_uring queues");
  return mapping(pointer, Number(address), length);
}

function isFailure(address: bigint): boolean {
  return BigInt.asIntN(64, address) === -1n || address === 0n;
}

function mapping(pointer: Deno.PointerValue, address: number, length: number): Mapping {
  if (pointer === null) throw new OsError("mmap", Errno.ENOMEM, `Cannot map ${length} bytes`);
  const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, length);
  let mapped = true;
  return {
    address,
    buffer,
    [Symbol.dispose]() {
      // The caller has no view in use any more: a later access through one would be a fault, not an exception.
      if (mapped) libc().munmap(BigInt(address), BigInt(length));
      mapped = false;
    },
  };
}
