/** Client and web servers of the demo stand for other machines: they must not wait for a processor of this one. */
import { setRealtime } from "../os/scheduling.ts";

/** Below the vrrp process, above everything ordinary. */
const priority = 5;

/** Where it is not allowed the client tells when it got no processor, and that time is not counted. */
export function aheadOfOthers(): void {
  try {
    setRealtime(priority);
  } catch {
    // Without CAP_SYS_NICE: as everybody else.
  }
}
