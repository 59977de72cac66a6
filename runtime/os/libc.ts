/**
 * The one door to libc: every symbol Tandem calls, with its C prototype.
 *
 * `i32` results are used where a BigInt would be allocated for nothing (`recv`, `syscall`); pointers are passed as
 * `buffer` when the callee only reads or fills them during the call, as `usize` when the kernel keeps the address.
 * `syscall(2)` is variadic: each alias fixes the argument classes that one kind of call needs. Never `nonblocking: true`
 * (errno would be set on another thread).
 */
const symbols = {
  __errno_location: { parameters: [], result: "pointer" }, // int *__errno_location(void)
  // sockets
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" }, // int socket(int domain, int type, int protocol)
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" }, // int bind(int fd, const struct sockaddr *, socklen_t)
  listen: { parameters: ["i32", "i32"], result: "i32" }, // int listen(int fd, int backlog)
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" }, // int connect(int fd, const struct sockaddr *, socklen_t)
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" }, // int accept4(int fd, sockaddr *, socklen_t *, int flags)
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" }, // int setsockopt(int fd, int level, int name, const void *, socklen_t)
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" }, // int getsockopt(int fd, int level, int name, void *, socklen_t *)
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // int getsockname(int fd, sockaddr *, socklen_t *)
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" }, // int getpeername(int fd, sockaddr *, socklen_t *)
  shutdown: { parameters: ["i32", "i32"], result: "i32" }, // int shutdown(int fd, int how)
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" }, // ssize_t send(int fd, const void *, size_t, int flags)
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i32" }, // ssize_t sendto(int, const void *, size_t, int, const sockaddr *, socklen_t)
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" }, // ssize_t recv(int fd, void *, size_t, int flags)
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "i32" }, // ssize_t recvfrom(int, void *, size_t, int, sockaddr *, socklen_t *)
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" }, // ssize_t recvmsg(int fd, struct msghdr *, int flags)
  send_at: { name: "send", parameters: ["i32", "u32", "u32", "i32"], result: "i32" }, // the same by address below 4 GiB: `usize` costs 170 ns more
  recv_at: { name: "recv", parameters: ["i32", "u32", "u32", "i32"], result: "i32" },
  // files and descriptors
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" }, // int open(const char *path, int flags, mode_t)
  close: { parameters: ["i32"], result: "i32" }, // int close(int fd)
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" }, // ssize_t read(int fd, void *, size_t)
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" }, // ssize_t write(int fd, const void *, size_t)
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" }, // int fcntl(int fd, int cmd, int arg)
  pipe2: { parameters: ["buffer", "i32"], result: "i32" }, // int pipe2(int fds[2], int flags)
  dup3: { parameters: ["i32", "i32", "i32"], result: "i32" }, // int dup3(int oldfd, int newfd, int flags)
  access: { parameters: ["buffer", "i32"], result: "i32" }, // int access(const char *path, int mode)
  eventfd: { parameters: ["u32", "i32"], result: "i32" }, // int eventfd(unsigned initval, int flags)
  if_nametoindex: { parameters: ["buffer"], result: "u32" }, // unsigned if_nametoindex(const char *)
  // waiting
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" }, // int poll(struct pollfd *, nfds_t, int timeout_ms)
  ppoll: { parameters: ["buffer", "u64", "buffer", "pointer"], result: "i32" }, // int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *)
  epoll_create1: { parameters: ["i32"], result: "i32" }, // int epoll_create1(int flags)
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" }, // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *)
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" }, // int epoll_wait(int epfd, struct epoll_event *, int max, int timeout_ms)
  epoll_wait_at: { name: "epoll_wait", parameters: ["i32", "u32", "i32", "i32"], result: "i32" }, // events by address below 4 GiB
  // memory
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" }, // void *mmap(void *, size_t, int prot, int flags, int fd, off_t)
  munmap: { parameters: ["usize", "usize"], result: "i32" }, // int munmap(void *, size_t)
  mlock2: { parameters: ["usize", "usize", "u32"], result: "i32" }, // int mlock2(const void *, size_t, unsigned flags)
  // processes, credentials, scheduling
  getpid: { parameters: [], result: "i32" }, // pid_t getpid(void)
  geteuid: { parameters: [], result: "u32" }, // uid_t geteuid(void)
  kill: { parameters: ["i32", "i32"], result: "i32" }, // int kill(pid_t, int sig)
  signal: { parameters: ["i32", "usize"], result: "usize" }, // sighandler_t signal(int, sighandler_t); 1 = SIG_IGN, 0 = SIG_DFL
  abs: { type: "pointer" }, // int abs(int): a handler of signals that does nothing, and that programs started from here lose
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" }, // int prctl(int op, ...)
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" }, // int setrlimit(int resource, const struct rlimit *)
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" }, // int getrlimit(int resource, struct rlimit *)
  setgroups: { parameters: ["usize", "buffer"], result: "i32" }, // int setgroups(size_t, const gid_t *)
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" }, // int setresgid(gid_t, gid_t, gid_t)
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" }, // int setresuid(uid_t, uid_t, uid_t)
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" }, // int sched_setscheduler(pid_t, int policy, const struct sched_param *)
  unshare: { parameters: ["i32"], result: "i32" }, // int unshare(int flags)
  setns: { parameters: ["i32", "i32"], result: "i32" }, // int setns(int fd, int nstype)
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" }, // int mount(const char *, const char *, const char *, unsigned long, const void *)
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" }, // int execve(const char *, char *const argv[], char *const envp[])
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" }, // int clock_gettime(clockid_t, struct timespec *)
  // syscall(2), one alias per argument shape
  syscall6: { name: "syscall", parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], result: "i64" },
  io_uring_setup: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" }, // (425, entries, params)
  io_uring_enter: { name: "syscall", parameters: ["i32", "i32", "u32", "u32", "u32", "usize", "usize"], result: "i32" }, // (426, fd, submit, wait, flags, arg, argsz)
  io_uring_wait: {
    name: "syscall",
    parameters: ["i32", "i32", "u32", "u32", "u32", "pointer", "pointer"],
    result: "i32",
  }, // the same, its last two words as pointers: `usize` is slow, and half a word on the stack leaves the other half undefined
  io_uring_register: { name: "syscall", parameters: ["i32", "i32", "u32", "buffer", "u32"], result: "i32" }, // (427, fd, opcode, arg, n)
  capset: { name: "syscall", parameters: ["i32", "buffer", "buffer"], result: "i32" }, // (126, header, data): this thread only
  capget: { name: "syscall", parameters: ["i32", "buffer", "buffer"], result: "i32" }, // (125, header, data)
} as const satisfies Deno.ForeignLibraryInterface;

