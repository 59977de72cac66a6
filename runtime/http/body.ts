/**
 * Bodies: an incremental decoder that checks the framing and leaves, in the received buffer itself, exactly the bytes to
 * pass on. Chunks go on as chunks, in the sender's cut, so nothing is held back and usually nothing is moved; extensions
 * are cut out, trailers filtered. What passes has one reading only.
 */

import { BY_CHUNKS, BY_CLOSE, BY_LENGTH, type Framing, NO_BODY } from "./head.ts";
import { CR, hexValue, HTAB, LF, OCTET, SP, VALUE } from "./octet.ts";
import { type Refusal, type RefusalReason, REQUEST, RESPONSE } from "./refusal.ts";
import { TrailerFilter } from "./trailers.ts";

/** How a body is to be read. One object per frontend or thread will do. */
export interface BodyOptions {
  /** Whose body: decides about the status of a refusal and about blanks behind a chunk size, which old origins send. */
  readonly of: "request" | "response";
  /** Pass the content without chunk framing, for HTTP/1.0 clients; trailers are dropped. */
  readonly unchunk: boolean;
  /** Most octets of content. */
  readonly most: number;
}

/** The body goes on behind what was decoded. */
export const BODY_MORE = 0;
/** The message is complete. */
export const BODY_DONE = 1;
/** The message must not be completed; `decoder.refusal` says why. */
export const BODY_REFUSED = 2;
export type BodyState = typeof BODY_MORE | typeof BODY_DONE | typeof BODY_REFUSED;

/** Steps of chunked framing (RFC 9112 §7.1). */
const SIZE_FIRST = 0;
const SIZE = 1;
const PADDING = 2;
const EXTENSION = 3;
const QUOTED = 4;
const QUOTED_PAIR = 5;
const SIZE_LF = 6;
const DATA = 7;
const DATA_CR = 8;
const DATA_LF = 9;
const TRAILER_FIRST = 10;
const TRAILER = 11;
const TRAILER_LF = 12;
const END_LF = 13;

const SIZE_DIGITS = 16;
const EXTENSION_BYTES = 1024;
const NO_OPTIONS: BodyOptions = { of: "request", unchunk: false, most: 0 };

/** Decodes one body after another. */
export class BodyDecoder {
  state: BodyState = BODY_DONE;
  refusal: Refusal | null = null;
  /** Behind the bytes to pass on of the last `decode`; they begin at its `start`. */
  outEnd = 0;
  /** Octets of content so far. */
  payload = 0;
  /** What is left of the body by length, or of the current chunk. */
  remaining = 0;
  #framing: Framing = NO_BODY;
  #options: BodyOptions = NO_OPTIONS;
  #step = SIZE_FIRST;
  /** Digits of the size, octets of the extension. */
  #seen = 0;
  readonly #trailers = new TrailerFilter();

  /** Behind a body that is BODY_DONE: further bytes `tail[0, tailEnd)` to pass on, which are trailers. */
  get tail(): Uint8Array {
    return this.#trailers.kept;
  }

  get tailEnd(): number {
    return this.#options.unchunk ? 0 : this.#trailers.end;
  }

  /** Begins a body with the framing a head object found. */
  begin(framing: Framing, contentLength: number, options: BodyOptions): void {
    this.refusal = null;
    this.payload = this.outEnd = this.remaining = 0;
    this.#framing = framing;
    this.#options = options;
    this.#step = SIZE_FIRST;
    this.#seen = 0;
    this.#trailers.reset();
    this.state = framing === NO_BODY ? BODY_DONE : BODY_MORE;
    if (framing !== BY_LENGTH) return;
    this.remaining = contentLength;
    if (contentLength > options.most) this.#refuse("bodyTooLarge");
    else if (contentLength === 0) this.state = BODY_DONE;
  }

