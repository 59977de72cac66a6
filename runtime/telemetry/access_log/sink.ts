/** Where lines of the access log are kept. */

export type SinkOptions =
  | { readonly type: "stdout" }
  | {
    readonly type: "file";
    readonly path: string;
    /** Beyond `size` bytes the file becomes PATH.1, PATH.1 becomes PATH.2, … of which `keep` stay; null = never. */
    readonly rotate: { readonly size: number; readonly keep: number } | null;
  }
  | {
    readonly type: "syslog";
    /** "127.0.0.1:514", "[::1]:514" or the path of a Unix socket. */
    readonly address: string;
    /** To a Unix socket it is what listens there that decides. */
    readonly transport: "udp" | "tcp";
    /** Number of it, RFC 5424 §6.2.1. */
    readonly facility: number;
  };

/** Lines that were not kept. */
export interface Loss {
  readonly lines: number;
  /** Why, as half a sentence. */
  readonly cause: string;
}

export interface Sink extends AsyncDisposable {
  /** Keeps whole lines; the next ones come when it has resolved. Rejects when it could keep none of them. */
  write(lines: Uint8Array<ArrayBuffer>): Promise<Loss | null>;
  /** Takes the place up anew, as after a rotation by somebody else. */
  reopen(): Promise<void>;
}
