/**
 * Messages of the DNS (RFC 1035 §4): one question out, one answer in. Pure.
 *
 *     ┌ ID, flags, counts: 12 octets ┬ question ┬ answers ┬ authority, additional (not read) ┐
 */

/** Types of records by name, as far as their data can be shown. */
export const recordTypes = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const;

export type RecordType = keyof typeof recordTypes;

/** RCODE by number (RFC 1035 §4.1.1, RFC 2136 §2.2). */
export const rcodes = "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE".split(
  " ",
);

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly record: RecordType;
  /** Asks the server to ask others. */
  readonly recursion: boolean;
}

export interface DnsAnswer {
  readonly rcode: string;
  /** There is more than a datagram holds: it has to be asked for by TCP (RFC 7766 §5). */
  readonly truncated: boolean;
  /** The data of the records of the type that was asked for, in their order. */
  readonly records: readonly string[];
}

const HEAD = 12;
const CLASS_IN = 1;
const Flag = { response: 0x8000, truncated: 0x0200, recursion: 0x0100 } as const;
const MOST_LABEL = 63;
const MOST_NAME = 255;

/** @throws {RangeError} when the name cannot be written. */
export function encodeQuestion({ id, name, record, recursion }: Question): Uint8Array {
  const labels = name.replace(/\.$/, "").split(".").filter((label) => label !== "");
  const encoder = new TextEncoder();
  const octets = labels.flatMap((label) => {
    const bytes = encoder.encode(label);
    if (bytes.length > MOST_LABEL) throw new RangeError(`"${label}" is longer than ${MOST_LABEL} octets`);
    return [bytes.length, ...bytes];
  });
  if (octets.length >= MOST_NAME) throw new RangeError(`"${name}" is longer than ${MOST_NAME} octets`);
  const head = [id, recursion ? Flag.recursion : 0, 1, 0, 0, 0].flatMap(uint16);
  return Uint8Array.from([...head, ...octets, 0, ...uint16(recordTypes[record]), ...uint16(CLASS_IN)]);
}

/** Whether a message is the answer to `question`, and not one to somebody else's, or of somebody else (RFC 5452 §9.1). */
export function answersTo(message: Uint8Array, question: Question): boolean {
  if (message.length < HEAD) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint16(0) !== question.id || (view.getUint16(2) & Flag.response) === 0) return false;
  // An error may come without the question.
  if (view.getUint16(4) === 0) return (view.getUint16(2) & 0xf) !== 0;
  try {
    const reader = new Reader(message, HEAD);
    return canonicalName(reader.name()) === canonicalName(question.name) &&
      reader.uint16() === recordTypes[question.record] && reader.uint16() === CLASS_IN;
  } catch {
    return false;
  }
}

/** @throws {SyntaxError} when the message is cut off, or a name in it has no end. */
export function decodeAnswer(message: Uint8Array, record: RecordType): DnsAnswer {
  const reader = new Reader(message, 2);
  const flags = reader.uint16();
  const [questions, answers] = [reader.uint16(), reader.uint16()];
  const rcode = rcodes[flags & 0xf] ?? `rcode ${flags & 0xf}`;
  const truncated = (flags & Flag.truncated) !== 0;
  reader.at = HEAD;
  for (let i = 0; i < questions; i++) {
    reader.name();
    reader.at += 4;
  }
  const records: string[] = [];
  for (let i = 0; i < answers && !truncated; i++) {
    reader.name();
    const type = reader.uint16();
    const category = reader.uint16();
    reader.at += 4; // how long it may be kept
    const length = reader.uint16();
    const end = reader.at + length;
    reader.need(length);
    if (type === recordTypes[record] && category === CLASS_IN) records.push(shown(record, reader, end));
    reader.at = end;
  }
  return { rcode, truncated, records };
}

/** Names do not know case, and end with a dot or not. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function shown(record: RecordType, reader: Reader, end: number): string {
  switch (record) {
    case "A":
      return [...reader.bytes(4)].join(".");
    case "AAAA": {
      const groups = Array.from({ length: 8 }, () => reader.uint16().toString(16));
      return canonicalAddress(groups.join(":"));
    }
    case "NS":
    case "CNAME":
    case "PTR":
      return canonicalName(reader.name());
    case "MX":
      return `${reader.uint16()} ${canonicalName(reader.name())}`;
    case "SRV":
      return `${reader.uint16()} ${reader.uint16()} ${reader.uint16()} ${canonicalName(reader.name())}`;
    case "SOA": {
      const names = [reader.name(), reader.name()].map(canonicalName);
      return [...names, ...Array.from({ length: 5 }, () => reader.uint32())].join(" ");
    }
    case "TXT": {
      let text = "";
      while (reader.at < end) text += String.fromCharCode(...reader.bytes(reader.uint8()));
      return text;
    }
  }
}

/** RFC 5952: the one way to write an IPv6 address. */
export function canonicalAddress(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** Reads within the message, or throws. */
class Reader {
  readonly #view: DataView;
  constructor(private readonly message: Uint8Array, public at: number) {
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  }

  need(length: number): void {
    if (this.at + length > this.message.length) throw new SyntaxError("message is cut off");
  }

  bytes(length: number): Uint8Array {
    this.need(length);
    this.at += length;
    return this.message.subarray(this.at - length, this.at);
  }

  uint8(): number {
    return this.bytes(1)[0];
  }

  uint16(): number {
    this.need(2);
    this.at += 2;
    return this.#view.getUint16(this.at - 2);
  }

  uint32(): number {
    this.need(4);
    this.at += 4;
    return this.#view.getUint32(this.at - 4);
  }

  /** A name, whose end may be a pointer to one before (RFC 1035 §4.1.4); "." for the root. */
  name(): string {
    const labels: string[] = [];
    let after: number | null = null;
    let earliest = this.at;
    for (;;) {
      const length = this.uint8();
      if (length === 0) break;
      if (length <= MOST_LABEL) {
        labels.push(String.fromCharCode(...this.bytes(length)));
        continue;
      }
      const to = (length & 0x3f) << 8 | this.uint8();
      after ??= this.at;
      // Only ever further back: what points elsewhere would never end.
      if (length < 0xc0 || to >= earliest) throw new SyntaxError("message has a name without an end");
      this.at = earliest = to;
    }
    if (after !== null) this.at = after;
    return labels.length === 0 ? "." : labels.join(".");
  }
}

function uint16(value: number): [number, number] {
  return [value >> 8 & 0xff, value & 0xff];
}
