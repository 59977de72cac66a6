/** Runs in the client's namespace; the argument is its TrafficOptions as JSON. */
import { runClient } from "../../runtime/demo/client.ts";

await runClient(JSON.parse(Deno.args[0]));
Deno.exit(0);
