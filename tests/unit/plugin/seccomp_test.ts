import assert from "node:assert/strict";
import { CALL_NUMBERS, type CallName, confinedCalls } from "../../../runtime/os/confine_calls.ts";
import { type Architecture, encodeProgram, type Instruction, seccompProgram } from "../../../runtime/os/seccomp.ts";

const AUDIT: Record<Architecture, number> = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };
const AUDIT_I386 = 0x40000003;

/** What the kernel's interpreter answers for one call. */
function run(
  program: readonly Instruction[],
  number: number,
  architecture: number,
  args: readonly number[] = [],
): string {
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const [code, whenTrue, whenFalse, constant] = program[at];
    if (code === 0x20) {
      accumulator = constant === 0 ? number : constant === 4 ? architecture : args[(constant - 16) / 8] ?? 0;
    } else if (code === 0x54) accumulator = (accumulator & constant) >>> 0;
    else if (code === 0x15) at += accumulator === constant >>> 0 ? whenTrue : whenFalse;
    else if (code === 0x35) at += accumulator >= constant ? whenTrue : whenFalse;
    else if (code === 0x06) {
      const answer = constant >>> 0;
      if (answer === 0x7fff0000) return "allow";
      if (answer === 0x80000000) return "kill";
      return { 1: "EPERM", 38: "ENOSYS" }[answer & 0xffff] ?? `errno ${answer & 0xffff}`;
    } else assert.fail(`Unknown instruction ${code}`);
  }
  return assert.fail("Fell off the end of the program");
}

const PID = 4711, AF_UNIX = 1, AF_INET = 2, AF_NETLINK = 16, AF_PACKET = 17;
const THREAD_FLAGS = 0x003d0f00, FORK_FLAGS = 0x01200011;

const cases: [name: string, call: CallName, args: number[], answer: string][] = [
  ["debugging another process", "ptrace", [16, 1], "EPERM"],
  ["reading its memory", "process_vm_readv", [1], "EPERM"],
  ["a pidfd", "pidfd_open", [1], "EPERM"],
  ["a thread", "clone", [THREAD_FLAGS], "allow"],
  ["a process", "clone", [FORK_FLAGS], "EPERM"],
  ["a process by its old name", "vfork", [], "EPERM"],
  ["clone3, whose flags no filter sees", "clone3", [], "ENOSYS"],
  ["its own end", "kill", [PID, 9], "allow"],
  ["the end of its parent", "kill", [1, 9], "EPERM"],
  ["the end of its group", "kill", [0, 9], "EPERM"],
  ["the end of everyone", "kill", [0xffffffff, 9], "EPERM"],
  ["abort()", "tgkill", [PID, PID, 6], "allow"],
  ["a signal to a thread of another", "tgkill", [1, 1, 9], "EPERM"],
  ["a queued signal", "rt_sigqueueinfo", [PID, 9], "EPERM"],
  ["an IPv4 socket", "socket", [AF_INET, 1], "EPERM"],
  ["a Unix socket", "socket", [AF_UNIX, 1], "EPERM"],
  ["a netlink socket", "socket", [AF_NETLINK, 3], "EPERM"],
  ["a packet socket", "socket", [AF_PACKET, 3], "EPERM"],
  ["the pair of Deno's signal driver", "socketpair", [AF_UNIX, 0o2004001], "allow"],
  ["a datagram pair, which could be pointed at /dev/log", "socketpair", [AF_UNIX, 2], "EPERM"],
  ["a pair of another family", "socketpair", [30, 1], "EPERM"],
  ["its own limits", "prlimit64", [0, 7], "allow"],
  ["limits of another", "prlimit64", [1, 7], "EPERM"],
  ["naming a thread", "prctl", [15], "allow"],
  ["outliving its parent", "prctl", [1, 0], "EPERM"],
  ["typing into a terminal", "ioctl", [0, 0x5412], "EPERM"],
  ["asking a pipe for its size", "ioctl", [0, 0x541b], "allow"],
  ["io_uring", "io_uring_setup", [8], "EPERM"],
  ["eBPF", "bpf", [5], "EPERM"],
  ["a namespace", "unshare", [0x10000000], "EPERM"],
  ["a higher priority", "setpriority", [0, 0, 0], "EPERM"],
];

for (const architecture of ["x86_64", "aarch64"] as const) {
  const program = seccompProgram(confinedCalls(PID, []), CALL_NUMBERS, architecture);
  for (const [name, call, args, answer] of cases) {
    const number = CALL_NUMBERS[call][architecture];
    if (number === null) continue;
    Deno.test(`seccompProgram() on ${architecture} answers ${answer} to ${name}`, () => {
      assert.equal(run(program, number, AUDIT[architecture], args), answer);
    });
  }
}

Deno.test("seccompProgram() kills a process that calls by the numbers of another architecture", () => {
  const program = seccompProgram(confinedCalls(PID, []), CALL_NUMBERS, "x86_64");
  assert.equal(run(program, 11, AUDIT_I386), "kill");
});

Deno.test("seccompProgram() refuses every call of the x32 ABI", () => {
  const program = seccompProgram(confinedCalls(PID, []), CALL_NUMBERS, "x86_64");
  for (const number of [0x40000000, 0x40000000 + 41, 0x40000000 + 520]) {
    assert.equal(run(program, number, AUDIT.x86_64), "ENOSYS");
  }
});

Deno.test("seccompProgram() grants the families that are named, and no others", () => {
  const program = seccompProgram(confinedCalls(PID, [AF_UNIX, AF_INET]), CALL_NUMBERS, "x86_64");
  const socket = (family: number, type = 0o2000001) =>
    run(program, CALL_NUMBERS.socket.x86_64, AUDIT.x86_64, [family, type]);
  assert.deepEqual([AF_UNIX, AF_INET, AF_NETLINK].map((family) => socket(family)), ["allow", "allow", "EPERM"]);
  assert.equal(socket(AF_UNIX, 0o2000002), "EPERM", "a datagram could go to /dev/log");
  for (const call of ["connect", "listen", "accept4"] as const) {
    assert.equal(run(program, CALL_NUMBERS[call].x86_64, AUDIT.x86_64), "allow", call);
  }
  assert.equal(run(program, CALL_NUMBERS.bind.x86_64, AUDIT.x86_64), "EPERM", "sockets that listen are given");
});

Deno.test("seccompProgram() refuses a call without a number", () => {
  assert.throws(() => seccompProgram([{ call: "nothing" }], {}, "x86_64"), /Cannot refuse the call "nothing"/);
});

Deno.test("encodeProgram() writes struct sock_filter", () => {
  assert.deepEqual([...encodeProgram([[0x15, 1, 2, 0xc000003e]])], [0x15, 0, 1, 2, 0x3e, 0, 0, 0xc0]);
});
