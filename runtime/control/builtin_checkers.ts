/**
 * The checkers that come with Tandem, by name. They use the contract like everyone's; what an operator writes under `with:` of
 * one is what they grant it: the program of `type: command`.
 */
import type { Checker, CheckerContext } from "../../plugins/contract.ts";
import command, { type CommandCheckConfig } from "../../plugins/health/command.ts";
import dns from "../../plugins/health/dns.ts";
import grpc from "../../plugins/health/grpc.ts";
import http from "../../plugins/health/http.ts";
import tcp from "../../plugins/health/tcp.ts";
import { isMapped } from "../os/credentials.ts";
import { runProgram } from "../os/program.ts";

/** Whose a program is. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** What a program that checks may use: it is started every few seconds, for every server. */
const limits = { cpu: 10, openFiles: 256, fileSize: 1 << 20 };
/** The kernel's overflow uid, which Debian calls nobody. */
const NOBODY = 65534;

/**
 * Answers null for other names.
 *
 * @param user the proxy's own; where there is none, root's programs run as nobody, and others' as whoever we are
 */
export function builtInCheckers(user: User | null): (use: string) => Checker<unknown> | null {
  const checkers: Readonly<Record<string, unknown>> = { tcp, http, grpc, dns, command: granted(user ?? nobody()) };
  return (use) => Object.hasOwn(checkers, use) ? checkers[use] as Checker<unknown> : null;
}

/** `type: command` with the program that its own configuration names, and nothing of our rights. */
function granted(user: User | null): Checker<CommandCheckConfig> {
  return {
    ...command,
    check: (target, ctx) => command.check(target, { ...ctx, run: running(ctx, user) }),
  };
}

function running(ctx: CheckerContext<CommandCheckConfig>, user: User | null): CheckerContext<unknown>["run"] {
  return async (_name, { args = [], input, env } = {}) => {
    const argv = [...ctx.config.command, ...args];
    const result = await runProgram(argv, ctx.signal, { input, env, user, limits, rest: "kill", keep: "end" });
    // What it says is for the operator; where it says nothing, its complaint is.
    return { code: result.code, output: result.stdout || result.stderr };
  };
}

function nobody(): User | null {
  if (Deno.uid() !== 0) return null;
  const mapped = ["/proc/self/uid_map", "/proc/self/gid_map"].every((path) => {
    try {
      return isMapped(Deno.readTextFileSync(path), NOBODY);
    } catch {
      return false;
    }
  });
  return mapped ? { uid: NOBODY, gid: NOBODY } : null;
}