export type Libc = Deno.DynamicLibrary<typeof symbols>["symbols"];

let opened: Libc | undefined;

/**
 * The C library of this machine, opened on first use.
 *
 * @throws {Error} when neither glibc nor musl can be loaded.
 */
export function libc(): Libc {
  return opened ??= openLibc();
}

/**
 * Opens no more than `names`, for a process that soon becomes another: a symbol costs 0.3 ms, all of them 20. What is not
 * among them cannot be called. Without effect once the library is open.
 */
export function openPart(names: readonly (keyof Libc)[]): void {
  opened ??= symbolsOf(names) as Libc;
}

/** Only `names`, for who needs them before or without the rest: 0.3 ms each. */
export function symbolsOf<Name extends keyof Libc>(names: readonly Name[]): Pick<Libc, Name> {
  const part = Object.fromEntries(names.map((name) => [name, symbols[name]]));
  return opened ?? openLibc(part as unknown as typeof symbols);
}

function openLibc(wanted = symbols): Libc {
  for (const name of ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]) {
    try {
      return Deno.dlopen(name, wanted).symbols;
    } catch (cause) {
      if (name.startsWith("libc.so.6") && String(cause).includes("symbol")) throw cause;
    }
  }
  throw new Error("Cannot load the C library: tried libc.so.6 and musl; Tandem runs on Linux with glibc or musl");
}

const encoder = new TextEncoder();

/** A NUL-terminated copy of `text`, for `const char *` parameters. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}
