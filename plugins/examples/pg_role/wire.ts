/** PostgreSQL's protocol, version 3, as far as a login and one query need it. Pure. */

/** One message of the server: its type, and what follows the length. */
export interface Message {
  /** "R" authentication, "Z" ready, "D" row, "E" error … */
  readonly type: string;
  readonly body: Uint8Array;
}

const MOST_MESSAGE = 64 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Collects bytes as they arrive and gives whole messages. */
export class MessageReader {
  #pending = new Uint8Array(0);

  push(bytes: Uint8Array): Message[] {
    const all = new Uint8Array(this.#pending.length + bytes.length);
    all.set(this.#pending);
    all.set(bytes, this.#pending.length);
    const messages: Message[] = [];
    let at = 0;
    while (all.length - at >= 5) {
      const length = new DataView(all.buffer).getUint32(at + 1);
      if (length < 4 || length > MOST_MESSAGE) throw new Error("not a PostgreSQL server");
      if (all.length - at < 1 + length) break;
      messages.push({ type: String.fromCharCode(all[at]), body: all.slice(at + 5, at + 1 + length) });
      at += 1 + length;
    }
    this.#pending = all.slice(at);
    return messages;
  }
}

/** Int32 length, Int32 protocol 3.0, then pairs of names and values. */
export function startup(user: string, database: string): Uint8Array<ArrayBuffer> {
  const body = `user\0${user}\0database\0${database}\0application_name\0tandem check\0\0`;
  const bytes = encoder.encode(body);
  const message = new Uint8Array(8 + bytes.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, 196_608);
  message.set(bytes, 8);
  return message;
}

function message(type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

export function query(sql: string): Uint8Array<ArrayBuffer> {
  return message("Q", encoder.encode(`${sql}\0`));
}

export const terminate = message("X", new Uint8Array(0));

/** SASLInitialResponse: mechanism, Int32 length, data. */
export function saslInitial(mechanism: string, data: string): Uint8Array<ArrayBuffer> {
  const name = encoder.encode(`${mechanism}\0`), bytes = encoder.encode(data);
  const body = new Uint8Array(name.length + 4 + bytes.length);
  body.set(name);
  new DataView(body.buffer).setUint32(name.length, bytes.length);
  body.set(bytes, name.length + 4);
  return message("p", body);
}

export function saslResponse(data: string): Uint8Array<ArrayBuffer> {
  return message("p", encoder.encode(data));
}

/** What an authentication message asks for. */
export function authentication(body: Uint8Array): { readonly code: number; readonly text: string } {
  return { code: new DataView(body.buffer, body.byteOffset).getUint32(0), text: decoder.decode(body.subarray(4)) };
}

/** `severity code message` of an error or notice. */
export function errorText(body: Uint8Array): string {
  const fields = new Map(decoder.decode(body).split("\0").filter(Boolean).map((field) => [field[0], field.slice(1)]));
  return `${fields.get("M") ?? "error without a message"} (${fields.get("C") ?? "?????"})`;
}

/** Columns of a row as text; null for SQL's null. */
export function row(body: Uint8Array): (string | null)[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const columns: (string | null)[] = [];
  for (let at = 2, left = view.getUint16(0); left > 0; left--) {
    const length = view.getInt32(at);
    at += 4;
    columns.push(length < 0 ? null : decoder.decode(body.subarray(at, at + length)));
    at += Math.max(0, length);
  }
  return columns;
}
