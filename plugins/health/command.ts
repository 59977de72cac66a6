/**
 * `check: { type: command }`: the server is up when a program of the operator's says so by its exit code, 0. The last line
 * that it writes is the reason. What is checked is in its environment: TANDEM_ADDRESS, TANDEM_PORT, TANDEM_BACKEND,
 * TANDEM_SERVER, TANDEM_NODE, and TANDEM_LABEL_ZONE for the label "zone".
 */
import { defineChecker, type Target } from "../contract.ts";
import { describeDuration } from "./duration.ts";

export interface CommandCheckConfig {
  /** Program and arguments; no shell sees them. */
  readonly command: readonly string[];
  /** `haproxy`: what `external-check command` adds, for programs that were written for it. @default "none" */
  readonly arguments?: "none" | "haproxy";
}

const MOST_REASON = 200;

export default defineChecker<CommandCheckConfig>({
  named: true,
  async check(target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    const haproxy = ctx.config.arguments === "haproxy";
    try {
      const { code, output } = await ctx.run!("command", {
        args: haproxy ? haproxyArguments(target) : [],
        env: {
          ...environment(target),
          TANDEM_NODE: ctx.host.node,
          TANDEM_CLUSTER: ctx.host.cluster,
          ...haproxy && haproxyEnvironment(target),
        },
      });
      const said = lastLine(output);
      if (code === 0) return { state: "up", reason: said || `exit code 0 in ${took()}` };
      const got = `exit code ${code}`;
      return {
        state: "down",
        reason: said === "" ? got : `${got}: ${said}`,
        phase: "exit",
        got,
        wanted: "exit code 0",
      };
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      return { state: "down", reason: reason instanceof Error ? reason.message : String(reason), phase: "run" };
    }
  },
});

function environment({ backend, server, address, port, labels }: Target): Record<string, string> {
  const entries = Object.entries(labels).map(([name, value]) => [
    `TANDEM_LABEL_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`,
    value,
  ]);
  return {
    ...Object.fromEntries(entries),
    TANDEM_BACKEND: backend,
    TANDEM_SERVER: server,
    TANDEM_ADDRESS: address,
    TANDEM_PORT: String(port),
  };
}

/** Proxy address and port, server address and port. In a backend there is no listener that HAProxy could name. */
function haproxyArguments({ address, port }: Target): string[] {
  return ["NOT_USED", "NOT_USED", address, String(port)];
}

function haproxyEnvironment({ backend, server, address, port }: Target): Record<string, string> {
  return {
    HAPROXY_PROXY_NAME: backend,
    HAPROXY_SERVER_NAME: server,
    HAPROXY_SERVER_ADDR: address,
    HAPROXY_SERVER_PORT: String(port),
  };
}

/** Of what it wrote, one line as an operator may see it. */
function lastLine(output: string): string {
  const lines = output.split(/[\r\n]+/).map((line) => line.replace(/\p{Cc}+/gu, " ").trim());
  return lines.findLast((line) => line !== "")?.slice(0, MOST_REASON) ?? "";
}
