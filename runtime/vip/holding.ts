/** What holding virtual addresses means: wishes, ports to the machine, and what is reported. */
import type { InterfaceAddress, Link } from "../os/rtnetlink.ts";
import type { AnnouncementSchedule } from "./announcer.ts";

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
  readonly garp: AnnouncementSchedule;
}

/** The links and addresses of this machine, as the holder needs them; `openNetwork()` gives the real one. */
export interface NetworkPort {
  /** Addresses say who configured them; kernels before 5.18 do not keep that. */
  readonly keepsProtocol: boolean;
  link(name: string): Link | undefined;
  addresses(index: number): readonly InterfaceAddress[];
  /** Adds the address or renews its lease, which is in ms. @throws {Error} */
  addAddress(
    address: AddressKey & { readonly label?: string; readonly lease: number; readonly hostScope?: boolean },
  ): void;
  /** Removes the address; one that is not there is no error. @throws {Error} */
  removeAddress(address: AddressKey): void;
  /** Lets secondary addresses live on when their primary goes. @throws {Error} */
  promoteSecondaries(link: string): void;
}

/** One address on one interface. */
export interface AddressKey {
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
}

/** Sends one Ethernet frame; `openPacketSocket()` gives the real one. False: it could not leave now. */
export interface FramePort {
  send(index: number, frame: Uint8Array<ArrayBuffer>): boolean;
}

/** What the holder did or found. `text` is a sentence for the log. */
export interface HolderEvent {
  readonly type:
    /** On the interface now. */
    | "held"
    /** As `held`, but a dead run of ours had left it there. */
    | "adopted"
    /** Someone else removed it; it is back and announced again. */
    | "restored"
    /** Cannot be held now: the interface is missing or the kernel refused. Tried again each second and when the interface appears. */
    | "waiting"
    /** Someone else configured it, for ever or for a time (DHCP): used and announced, but left alone, also at release. */
    | "foreign"
    /** Off the interface, because it was released. */
    | "released"
    /** A dead run of ours left it: removed. */
    | "leftover";
  /** Empty where no instance is meant. */
  readonly instance: string;
  readonly address: string;
  readonly interface: string;
  readonly text: string;
}
