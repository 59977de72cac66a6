/** Runs in a server's namespace: NAME ADDRESS PORT. */
import { runWebServer } from "../../runtime/demo/web_server.ts";

const [name, address, port] = Deno.args;
await runWebServer(name, address, Number(port));
