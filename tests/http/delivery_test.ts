/**
 * An origin that dies at every byte: of the request it reads, and of the response it sends; on a fresh connection and on
 * one that was used before. However it dies, a POST is delivered at most once, a cut answer looks cut, and the client is
 * told something.
 *
 * TANDEM_HTTP_SUBJECT: see subject.ts.
 */

import assert from "node:assert/strict";
import { type Message, readFinal, statusOf } from "./message.ts";
import { answering, OK, Origin } from "./origin.ts";
import { startSubject, wantedSubjects } from "./subject.ts";
import { latin1, pause, Wire } from "./wire.ts";

const POST = "POST /order HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world";
const GET = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
const ANSWER = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone";

/** Dies as told on the first connection that brings the wanted request; answers everything else. */
class DyingOrigin {
  /** Requests that arrived whole, by method. */
  readonly delivered = { GET: 0, POST: 0 };
  /** Requests whose head arrived whole: enough for an origin to act upon. */
  readonly begun = { GET: 0, POST: 0 };
  /** How many octets of the request are read, or of the answer sent, before the end. */
  dieAfter: { read: number } | { sent: number } = { read: 0 };
  victim: "GET" | "POST" = "POST";
  /** Another request comes first on the connection. */
  used = false;
  #died = false;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();

  constructor() {
    void this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Begins anew, with idle connections gone. */
  async reset(): Promise<void> {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
    this.delivered.GET =
      this.delivered.POST =
      this.begun.GET =
      this.begun.POST =
        0;
    this.#died = false;
    // The proxy has to see the ends of its idle connections.
    await pause(3);
  }

  async #accept(): Promise<void> {
    for (;;) {
      const connection = await this.#listener.accept().catch(() => null);
      if (connection === null) return;
      this.#open.add(connection);
      void this.#serve(connection).catch(() => {}).finally(() => close(connection));
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    let text = "";
    for (;;) {
      // One octet at a time where it matters: what is unread when the connection closes makes the close a reset.
      const room = this.#room(text);
      if (room === 0) return;
      const buffer = new Uint8Array(room);
      const length = await connection.read(buffer);
      if (length === null) return;
      const headWasWhole = text.includes("\r\n\r\n");
      text += latin1(buffer.subarray(0, length));
      const method = text.startsWith("POST") ? "POST" : "GET";
      if (!headWasWhole && text.includes("\r\n\r\n")) this.begun[method]++;
      const end = endOf(text);
      if (end < 0) continue;
      this.delivered[method]++;
      text = text.slice(end);
      if (!await this.#answer(connection, method)) return;
    }
  }

  /** How much may be read: not more than until death. */
  #room(text: string): number {
    if (this.#died || !("read" in this.dieAfter)) return 4096;
    if (this.used && this.delivered.GET + this.delivered.POST === 0) return 4096;
    const victim = this.victim.slice(0, text.length);
    if (!text.startsWith(victim)) return 4096;
    const room = this.dieAfter.read - text.length;
    if (room === 0) this.#died = true;
    // The first octet decides whether this is the victim.
    return text === "" && room > 1 ? 1 : room;
  }

  async #answer(connection: Deno.TcpConn, method: "GET" | "POST"): Promise<boolean> {
    const bytes = new TextEncoder().encode(ANSWER);
    if (!this.#died && method === this.victim && "sent" in this.dieAfter) {
      this.#died = true;
      const { sent } = this.dieAfter;
      if (sent > 0) await connection.write(bytes.subarray(0, sent));
      return false;
    }
    await connection.write(bytes);
    return true;
  }

  async stop(): Promise<void> {
    await this.reset();
    this.#listener.close();
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch { /* closed already */ }
}

/** Where the request at the start of `text` ends, −1 if it is not whole. */
function endOf(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return -1;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0);
  return text.length < head + 4 + length ? -1 : head + 4 + length;
}

interface Outcome {
  response: Message | null;
  ended: string;
}

async function exchange(port: number, request: string, reused: boolean): Promise<Outcome> {
  const wire = await Wire.connect(port);
  try {
    if (reused) {
      // Another method's exchange first leaves an idle connection behind.
      await wire.send(request === POST ? GET : POST);
      assert.equal(statusOf((await readFinal(wire))!), 201);
    }
    await wire.send(request);
    const response = await readFinal(wire);
    if (response !== null && !response.whole) await wire.end(500);
    return { response, ended: wire.ended };
  } finally {
    wire.close();
  }
}

/** What a request looks like on its way to the origin, to know where its bytes are. */
async function lengthAtOrigin(name: string): Promise<Record<"GET" | "POST", number>> {
  const origin = new Origin();
  const subject = await startSubject(name, origin.port);
  const lengths = { GET: 0, POST: 0 };
  try {
    for (const [method, request] of [["GET", GET], ["POST", POST]] as const) {
      await origin.become(answering(OK));
      const wire = await Wire.connect(subject.port);
      await wire.send(request);
      await readFinal(wire);
      lengths[method] = origin.log.length;
      wire.close();
    }
  } finally {
    await subject.stop();
    await origin.close();
  }
  return lengths;
}

function assertHonest({ response, ended }: Outcome, where: string): void {
  if (response === null) assert.notEqual(ended, "no", `${where}: the client waits for ever`);
  else if (statusOf(response) === 201 && response.whole) assert.equal(response.body, "done", where);
  else if (response.whole) assert.ok([502, 503, 504].includes(statusOf(response)), `${where}: ${response.line}`);
}

for (const { name, ignore } of wantedSubjects()) {
  Deno.test({ name: `delivery at most once: ${name}`, ignore }, async (t) => {
    const lengths = await lengthAtOrigin(name);
    const origin = new DyingOrigin();
    const subject = await startSubject(name, origin.port);
    try {
      for (const reused of [false, true]) {
        for (const [method, request] of [["POST", POST], ["GET", GET]] as const) {
          const most = method === "POST" ? 1 : 2;
          const connection = reused ? "a used" : "a fresh";
          await t.step(`${method} on ${connection} connection, origin dies while reading it`, async () => {
            for (let read = 0; read <= lengths[method]; read++) {
              await origin.reset();
              origin.victim = method;
              origin.used = reused;
              origin.dieAfter = { read };
              const outcome = await exchange(subject.port, request, reused);
              const where = `after ${read} of ${lengths[method]} octets`;
              assertHonest(outcome, where);
              assert.ok(origin.begun[method] <= most, `${where}: begun ${origin.begun[method]} times`);
            }
          });
          await t.step(`${method} on ${connection} connection, origin dies while answering`, async () => {
            for (let sent = 0; sent <= ANSWER.length; sent++) {
              await origin.reset();
              origin.victim = method;
              origin.used = reused;
              origin.dieAfter = { sent };
              const outcome = await exchange(subject.port, request, reused);
              const where = `after ${sent} of ${ANSWER.length} octets`;
              assertHonest(outcome, where);
              const { response } = outcome;
              const whole = response !== null && response.whole && statusOf(response) === 201;
              if (origin.delivered[method] === 1) {
                assert.equal(
                  whole,
                  sent === ANSWER.length,
                  `${where}: the client got ${JSON.stringify(response?.raw)}`,
                );
              }
              assert.ok(origin.begun[method] <= most, `${where}: begun ${origin.begun[method]} times`);
              // Once a part of an answer came, even a GET must not be asked again.
              if (sent > 0) assert.equal(origin.begun[method], 1, `${where}: asked again`);
            }
          });
        }
      }
    } finally {
      await subject.stop();
      await origin.stop();
    }
  });
}
