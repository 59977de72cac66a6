/**
 * seccomp: a classic BPF program in the kernel answers system calls before they happen (seccomp(2)).
 *
 * `seccompProgram()` is pure: rules in, instructions out. `installSeccomp()` gives the program to the kernel for good.
 */
import { check } from "./errno.ts";
import { libc } from "./libc.ts";

export type Architecture = "x86_64" | "aarch64";

/** Numbers of one call; null where the architecture does not have it. */
export type CallNumbers = Readonly<Record<Architecture, number | null>>;

/** What one argument must be for the call to pass. Compared by its low 32 bits: all the kernel looks at for pids, flags, families. */
export interface ArgumentTest {
  readonly index: 0 | 1 | 2 | 3 | 4 | 5;
  /** Applied before the comparison. @default all bits */
  readonly mask?: number;
  /** `allow`: only these values pass. `deny`: only these are refused. */
  readonly values: { readonly allow: readonly number[] } | { readonly deny: readonly number[] };
}

/** One call that is refused: always, or when one of its arguments fails its test. */
export interface CallRule {
  readonly call: string;
  /** What the caller reads in errno: EPERM by default, ENOSYS where libraries have a fallback for it. */
  readonly answer?: "EPERM" | "ENOSYS";
  /** None: the call is refused always. */
  readonly arguments?: readonly ArgumentTest[];
}

/** `struct sock_filter`: code, jump if true, jump if false, constant. */
export type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, constant: number];

const LOAD_WORD = 0x20, AND = 0x54, JUMP_EQUAL = 0x15, JUMP_AT_LEAST = 0x35, RETURN = 0x06;
const KILL_PROCESS = 0x8000_0000, ERRNO = 0x0005_0000, ALLOW = 0x7fff_0000;
const EPERM = 1, ENOSYS = 38;
// struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }
const NUMBER = 0, ARCHITECTURE = 4, ARGUMENTS = 16;
const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 };
/** Calls of the x32 ABI carry this bit and the x86-64 architecture: without a rule they would pass every comparison. */
const X32_BIT = 0x4000_0000;
const PROGRAM_LIMIT = 4096;

/**
 * The filter of `rules`: a foreign architecture (32-bit calls) kills the process, x32 answers ENOSYS, all else is allowed.
 * A rule for a call that the architecture does not have is left out.
 *
 * @throws {RangeError} when a call has no number in `numbers`, or the program is too long for the kernel.
 */
export function seccompProgram(
  rules: readonly CallRule[],
  numbers: Readonly<Record<string, CallNumbers>>,
  architecture: Architecture,
): Instruction[] {
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
  ];
  if (architecture === "x86_64") {
    program.push([JUMP_AT_LEAST, 0, 1, X32_BIT], [RETURN, 0, 0, ERRNO | ENOSYS]);
  }
  for (const rule of rules) {
    const entry = numbers[rule.call];
    if (!entry) throw new RangeError(`Cannot refuse the call "${rule.call}": no number is known for it`);
    const number = entry[architecture];
    if (number === null) continue;
    const body = ruleBody(rule);
    program.push([JUMP_EQUAL, 0, body.length, number], ...body);
  }
  program.push([RETURN, 0, 0, ALLOW]);
  if (program.length > PROGRAM_LIMIT) {
    throw new RangeError(
      `Cannot build a seccomp program of ${program.length} instructions: the limit is ${PROGRAM_LIMIT}`,
    );
  }
  return program;
}

/** Every path through the body ends in a return, because loading an argument loses the call's number. */
function ruleBody(rule: CallRule): Instruction[] {
  const refuse: Instruction = [RETURN, 0, 0, ERRNO | (rule.answer === "ENOSYS" ? ENOSYS : EPERM)];
  if (!rule.arguments) return [refuse];
  return [...rule.arguments.flatMap((test) => argumentTest(test, refuse)), [RETURN, 0, 0, ALLOW]];
}

/** Refuses, or falls through to what follows. */
function argumentTest({ index, mask, values }: ArgumentTest, refuse: Instruction): Instruction[] {
  const body: Instruction[] = [[LOAD_WORD, 0, 0, ARGUMENTS + 8 * index]]; // little-endian: the low word comes first
  if (mask !== undefined) body.push([AND, 0, 0, mask]);
  if ("deny" in values) {
    for (const value of values.deny) body.push([JUMP_EQUAL, 0, 1, value], refuse);
    return body;
  }
  // A match jumps over the remaining comparisons and the refusal.
  values.allow.forEach((value, at) => body.push([JUMP_EQUAL, values.allow.length - at, 0, value]));
  body.push(refuse);
  return body;
}

/** The program as the kernel reads it: 8 bytes an instruction. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(([code, whenTrue, whenFalse, constant], index) => {
    view.setUint16(index * 8, code, true);
    bytes[index * 8 + 2] = whenTrue;
    bytes[index * 8 + 3] = whenFalse;
    view.setUint32(index * 8 + 4, constant >>> 0, true);
  });
  return bytes;
}

const PR_SET_SECCOMP = 22, SECCOMP_MODE_FILTER = 2n;

/**
 * Filters the calling thread and everything it executes. Needs `no_new_privs` or CAP_SYS_ADMIN.
 *
 * @throws {OsError} when the kernel has no seccomp or refuses the program.
 */
export function installSeccomp(program: readonly Instruction[]): void {
  const bytes = encodeProgram(program);
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
  const header = new BigUint64Array([BigInt(program.length), address(bytes)]);
  check(
    libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address(header), 0n, 0n),
    "prctl(PR_SET_SECCOMP)",
    "Cannot install the seccomp filter",
  );
}

function address(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
