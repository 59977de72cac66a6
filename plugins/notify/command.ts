/** `use: command`: a program for each event, which gets it as JSON on its standard input. */
import { defineNotifier, s } from "../contract.ts";

export default defineNotifier({
  config: {
    command: s.list(s.string(), { minItems: 1, description: "program and arguments; no shell sees them" }),
  },
  async notify(event, ctx) {
    const { code, output } = await ctx.run!("command", { input: JSON.stringify(event) + "\n" });
    if (code !== 0) {
      throw new Error(`the command ended with ${code}${output === "" ? "" : `: ${output.slice(0, 200)}`}`);
    }
  },
});
