/** Offers one load, in a process of its own: the argument is its OfferedLoad, the output its OfferedOutcome, as JSON. */
import { openIo } from "../../runtime/os/open_io.ts";
import { offer } from "./open_loop.ts";

if (import.meta.main) {
  using io = openIo({ arena: 32 << 20, descriptors: 4096 });
  const outcome = offer(io, JSON.parse(Deno.args[0]));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(outcome) + "\n"));
}
