/** Where stage 1 begins when it runs from source: sooner than by all of the command line. Nobody imports this. */
import { runPluginStage } from "./first_stage.ts";

if (import.meta.main) runPluginStage(Deno.args[0]);
