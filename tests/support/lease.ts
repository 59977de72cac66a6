/**
 * By how much the kernel may be late to remove an address whose lease is over, ms: it rounds the time up to whole
 * seconds of its clock where that costs no more than 250 ms (ADDRCONF_TIMER_FUZZ), its timer wheel counts waits of 3 s
 * in steps of 64 ticks (256 ms at 250 a second, the worst of the usual rates), and its worker has to get a processor.
 */
export const LEASE_LATE = 250 + 256 + 100;
