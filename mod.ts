/**
 * Tandem: a high-availability load balancer in one program.
 *
 * As a program it runs the command line; as a module it is what plugin authors and embedders import. Child processes and
 * engine threads are this same module again, so a bundle or a binary needs no second file.
 *
 * @module
 */
export * from "./plugins/contract.ts";
/** What a bundle of this program has for applications that are plugins: their processes find it here. */
export { carried } from "./runtime/app/carried.ts";

if (import.meta.main) {
  if ("DedicatedWorkerGlobalScope" in globalThis) {
    // A thread of the proxy process: the only Workers that Tandem starts. A message that comes while modules are loading
    // is lost unless somebody listens already.
    const first = new Promise<unknown>((resolve) => {
      addEventListener("message", (event) => resolve((event as MessageEvent).data), { once: true });
    });
    const { run } = self.name === "passwords"
      ? await import("./runtime/proxy/password_thread.ts")
      : await import("./runtime/proxy/engine_thread.ts");
    run(await first);
  } else {
    const { main } = await import("./runtime/cli.ts");
    Deno.exit(await main(Deno.args));
  }
}
