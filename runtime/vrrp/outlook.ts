/** What the options of a virtual router mean on this machine now: addresses found, priority in effect. Pure. */
import { type Address, equalAddresses, parseAddress } from "../bytes/address.ts";
import { advertisable, sameAddresses } from "./advertisement.ts";
import type { Inspection } from "./inspection.ts";
import { groups } from "./message.ts";
import type { InstanceOptions, Tracking } from "./protocol.ts";

/** A network interface as a virtual router sees it. */
export interface InterfaceView {
  readonly index: number;
  readonly up: boolean;
  /** "02:00:00:00:00:01"; empty where it has none. */
  readonly mac: string;
  /** Its IPv4 addresses, primary ones first, virtual ones of ours last. */
  readonly addresses: readonly Address[];
}

/** What a virtual router can be run with, or the sentence why it cannot. */
export type Outlook =
  | {
    readonly usable: true;
    readonly view: InterfaceView;
    readonly primary: Address;
    readonly destinations: readonly Address[];
  }
  | { readonly usable: false; readonly reason: string; readonly view: InterfaceView | null };

/** `local`: whether an address is one of this machine. */
export function outlookOf(
  options: InstanceOptions,
  view: InterfaceView | null,
  local: (address: Address) => boolean,
): Outlook {
  const device = `Interface "${options.interface}"`;
  if (view === null) return { usable: false, reason: `${device} does not exist`, view };
  if (!view.up) return { usable: false, reason: `${device} is down`, view };
  const primary = primaryOf(options, view);
  if (primary === null) {
    const wanted = options.unicast?.source;
    const what = wanted ? `does not have the source address ${wanted}` : "has no IPv4 address to send from";
    return { usable: false, reason: `${device} ${what}`, view };
  }
  if (options.unicast === null) return { usable: true, view, primary, destinations: [groups.ipv4] };
  const destinations = options.unicast.peers.map(parseAddress).filter((peer) => !local(peer));
  if (destinations.length === 0) {
    return { usable: false, reason: "None of the unicast peers is another machine", view };
  }
  return { usable: true, view, primary, destinations };
}

/** Whether the same advertisements can be sent. */
export function sameOutlook(one: Outlook, other: Outlook): boolean {
  if (!one.usable || !other.usable) return false;
  return equalAddresses(one.primary, other.primary) && sameAddresses(one.destinations, other.destinations);
}

/** Own address, MAC and interface index; null while the interface is unusable. */
export function placeOf(outlook: Outlook): { primary: Address; mac: string; index: number } | null {
  if (!outlook.usable) return null;
  const { primary, view: { mac, index } } = outlook;
  return { primary, mac, index };
}

/** The address that adverts come from: as configured, ours among the unicast peers, or the first of the interface. */
function primaryOf({ unicast }: InstanceOptions, { addresses }: InterfaceView): Address | null {
  const has = (wanted: Address) => addresses.find((address) => equalAddresses(address, wanted)) ?? null;
  if (unicast?.source) return has(parseAddress(unicast.source));
  const ours = unicast?.peers.map((peer) => has(parseAddress(peer))).find((address) => address !== null);
  return ours ?? addresses[0] ?? null;
}

/** Addresses that our advertisements name. */
export function advertisedAddresses(options: InstanceOptions): Address[] {
  return advertisable(options.addresses.map(({ address }) => parseAddress(address)), 4);
}

export function inspectionOf(options: InstanceOptions): Inspection {
  const { authentication, unicast } = options;
  return {
    version: options.version,
    virtualRouterId: options.virtualRouterId,
    interval: options.advertInterval,
    passwords: authentication === null ? null : [authentication.password, ...authentication.alsoAccept],
    checksum: options.checksum,
    unicast: unicast === null ? null : { peers: unicast.peers.map(parseAddress), minTtl: unicast.minTtl },
    addresses: advertisedAddresses(options),
  };
}

/**
 * What other interfaces than its own do to a virtual router: those that it tracks, and those that carry its addresses.
 * Without one of these it would advertise an address that it does not hold.
 */
export function trackInterfaces(options: InstanceOptions, viewOf: (name: string) => InterfaceView | null): Tracking {
  const carriers = new Set(options.addresses.map((one) => one.interface));
  carriers.delete(options.interface);
  const unheld = [...carriers].flatMap((name): Tracking[] => {
    const view = viewOf(name);
    if (view?.up === true) return [];
    const carried = options.addresses.filter((one) => one.interface === name).map(({ address }) => address).join(", ");
    const how = view === null ? "does not exist" : "is down";
    return [{ effect: "fault", causes: [`Interface "${name}" of ${carried} ${how}`] }];
  });
  const tracked = options.trackInterfaces.filter(({ name }) => !carriers.has(name) && viewOf(name)?.up !== true)
    .map(({ name, effect }): Tracking => ({ effect, causes: [`interface "${name}" is down`] }));
  return combineTracking([...tracked, ...unheld]);
}

/** Trackers of control and interfaces of our own as one: the worst effect, every cause. */
export function combineTracking(all: readonly Tracking[]): Tracking {
  const effect = all.some((one) => one.effect === "fault")
    ? "fault"
    : all.some((one) => one.effect === "yield")
    ? "yield"
    : "none";
  return { effect, causes: all.flatMap(({ causes }) => causes) };
}