  /**
   * Decodes `bytes[start, end)` and answers how many of them belong to this body; the rest is the next message. What to
   * pass on is then in `bytes[start, this.outEnd)`: bytes may have been moved within the range. Bytes in front of a
   * fault may be passed on, as the message will never be completed.
   */
  decode(bytes: Uint8Array, start: number, end: number): number {
    this.outEnd = start;
    if (this.state !== BODY_MORE) return 0;
    if (this.#framing === BY_CHUNKS) return this.#decodeChunks(bytes, start, end) - start;
    let length = end - start;
    if (this.#framing === BY_LENGTH) {
      if (length >= this.remaining) {
        length = this.remaining;
        this.state = BODY_DONE;
      }
      this.remaining -= length;
    } else if (this.payload + length > this.#options.most) return this.#refuse("bodyTooLarge");
    this.payload += length;
    this.outEnd = start + length;
    return length;
  }

  /** The sender has closed: whether the body is complete with that. If not, the receiver must see a broken connection. */
  endOfStream(): boolean {
    if (this.state === BODY_MORE && this.#framing === BY_CLOSE) this.state = BODY_DONE;
    return this.state === BODY_DONE;
  }

  #refuse(reason: RefusalReason): number {
    this.refusal = (this.#options.of === "request" ? REQUEST : RESPONSE)[reason];
    this.state = BODY_REFUSED;
    return 0;
  }

  /** Offset behind what was read. What is kept moves down over what was cut out. */
  #decodeChunks(bytes: Uint8Array, start: number, end: number): number {
    const keep = !this.#options.unchunk;
    let w = start;
    let p = start;
    while (p < end && this.state === BODY_MORE) {
      if (this.#step === DATA) {
        const length = Math.min(this.remaining, end - p);
        if (w !== p) bytes.copyWithin(w, p, p + length);
        w += length;
        p += length;
        this.payload += length;
        if ((this.remaining -= length) === 0) this.#step = DATA_CR;
        continue;
      }
      const octet = bytes[p++];
      if (this.#advance(octet) && keep) {
        // Writing a byte over itself costs less than asking whether it is where it was.
        bytes[w++] = octet;
      }
    }
    this.outEnd = w;
    return p;
  }

  /** Takes one octet of framing; whether it is passed on. */
  #advance(octet: number): boolean {
    switch (this.#step) {
      case SIZE_FIRST:
      case SIZE:
        return this.#advanceSize(octet);
      case PADDING:
      case EXTENSION:
      case QUOTED:
      case QUOTED_PAIR:
        return this.#advanceExtension(octet);
      case SIZE_LF:
        if (octet !== LF) return this.#fault("bareCr");
        return this.#beginChunk();
      case DATA_CR:
        if (octet !== CR) return this.#fault("chunkEnd");
        this.#step = DATA_LF;
        return true;
      case DATA_LF:
        if (octet !== LF) return this.#fault("chunkEnd");
        this.#step = SIZE_FIRST;
        this.#seen = 0;
        return true;
    }
    return this.#advanceTrailer(octet);
  }

  #fault(reason: RefusalReason): false {
    this.#refuse(reason);
    return false;
  }

  #advanceSize(octet: number): boolean {
    const digit = hexValue(octet);
    if (digit >= 0) {
      this.remaining = this.remaining * 16 + digit;
      this.#step = SIZE;
      if (++this.#seen > SIZE_DIGITS || this.remaining > Number.MAX_SAFE_INTEGER) return this.#fault("chunkSize");
      return true;
    }
    if (this.#step === SIZE_FIRST) return this.#fault("chunkSize");
    this.#seen = 0;
    if (octet === CR) {
      this.#step = SIZE_LF;
      return true;
    }
    if (octet === SP || octet === HTAB) this.#step = PADDING;
    else if (octet === 0x3b) this.#step = EXTENSION;
    else return this.#fault(octet === LF ? "bareLf" : "chunkSize");
    return false;
  }

  /** Extensions are dropped, but not believed to end where a laxer reader would not see their end. */
  #advanceExtension(octet: number): boolean {
    if (++this.#seen > EXTENSION_BYTES) return this.#fault("chunkExtension");
    if (octet === CR) {
      const padded = this.#step === PADDING && this.#options.of === "request";
      if (padded || this.#step === QUOTED || this.#step === QUOTED_PAIR) return this.#fault("chunkExtension");
      this.#step = SIZE_LF;
      return true;
    }
    if (octet === LF) return this.#fault("bareLf");
    if ((OCTET[octet] & VALUE) === 0) return this.#fault("chunkExtension");
    if (this.#step === PADDING) {
      if (octet === 0x3b) this.#step = EXTENSION;
      else if (octet !== SP && octet !== HTAB) return this.#fault("chunkSize");
    } else if (this.#step === QUOTED_PAIR) this.#step = QUOTED;
    else if (this.#step === QUOTED && octet === 0x5c) this.#step = QUOTED_PAIR;
    else if (octet === 0x22) this.#step = this.#step === QUOTED ? EXTENSION : QUOTED;
    return false;
  }

  #beginChunk(): boolean {
    if (this.payload + this.remaining > this.#options.most) return this.#fault("bodyTooLarge");
    this.#step = this.remaining === 0 ? TRAILER_FIRST : DATA;
    return true;
  }

  /** Lines are held back until they are whole; only the blank line is passed on in place, if none went before it. */
  #advanceTrailer(octet: number): boolean {
    const trailers = this.#trailers;
    if (!trailers.admits()) return this.#fault("trailer");
    switch (this.#step) {
      case TRAILER_FIRST:
        if (octet === LF) return this.#fault("bareLf");
        this.#step = octet === CR ? END_LF : TRAILER;
        if (octet === CR) return trailers.end === 0;
        trailers.hold(octet);
        return false;
      case TRAILER:
        if (octet === LF) return this.#fault("bareLf");
        if (octet === CR) this.#step = TRAILER_LF;
        else trailers.hold(octet);
        return false;
      case TRAILER_LF:
        if (octet !== LF) return this.#fault("bareCr");
        this.#step = TRAILER_FIRST;
        return trailers.endLine() ? false : this.#fault("trailer");
    }
    if (octet !== LF) return this.#fault("bareCr");
    this.state = BODY_DONE;
    if (trailers.end === 0) return true;
    trailers.append(CR);
    trailers.append(LF);
    return false;
  }
}
