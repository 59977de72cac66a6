/**
 * Which system calls a confined process is refused, as data. A deny-list: V8 and Deno use most of the rest, and an
 * allow-list of theirs would break with every release of either.
 */
import type { ArgumentTest, CallNumbers, CallRule } from "./seccomp.ts";

/** Numbers of every call that confinement names (asm/unistd_64.h, asm-generic/unistd.h). */
export const CALL_NUMBERS = {
  // Other processes: their memory, their descriptors, their signals.
  ptrace: { x86_64: 101, aarch64: 117 },
  process_vm_readv: { x86_64: 310, aarch64: 270 },
  process_vm_writev: { x86_64: 311, aarch64: 271 },
  process_madvise: { x86_64: 440, aarch64: 440 },
  process_mrelease: { x86_64: 448, aarch64: 448 },
  kcmp: { x86_64: 312, aarch64: 272 },
  pidfd_open: { x86_64: 434, aarch64: 434 },
  pidfd_getfd: { x86_64: 438, aarch64: 438 },
  pidfd_send_signal: { x86_64: 424, aarch64: 424 },
  tkill: { x86_64: 200, aarch64: 130 },
  rt_sigqueueinfo: { x86_64: 129, aarch64: 138 },
  rt_tgsigqueueinfo: { x86_64: 297, aarch64: 240 },
  migrate_pages: { x86_64: 256, aarch64: 238 },
  move_pages: { x86_64: 279, aarch64: 239 },
  // New processes. Threads are made by clone(CLONE_THREAD); its flags are examined.
  fork: { x86_64: 57, aarch64: null },
  vfork: { x86_64: 58, aarch64: null },
  clone: { x86_64: 56, aarch64: 220 },
  clone3: { x86_64: 435, aarch64: 435 },
  kill: { x86_64: 62, aarch64: 129 },
  tgkill: { x86_64: 234, aarch64: 131 },
  // The kernel's large attack surfaces.
  bpf: { x86_64: 321, aarch64: 280 },
  perf_event_open: { x86_64: 298, aarch64: 241 },
  io_uring_setup: { x86_64: 425, aarch64: 425 },
  io_uring_enter: { x86_64: 426, aarch64: 426 },
  io_uring_register: { x86_64: 427, aarch64: 427 },
  userfaultfd: { x86_64: 323, aarch64: 282 },
  add_key: { x86_64: 248, aarch64: 217 },
  request_key: { x86_64: 249, aarch64: 218 },
  keyctl: { x86_64: 250, aarch64: 219 },
  fanotify_init: { x86_64: 300, aarch64: 262 },
  fanotify_mark: { x86_64: 301, aarch64: 263 },
  name_to_handle_at: { x86_64: 303, aarch64: null },
  open_by_handle_at: { x86_64: 304, aarch64: null },
  // Namespaces, mounts, modules, the machine itself.
  mount: { x86_64: 165, aarch64: 40 },
  umount2: { x86_64: 166, aarch64: 39 },
  pivot_root: { x86_64: 155, aarch64: 41 },
  chroot: { x86_64: 161, aarch64: 51 },
  move_mount: { x86_64: 429, aarch64: 429 },
  open_tree: { x86_64: 428, aarch64: 428 },
  open_tree_attr: { x86_64: 467, aarch64: 467 },
  fsopen: { x86_64: 430, aarch64: 430 },
  fsconfig: { x86_64: 431, aarch64: 431 },
  fsmount: { x86_64: 432, aarch64: 432 },
  fspick: { x86_64: 433, aarch64: 433 },
  mount_setattr: { x86_64: 442, aarch64: 442 },
  setns: { x86_64: 308, aarch64: 268 },
  unshare: { x86_64: 272, aarch64: 97 },
  init_module: { x86_64: 175, aarch64: 105 },
  finit_module: { x86_64: 313, aarch64: 273 },
  delete_module: { x86_64: 176, aarch64: 106 },
  create_module: { x86_64: 174, aarch64: null },
  kexec_load: { x86_64: 246, aarch64: 104 },
  kexec_file_load: { x86_64: 320, aarch64: 294 },
  reboot: { x86_64: 169, aarch64: 142 },
  swapon: { x86_64: 167, aarch64: 224 },
  swapoff: { x86_64: 168, aarch64: 225 },
  acct: { x86_64: 163, aarch64: 89 },
  quotactl: { x86_64: 179, aarch64: 60 },
  quotactl_fd: { x86_64: 443, aarch64: 443 },
  syslog: { x86_64: 103, aarch64: 116 },
  vhangup: { x86_64: 153, aarch64: 58 },
  lookup_dcookie: { x86_64: 212, aarch64: 18 },
  nfsservctl: { x86_64: 180, aarch64: 42 },
  sethostname: { x86_64: 170, aarch64: 161 },
  setdomainname: { x86_64: 171, aarch64: 162 },
  settimeofday: { x86_64: 164, aarch64: 170 },
  clock_settime: { x86_64: 227, aarch64: 112 },
  clock_adjtime: { x86_64: 305, aarch64: 266 },
  adjtimex: { x86_64: 159, aarch64: 171 },
  iopl: { x86_64: 172, aarch64: null },
  ioperm: { x86_64: 173, aarch64: null },
  modify_ldt: { x86_64: 154, aarch64: null },
  personality: { x86_64: 135, aarch64: 92 },
  uselib: { x86_64: 134, aarch64: null },
  _sysctl: { x86_64: 156, aarch64: null },
  sysfs: { x86_64: 139, aarch64: null },
  ustat: { x86_64: 136, aarch64: null },
  // Memory that RLIMIT_DATA does not count, and NUMA placement.
  memfd_create: { x86_64: 319, aarch64: 279 },
  memfd_secret: { x86_64: 447, aarch64: 447 },
  shmget: { x86_64: 29, aarch64: 194 },
  shmat: { x86_64: 30, aarch64: 196 },
  shmctl: { x86_64: 31, aarch64: 195 },
  mq_open: { x86_64: 240, aarch64: 180 },
  msgget: { x86_64: 68, aarch64: 186 },
  semget: { x86_64: 64, aarch64: 190 },
  mbind: { x86_64: 237, aarch64: 235 },
  set_mempolicy: { x86_64: 238, aarch64: 237 },
  set_mempolicy_home_node: { x86_64: 450, aarch64: 450 },
  // Scheduling and limits, which were set for it.
  sched_setscheduler: { x86_64: 144, aarch64: 119 },
  sched_setparam: { x86_64: 142, aarch64: 118 },
  sched_setattr: { x86_64: 314, aarch64: 274 },
  sched_setaffinity: { x86_64: 203, aarch64: 122 },
  setpriority: { x86_64: 141, aarch64: 140 },
  ioprio_set: { x86_64: 251, aarch64: 30 },
  prlimit64: { x86_64: 302, aarch64: 261 },
  // Network.
  socket: { x86_64: 41, aarch64: 198 },
  socketpair: { x86_64: 53, aarch64: 199 },
  bind: { x86_64: 49, aarch64: 200 },
  listen: { x86_64: 50, aarch64: 201 },
  accept: { x86_64: 43, aarch64: 202 },
  accept4: { x86_64: 288, aarch64: 242 },
  connect: { x86_64: 42, aarch64: 203 },
  // Examined by argument.
  prctl: { x86_64: 157, aarch64: 167 },
  ioctl: { x86_64: 16, aarch64: 29 },
  // Used by confinement itself.
  setsid: { x86_64: 112, aarch64: 157 },
  rt_sigprocmask: { x86_64: 14, aarch64: 135 },
  close_range: { x86_64: 436, aarch64: 436 },
} as const satisfies Readonly<Record<string, CallNumbers>>;

