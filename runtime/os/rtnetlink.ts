/** What rtnetlink tells about links and addresses: the values that Tandem works with. */

/** A network interface of this network namespace. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Link-layer address, 6 bytes; empty where the interface has none. */
  readonly mac: Uint8Array;
  /** Administratively up and with carrier (IFF_UP and IFF_RUNNING): frames can leave. */
  readonly up: boolean;
  readonly mtu: number;
  /** IFF_* as the kernel gave them. */
  readonly flags: number;
}

/** An address on an interface of this network namespace. */
export interface InterfaceAddress {
  readonly family: 4 | 6;
  readonly index: number;
  /** In canonical text form, without prefix. */
  readonly address: string;
  readonly prefix: number;
  readonly label: string | null;
  /** IFA_F_*: 0x01 secondary, 0x08 dadfailed, 0x40 tentative, 0x80 permanent. */
  readonly flags: number;
  /** What is left of the lease in ms, by whole seconds; null = for ever. */
  readonly validFor: number | null;
  /** IFA_PROTO: who configured it; 0 where nobody said so or the kernel is older than 5.18. */
  readonly protocol: number;
}

/** A change that the kernel announced, or that a dump after lost announcements showed. */
export type NetworkEvent =
  /** A link is new here, or its name, MAC, MTU or flags changed. `before` is null when it is new. */
  | { readonly type: "link"; readonly link: Link; readonly before: Link | null }
  | { readonly type: "linkGone"; readonly link: Link }
  /** An address is new here or was renewed or relabelled. */
  | { readonly type: "address"; readonly address: InterfaceAddress }
  | { readonly type: "addressGone"; readonly address: InterfaceAddress };
