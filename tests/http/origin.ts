/** An origin that does to each connection what the row says, and remembers every byte. */

import { type Message, readRequest } from "./message.ts";
import { Wire } from "./wire.ts";

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** What an origin does with one connection; the connection stays open unless the script closes it. */
export type Script = (wire: Wire, origin: Origin) => Promise<void>;

/** Answers every whole request with the same bytes. */
export function answering(response: string): Script {
  return async (wire, origin) => {
    for (;;) {
      const request = await readRequest(wire, 60_000);
      if (request === null) return;
      if (!request.whole) {
        origin.fragments.push(request);
        return;
      }
      origin.requests.push(request);
      await wire.send(response);
    }
  };
}

export class Origin {
  /** Whole requests that `answering` scripts saw. */
  requests: Message[] = [];
  /** Requests that broke off. */
  fragments: Message[] = [];
  /** Connections of this row. */
  wires: Wire[] = [];
  #script: Script = answering(OK);
  readonly port: number;
  #listener: Deno.TcpListener;
  #accepting: Promise<void>;

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.env.get("TANDEM_HTTP_ORIGIN") ?? 0) });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#accepting = this.#accept();
  }

  /** Nothing listens until `listen` is called. */
  async refuse(): Promise<void> {
    this.#listener.close();
    await this.#accepting.catch(() => {});
  }

  async listen(): Promise<void> {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accepting = this.#accept();
    await Promise.resolve();
  }

  /** All bytes of all connections of this row. */
  get log(): string {
    return this.wires.map((wire) => wire.log).join("");
  }

  /** Forgets the last row: every connection is ended in the proxy's sight before the next row begins. */
  async become(script: Script): Promise<void> {
    const old = this.wires;
    await Promise.all(old.map((wire) => wire.finish()));
    await Promise.all(old.map((wire) => wire.end(300)));
    for (const wire of old) wire.close();
    this.wires = [];
    this.requests = [];
    this.fragments = [];
    this.#script = script;
  }

  async #accept(): Promise<void> {
    const listener = this.#listener;
    for (;;) {
      let connection: Deno.TcpConn;
      try {
        connection = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        // The peer was gone before it was accepted.
        continue;
      }
      const wire = new Wire(connection);
      wire.read();
      this.wires.push(wire);
      this.#script(wire, this).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.become(answering(OK));
    this.#listener.close();
    await this.#accepting.catch(() => {});
  }
}
