/** `demo`: a whole pair in private namespaces of this machine. */
import { main } from "../cli.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { demo } = await import("../demo/demo.ts");
  return await demo(args, { run: main });
}
