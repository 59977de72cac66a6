/**
 * Sets an io_uring up with the most this kernel has: each flag is asked for and given up on its own, so that one missing
 * feature costs only itself. What cannot be given up is refused with a sentence that goes to `status`.
 */
import { Errno, errno, errnoName } from "./errno.ts";
import { libc } from "./libc.ts";
import {
  FEAT_CQE_SKIP,
  FEAT_EXT_ARG,
  FEAT_NODROP,
  FEAT_SINGLE_MMAP,
  SETUP_COOP_TASKRUN,
  SETUP_CQSIZE,
  SETUP_DEFER_TASKRUN,
  SETUP_NO_SQARRAY,
  SETUP_SINGLE_ISSUER,
  SETUP_SUBMIT_ALL,
} from "./uring_abi.ts";

export interface RingParameters {
  readonly fd: number;
  readonly flags: number;
  readonly sqEntries: number;
  readonly cqEntries: number;
  /** Byte offsets in the mapped ring. */
  readonly sq: { readonly head: number; readonly tail: number; readonly flags: number; readonly array: number };
  readonly cq: { readonly head: number; readonly tail: number; readonly cqes: number };
  /** What this kernel lacks of what we would use, by name. */
  readonly lacking: readonly string[];
}

export type UringSetup = RingParameters | { readonly refused: string };

/** Submissions between two system calls; more are submitted early. */
const SQ_ENTRIES = 2048;
/** Multishot requests complete without a submission, so this is larger; an overflow is kept by the kernel (NODROP). */
const CQ_ENTRIES = 16384;

const required: readonly (readonly [number, string])[] = [
  [FEAT_SINGLE_MMAP, "one mapping for both queues (Linux 5.4)"],
  [FEAT_NODROP, "completions that are never dropped (Linux 5.5)"],
  [FEAT_EXT_ARG, "a time-out in io_uring_enter (Linux 5.11)"],
  [FEAT_CQE_SKIP, "submissions without completion (Linux 5.17)"],
];

/** From the newest on: what is given up first on EINVAL. */
const optional: readonly (readonly [number, string])[] = [
  [SETUP_NO_SQARRAY, "NO_SQARRAY"], // Linux 6.6
  [SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"], // Linux 6.1
];

/**
 * Opens a ring for the calling thread, which must be the only one to submit to it. `without`: optional flags that are not
 * asked for, to be as on a kernel that lacks them.
 */
export function setUpRing(without = 0): UringSetup {
  const parameters = new Uint8Array(120);
  const view = new DataView(parameters.buffer);
  let flags = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER;
  const lacking: string[] = [];
  for (const [flag, name] of optional) {
    if ((without & flag) === 0) flags |= flag;
    else lacking.push(name);
  }
  if ((without & SETUP_DEFER_TASKRUN) !== 0) flags |= SETUP_COOP_TASKRUN;
  for (let given = 0;;) {
    parameters.fill(0);
    view.setUint32(4, CQ_ENTRIES, true);
    view.setUint32(8, flags, true);
    const fd = libc().io_uring_setup(425, SQ_ENTRIES, parameters);
    if (fd >= 0) return accept(fd, flags, view, lacking);
    const cause = errno();
    if (cause !== Errno.EINVAL || given === optional.length) return { refused: refusal(cause) };
    const [flag, name] = optional[given++];
    if ((flags & flag) === 0) continue;
    flags &= ~flag;
    // The older way to the same end: completions are not posted by interrupting us.
    if (flag === SETUP_DEFER_TASKRUN) flags |= SETUP_COOP_TASKRUN;
    lacking.push(name);
  }
}

function accept(fd: number, flags: number, view: DataView, lacking: readonly string[]): UringSetup {
  const word = (offset: number) => view.getUint32(offset, true);
  const features = word(20);
  for (const [feature, text] of required) {
    if ((features & feature) !== 0) continue;
    libc().close(fd);
    return { refused: `this kernel's io_uring lacks ${text}` };
  }
  return {
    fd,
    flags,
    sqEntries: word(0),
    cqEntries: word(4),
    sq: { head: word(40), tail: word(44), flags: word(56), array: word(64) },
    cq: { head: word(80), tail: word(84), cqes: word(100) },
    lacking,
  };
}

function refusal(cause: number): string {
  switch (cause) {
    case Errno.ENOSYS:
      return "this kernel has no io_uring";
    case Errno.EPERM:
      return "io_uring is forbidden here (kernel.io_uring_disabled or a seccomp filter)";
    case Errno.EINVAL:
      // SINGLE_ISSUER came after the buffer rings and multishot accept (5.19), which we cannot do without.
      return "this kernel's io_uring lacks SINGLE_ISSUER (Linux 6.0)";
    default:
      return `io_uring_setup answered ${errnoName(cause)}`;
  }
}
