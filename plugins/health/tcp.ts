/** `check: { type: tcp }`: the server is up when it accepts a connection. */
import { defineChecker } from "../contract.ts";
import { describeDuration } from "./duration.ts";

export interface TcpCheckConfig {
  /** Another port than the server's own. */
  readonly port?: number;
}

export default defineChecker<TcpCheckConfig>({
  async check(_target, ctx) {
    const began = ctx.clock.monotonic();
    const took = () => describeDuration(ctx.clock.monotonic() - began);
    try {
      await using _connection = await ctx.connect({ port: ctx.config.port });
    } catch (error) {
      const reason = ctx.signal.aborted ? ctx.signal.reason : error;
      const text = reason instanceof Error ? reason.message : String(reason);
      return { state: "down", reason: ctx.signal.aborted ? text : `${text} after ${took()}`, phase: "connect" };
    }
    return { state: "up", reason: `connected in ${took()}` };
  },
});
