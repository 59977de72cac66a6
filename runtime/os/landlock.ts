/**
 * Landlock: a process gives up files, TCP ports, abstract Unix sockets and signals for good (landlock(7)).
 *
 * `landlockAccess()` is pure and says what a kernel of a given ABI can take away; `prepareLandlock()` does it.
 */
import { check, Errno, errno, OsError } from "./errno.ts";
import { cString, libc } from "./libc.ts";

/** What a path keeps. Everything not named is denied, below it too. */
export type PathRight = "read" | "execute" | "write";

export interface PathRule {
  readonly path: string;
  readonly rights: readonly PathRight[];
  /** The path may be absent; then there is nothing to allow. @default false */
  readonly optional?: boolean;
}

export interface LandlockRules {
  readonly paths: readonly PathRule[];
  /** TCP ports that may be connected to. @default none */
  readonly connectPorts?: readonly number[];
}

/** The masks of `struct landlock_ruleset_attr`, and what this ABI lacks. */
export interface LandlockAccess {
  readonly files: bigint;
  readonly network: bigint;
  readonly scoped: bigint;
  readonly missing: readonly string[];
}

const CREATE_RULESET = 444n, ADD_RULE = 445n, RESTRICT_SELF = 446n; // the same number on every architecture
const CREATE_RULESET_VERSION = 1n;
const RULE_PATH_BENEATH = 1n, RULE_NET_PORT = 2n;
const O_PATH = 0o10000000, O_CLOEXEC = 0o2000000;

// LANDLOCK_ACCESS_FS_*, uapi/linux/landlock.h
const EXECUTE = 1n << 0n, WRITE_FILE = 1n << 1n, READ_FILE = 1n << 2n, READ_DIR = 1n << 3n;
const FIRST_ABI_FILES = (1n << 13n) - 1n, REFER = 1n << 13n, TRUNCATE = 1n << 14n, IOCTL_DEVICE = 1n << 15n;
const BIND_TCP = 1n << 0n, CONNECT_TCP = 1n << 1n;
const SCOPE_ABSTRACT_UNIX = 1n << 0n, SCOPE_SIGNAL = 1n << 1n;
/** The rights the kernel accepts for something that is not a directory. */
const FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE;

/** What ABI `abi` can take away; 0 is a kernel without landlock. */
export function landlockAccess(abi: number): LandlockAccess {
  const missing: string[] = [];
  const since = (version: number, bits: bigint, what: string): bigint => {
    if (abi >= version) return bits;
    missing.push(`${what} (landlock ABI ${version}, kernel has ${abi})`);
    return 0n;
  };
  const files = since(1, FIRST_ABI_FILES, "files") | since(2, REFER, "moving files") |
    since(3, TRUNCATE, "truncating files") | since(5, IOCTL_DEVICE, "device ioctl");
  const network = since(4, BIND_TCP | CONNECT_TCP, "TCP ports");
  const scoped = since(6, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL, "signals and abstract Unix sockets");
  return { files, network, scoped, missing };
}

/** The mask of one path rule, cut to what the kernel knows and what fits a file. */
export function pathAccess(rights: readonly PathRight[], directory: boolean, handled: bigint): bigint {
  const masks: Record<PathRight, bigint> = {
    read: READ_FILE | READ_DIR,
    execute: EXECUTE,
    write: FIRST_ABI_FILES & ~(EXECUTE | READ_FILE | READ_DIR) | TRUNCATE,
  };
  const wanted = rights.reduce((mask, right) => mask | masks[right], 0n);
  return wanted & handled & (directory ? ~0n : FILE_ONLY);
}

/** The landlock ABI of this kernel; 0 where it is absent or switched off. */
export function landlockAbi(): number {
  const abi = Number(libc().syscall6(CREATE_RULESET, 0n, 0n, CREATE_RULESET_VERSION, 0n, 0n, 0n));
  return abi < 0 ? 0 : abi;
}

/** Rules that are ready and not in force yet: paths are found now, while the process still has a way to them. */
export interface LandlockRuleset extends Disposable {
  readonly access: LandlockAccess;
  /** Adds a path that came to be later. @throws {OsError} */
  allow(rule: PathRule): void;
  /**
   * Restricts the calling thread, and what it executes, for good. Needs `no_new_privs` or CAP_SYS_ADMIN.
   *
   * @throws {OsError} when the kernel refuses.
   */
  enforce(): void;
}

/**
 * Makes a ruleset; null where the kernel has no landlock.
 *
 * @throws {OsError} when a path cannot be opened or the kernel refuses a rule.
 */
export function prepareLandlock(rules: LandlockRules): LandlockRuleset | null {
  const access = landlockAccess(landlockAbi());
  if (access.files === 0n) return null;
  const attributes = new BigUint64Array([access.files, access.network, access.scoped]);
  // Older kernels want the shorter structure: fields they do not know must not be passed.
  const size = access.scoped ? 24n : access.network ? 16n : 8n;
  const ruleset = check(
    Number(libc().syscall6(CREATE_RULESET, address(attributes), size, 0n, 0n, 0n, 0n)),
    "landlock_create_ruleset",
    "Cannot create a landlock ruleset",
  );
  const prepared: LandlockRuleset = {
    access,
    allow: (rule) => allowPath(ruleset, rule, access.files),
    enforce() {
      const result = libc().syscall6(RESTRICT_SELF, BigInt(ruleset), 0n, 0n, 0n, 0n, 0n);
      check(Number(result), "landlock_restrict_self", "Cannot enforce the landlock ruleset");
    },
    [Symbol.dispose]: () => void libc().close(ruleset),
  };
  try {
    for (const rule of rules.paths) prepared.allow(rule);
    if (access.network) { for (const port of rules.connectPorts ?? []) allowPort(ruleset, port); }
    return prepared;
  } catch (error) {
    prepared[Symbol.dispose]();
    throw error;
  }
}

function allowPath(ruleset: number, rule: PathRule, handled: bigint): void {
  const fd = libc().open(cString(rule.path), O_PATH | O_CLOEXEC, 0);
  if (fd < 0) {
    const code = errno();
    if (rule.optional && (code === Errno.ENOENT || code === Errno.EACCES)) return;
    throw new OsError("open", code, `Cannot open "${rule.path}" for its landlock rule`);
  }
  try {
    const attribute = new Uint8Array(12); // struct landlock_path_beneath_attr is packed
    const view = new DataView(attribute.buffer);
    view.setBigUint64(0, pathAccess(rule.rights, isDirectory(rule.path), handled), true);
    view.setInt32(8, fd, true);
    addRule(ruleset, RULE_PATH_BENEATH, attribute, `Cannot allow "${rule.path}"`);
  } finally {
    libc().close(fd);
  }
}

function allowPort(ruleset: number, port: number): void {
  addRule(ruleset, RULE_NET_PORT, new BigUint64Array([CONNECT_TCP, BigInt(port)]), `Cannot allow TCP port ${port}`);
}

function addRule(
  ruleset: number,
  type: bigint,
  attribute: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>,
  action: string,
): void {
  const result = libc().syscall6(ADD_RULE, BigInt(ruleset), type, address(attribute), 0n, 0n, 0n);
  check(Number(result), "landlock_add_rule", action);
}

function isDirectory(path: string): boolean {
  return Deno.statSync(path).isDirectory;
}

function address(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
