/** Lines on our stdout. A reader that stops holds up nobody but this. */
import type { Sink } from "./sink.ts";

export function stdoutSink(output: Pick<typeof Deno.stdout, "write"> = Deno.stdout): Sink {
  return {
    async write(lines) {
      for (let sent = 0; sent < lines.length;) sent += await output.write(lines.subarray(sent));
      return null;
    },
    reopen: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
