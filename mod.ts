/**
 * Tandem: a high-availability load balancer in one program.
 *
 * @module
 */
export * from "./plugins/contract.ts";

if (import.meta.main) {
  const { main } = await import("./runtime/cli.ts");
  Deno.exit(await main(Deno.args));
}
