/** Holds virtual addresses on interfaces as leases, announces them, and puts back what others take away. */
import type { InterfaceAddress, Link, NetworkEvent } from "../os/rtnetlink.ts";

/** A virtual address and the interface that carries it. */
export interface VirtualAddress {
  readonly address: string;
  readonly prefix: number;
  readonly interface: string;
  readonly label?: string;
}

/** What an instance wants held, and how. */
export interface Holding {
  readonly addresses: readonly VirtualAddress[];
  /** Advertisement interval in ms; decides the length of the lease (`leaseFor`). */
  readonly advertInterval: number;
  /** Announcement schedule; `delay` and `refresh` in ms, 0 = none. */
  readonly garp: { readonly repeat: number; readonly delay: number; readonly refresh: number };
}

/** The links and addresses of this machine, as the holder needs them; `openNetwork()` gives the real one. */
export interface NetworkPort {
  link(name: string): Link | undefined;
  addresses(index: number): readonly InterfaceAddress[];
  /** Adds the address or renews its lease. @throws {OsError} */
  addAddress(address: { index: number; address: string; prefix: number; label?: string; lease: number }): void;
  /** Removes the address; one that is not there is no error. @throws {OsError} */
  removeAddress(address: { index: number; address: string; prefix: number }): void;
  /** Lets secondary addresses live on when their primary goes. @throws {Error} */
  promoteSecondaries(link: string): void;
}

/** Sends one Ethernet frame; `openPacketSocket()` gives the real one. False: it could not leave now. */
export interface FramePort {
  send(index: number, frame: Uint8Array): boolean;
}

/** What the holder did or found. `text` is a sentence for the log. */
export interface HolderEvent {
  readonly type:
    /** On the interface now, first time since acquire. */
    | "held"
    /** Someone else removed it; it is back and announced again. */
    | "restored"
    /** Cannot be held now: the interface is missing or the kernel refused. Tried again when the interface appears. */
    | "waiting"
    /** Someone else configured it permanently: used and announced, but its lifetime is left alone, also at release. */
    | "foreign"
    /** Off the interface, because it was released. */
    | "released"
    /** A dead run of ours left it: kept because we hold it again, or removed. */
    | "adopted"
    | "leftover";
  /** Empty where no instance is meant. */
  readonly instance: string;
  readonly address: string;
  readonly interface: string;
  readonly text: string;
}

export interface HolderOptions {
  readonly network: NetworkPort;
  readonly frames: FramePort;
  readonly report: (event: HolderEvent) => void;
}

/**
 * Synchronous and non-blocking; every time is monotonic ms. In one wake-up read the adverts first, then give the
 * holder its events: after a stall the election decides before a lapsed address is put back.
 */
export interface Holder {
  /** When `run` wants to be called next; Infinity = not at all. */
  deadline(): number;
  /** Renews leases and sends due announcements, at most a few frames a call. */
  run(now: number): void;
  /** Takes in what `Network.read()` returned. */
  observe(event: NetworkEvent, now: number): void;
  /** Holds exactly `holding` for the instance. Again with another list: only the difference is touched. */
  acquire(instance: string, holding: Holding, now: number): void;
  /** Takes the instance's addresses off their interfaces and ends their announcements. */
  release(instance: string, now: number): void;
  /** Evidence of a rival, or the peer has released: a new burst starts now. */
  announce(instance: string, now: number): void;
  /** At start: removes leased copies of `addresses` that a dead run left, except those of instances already acquired. */
  reconcile(addresses: readonly VirtualAddress[], now: number): void;
  /** The instance's addresses that are on an interface now. */
  held(instance: string): readonly string[];
  counters(instance: string): { readonly garpSent: number; readonly addressesRestored: number };
}

export declare function createHolder(options: HolderOptions): Holder;
