/**
 * `use: keepalived`: hooks that were written for keepalived go on working. `notify` gets what keepalived gives it,
 * `INSTANCE "VI_1" MASTER 101`; `notify_master`, `notify_backup`, `notify_fault` and `notify_stop` get what the operator
 * wrote.
 */
import { defineNotifier, s } from "../contract.ts";

/** keepalived's words for the states of RFC 9568. */
const WORDS: Readonly<Record<string, { readonly state: string; readonly hook: Hook } | undefined>> = {
  active: { state: "MASTER", hook: "notify_master" },
  backup: { state: "BACKUP", hook: "notify_backup" },
  fault: { state: "FAULT", hook: "notify_fault" },
  initialize: { state: "STOP", hook: "notify_stop" },
};

type Hook = "notify_master" | "notify_backup" | "notify_fault" | "notify_stop";

const command = (description: string) => s.optional(s.list(s.string(), { minItems: 1, description }));

export default defineNotifier({
  config: {
    notify: command("for every state, with the arguments that keepalived gives"),
    notify_master: command("when an instance becomes active"),
    notify_backup: command("when an instance becomes backup"),
    notify_fault: command("when an instance is in fault"),
    notify_stop: command("when an instance ends"),
  },
  async notify(event, ctx) {
    if (event.type !== "vrrp.transition") return;
    const word = WORDS[String(event.fields.to)];
    if (word === undefined) return;
    // keepalived's order: the hook of the state first, then the one for all.
    if (ctx.config[word.hook]) await run(word.hook, []);
    const priority = String(event.fields.priority ?? 0);
    if (ctx.config.notify) await run("notify", ["INSTANCE", event.about, word.state, priority]);

    async function run(hook: Hook | "notify", args: readonly string[]): Promise<void> {
      const { code, output } = await ctx.run!(hook, { args });
      // As keepalived: a hook that fails is told and not repeated, or it would run twice for one change.
      if (code !== 0) ctx.log.warn(`${hook} of ${event.about} ended with ${code}`, { output: output.slice(0, 200) });
    }
  },
});