export type CallName = keyof typeof CALL_NUMBERS;

const CLONE_THREAD = 0x0001_0000;
const PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_MM = 35, PR_SET_PTRACER = 0x5961_6d61;
const TIOCSTI = 0x5412, TIOCLINUX = 0x541c, TIOCSETD = 0x5423;

/** Refused whatever the arguments are. */
const NEVER: readonly CallName[] = [
  ...["ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp"] as const,
  ...["pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] as const,
  ...["migrate_pages", "move_pages", "fork", "vfork"] as const,
  ...["bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd"] as const,
  ...["add_key", "request_key", "keyctl", "fanotify_init", "fanotify_mark"] as const,
  ...["name_to_handle_at", "open_by_handle_at"] as const,
  ...["mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr", "fsopen"] as const,
  ...["fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "unshare"] as const,
  ...["init_module", "finit_module", "delete_module", "create_module", "kexec_load", "kexec_file_load"] as const,
  ...["reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "vhangup"] as const,
  ...["lookup_dcookie", "nfsservctl", "sethostname", "setdomainname", "settimeofday", "clock_settime"] as const,
  ...["clock_adjtime", "adjtimex", "iopl", "ioperm", "modify_ldt", "personality", "uselib", "_sysctl"] as const,
  ...["sysfs", "ustat", "memfd_create", "memfd_secret", "shmget", "shmat", "shmctl", "mq_open", "msgget"] as const,
  ...["semget", "mbind", "set_mempolicy", "set_mempolicy_home_node"] as const,
  ...["sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity", "setpriority"] as const,
  ...["ioprio_set"] as const,
];

/** Refused too where no family is granted: there is no socket that could use them. */
const SOCKET_USE: readonly CallName[] = ["listen", "accept", "accept4", "connect"];

/** Deno panics without a pair of its own: its signal driver talks to itself over one. */
const AF_UNIX = 1, SOCK_STREAM = 1, SOCK_TYPE_MASK = 0xf;

/**
 * The rules for a process that keeps the pid `pid` (it survives `execve`), with sockets only of `families` (AF_*).
 *
 * Signals: a process may hit itself, which ends only itself; `kill(0)` and `kill(-1)` are other pids. `clone3` passes its
 * flags in memory, where a filter cannot look: ENOSYS makes libc use `clone`, whose flags can be examined. A pair of
 * stream sockets reaches nobody else; one of datagram sockets could be pointed at /dev/log.
 *
 * Nothing is ever bound: a process that listens was given its socket, and cannot take the place of another.
 */
export function confinedCalls(pid: number, families: readonly number[]): CallRule[] {
  const only = (index: ArgumentTest["index"], allow: readonly number[], mask?: number): ArgumentTest => ({
    index,
    mask,
    values: { allow },
  });
  const without = (index: ArgumentTest["index"], deny: readonly number[]): ArgumentTest => ({
    index,
    values: { deny },
  });
  return [
    ...NEVER.map((call): CallRule => ({ call })),
    { call: "bind" },
    ...(families.length === 0 ? SOCKET_USE.map((call): CallRule => ({ call })) : []),
    { call: "clone3", answer: "ENOSYS" },
    { call: "clone", arguments: [only(0, [CLONE_THREAD], CLONE_THREAD)] },
    { call: "kill", arguments: [only(0, [pid])] },
    { call: "tgkill", arguments: [only(0, [pid])] },
    { call: "prlimit64", arguments: [only(0, [0, pid])] },
    { call: "socket", arguments: [only(0, families), only(1, [SOCK_STREAM], SOCK_TYPE_MASK)] },
    { call: "socketpair", arguments: [only(0, [AF_UNIX]), only(1, [SOCK_STREAM], SOCK_TYPE_MASK)] },
    { call: "prctl", arguments: [without(0, [PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_PTRACER])] },
    { call: "ioctl", arguments: [without(1, [TIOCSTI, TIOCLINUX, TIOCSETD])] },
  ];
}
