/** Where stage 2 begins when it runs from source; a bundle and a binary begin with their role. Nobody imports this. */
import { runHost } from "./main.ts";

if (import.meta.main) await runHost();
