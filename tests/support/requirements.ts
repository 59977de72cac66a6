/** What the groups of tests need of the machine, and what of it is not there. */

/** `root`, or the name of a program. */
export type Requirement = "root" | `program:${string}`;

/**
 * Programs that interop tests start. Debian's package names where they differ: nft is nftables, ip is iproute2, dnsmasq is
 * dnsmasq-base.
 */
export const interopNeeds: readonly Requirement[] = [
  "root",
  ...[
    "ip",
    "bridge",
    "nsenter",
    "chrt",
    "unshare",
    "setpriv",
    "sysctl",
    "nft",
    "ps",
    "keepalived",
    "haproxy",
    "nginx",
    "tshark",
    "dnsmasq",
  ]
    .map((name): Requirement => `program:${name}`),
];

/** One sentence for what is missing of `needs`; null when everything is there. */
export function missing(needs: readonly Requirement[]): string | null {
  const absent = needs.filter((need) =>
    need === "root" ? Deno.uid() !== 0 : !isInstalled(need.slice("program:".length))
  );
  if (absent.length === 0) return null;
  const programs = absent.filter((need) => need !== "root").map((need) => need.slice("program:".length));
  return [
    ...(absent.includes("root") ? ["it needs root"] : []),
    ...(programs.length > 0 ? [`not installed: ${programs.join(", ")}`] : []),
  ].join("; ");
}

/** Debian keeps daemons in directories that a user's PATH may lack. */
const directories = new Set([...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/local/sbin"]);

function isInstalled(program: string): boolean {
  return [...directories].some((directory) => {
    try {
      const { isFile, mode } = Deno.statSync(`${directory}/${program}`);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}
