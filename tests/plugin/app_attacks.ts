/** Applications that mean harm, each as soon as it is asked. */
import { appWith } from "./app_node.ts";

/** By name. `ends`: what `status` says of its process; null where it goes on. */
export const hostileApps: Readonly<Record<string, { readonly code: string; readonly ends: RegExp | null }>> = {
  spin: { code: appWith("for (;;);"), ends: /heartbeat|answer/i },
  heap: { code: appWith("const all = []; for (;;) all.push(new Array(1e5).fill({}));"), ends: /./ },
  exit: { code: appWith("Deno.exit(7);"), ends: /exit code 7|protocol|ended/ },
  silent: { code: appWith("return await new Promise<Response>(() => {});"), ends: null },
  flood: { code: appWith(`for (;;) { console.log("x".repeat(9000)); await 0; }`), ends: /./ },
  garbage: {
    code: appWith(
      `Deno.stdout.writeSync(new Uint8Array(9)); process.stdout.write("x"); return new Response("a", { headers: { "content-length": "99" } });`,
      `import process from "node:process";`,
    ),
    ends: null,
  },
};
