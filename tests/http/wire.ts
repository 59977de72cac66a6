/** One raw TCP connection: bytes as Latin-1 text, read in the background, awaited by condition. */

/** How long anything is waited for unless a row says otherwise, in ms. */
export const PATIENCE = 4000;

export class Wire {
  /** All that came, minus what was taken. */
  received = "";
  /** All that ever came. */
  log = "";
  /** How the peer ended, if it did. */
  ended: "no" | "eof" | "reset" = "no";
  readonly #connection: Deno.TcpConn;
  #waiters: (() => void)[] = [];
  #pump: Promise<void> | null = null;
  #closed = false;
  #held = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  static async connect(port: number): Promise<Wire> {
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
    wire.read();
    return wire;
  }

  /** Begins to read; until then the peer is held up by its full window. */
  read(): void {
    this.#pump ??= this.#run();
  }

  /** Stops reading for good, but for what is being read. */
  hold(): void {
    this.#held = true;
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#held) {
      let length: number | null;
      try {
        length = await this.#connection.read(buffer);
      } catch {
        this.ended = "reset";
        break;
      }
      if (length === null) {
        this.ended = "eof";
        break;
      }
      const text = latin1(buffer.subarray(0, length));
      this.received += text;
      this.log += text;
      this.#wake();
    }
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Sends text as it is; false if the peer does not take it any more. */
  async send(text: string): Promise<boolean> {
    let bytes = bytesOf(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#connection.write(bytes));
      return true;
    } catch {
      return false;
    }
  }

  /** Waits until `condition` holds or the peer has ended; whether it holds. */
  async until(condition: () => boolean, patience = PATIENCE): Promise<boolean> {
    const deadline = performance.now() + patience;
    while (!condition()) {
      const left = deadline - performance.now();
      if (left <= 0 || this.ended !== "no") return condition();
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.#waiters.push(resolve)),
        new Promise<void>((resolve) => timer = setTimeout(resolve, left)),
      ]);
      clearTimeout(timer);
    }
    return true;
  }

  /** Waits for the peer's end; whether it came. */
  async end(patience = PATIENCE): Promise<boolean> {
    await this.until(() => this.ended !== "no", patience);
    return this.ended !== "no";
  }

  /** Removes and returns the first `length` octets that were received. */
  take(length: number): string {
    const taken = this.received.slice(0, length);
    this.received = this.received.slice(length);
    return taken;
  }

  /** Says that nothing more will be sent. */
  async finish(): Promise<void> {
    await this.#connection.closeWrite().catch(() => {});
  }

  /** Closes both ways; with unread bytes in the kernel this is a reset. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#connection.close();
    } catch { /* the runtime has closed it already */ }
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
