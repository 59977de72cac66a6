/**
 * One request as routes see it. Text is made when somebody asks for it, and once; the object itself is made once a
 * thread.
 */
import { type Address, type Cidr, contains, formatAddress, parseAddress } from "../../bytes/address.ts";
import { fieldName, type RequestHead, textOf } from "../../http/mod.ts";
import { isPlainPath, normalPath } from "../../http/path.ts";

/** Who connected, and by what. */
export interface Peer {
  /** The connection's address as text; "unknown" or "unix:" where it has none. */
  readonly addressText: string;
  /** The same, parsed when it was first asked for; null where it is no IP address. */
  parsedAddress?: Address | null;
  readonly scheme: "http" | "https";
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trusted: readonly Cidr[];
}

export class RequestFacts {
  head: RequestHead | null = null;
  #peer: Peer | null = null;
  #host: string | null = null;
  #path: string | null = null;
  #plain = false;
  #query: URLSearchParams | null = null;
  #client: Address | null | undefined = undefined;
  #requestId: string | null = null;

  constructor(readonly makeId: () => string) {}

  begin(head: RequestHead, peer: Peer): this {
    this.head = head;
    this.#peer = peer;
    this.#host =
      this.#path =
      this.#query =
      this.#requestId =
        null;
    this.#client = undefined;
    return this;
  }

  /** Nothing of the request is kept. */
  end(): void {
    this.head = this.#peer = null;
  }

  /** Name of the host, lower-case, without port and without the root's dot; "" where the request names none. */
  get host(): string {
    return this.#host ??= hostName(this.#request.hostText());
  }

  /** The path in its normal form. */
  get path(): string {
    return this.#path ??= this.#findPath();
  }

  /** Whether the path means the same to every origin; only true after `path` was asked for. */
  get plain(): boolean {
    return this.#plain;
  }

  /** The path as sent; "/" where the target has none. */
  get sentPath(): string {
    return this.#request.pathText() || "/";
  }

  /** The query as sent, without "?". */
  get sentQuery(): string {
    const { bytes, start, pathEnd, targetEnd } = this.#request;
    return pathEnd < targetEnd && bytes[start + pathEnd] === 0x3f
      ? textOf(bytes, start + pathEnd + 1, start + targetEnd)
      : "";
  }

  /** Parameters of the query, decoded. */
  get query(): URLSearchParams {
    return this.#query ??= new URLSearchParams(this.sentQuery);
  }

  get method(): string {
    return this.#request.methodText();
  }

  /** How the client came to us, or to the trusted proxy in front, if that says so. */
  get scheme(): string {
    const ours = this.#peer?.scheme ?? "http";
    const field = this.#request.findId(fieldName.X_FORWARDED_PROTO);
    if (field < 0 || !this.#isTrusted(this.#peerAddress())) return ours;
    const said = this.#request.text(field).toLowerCase();
    return said === "http" || said === "https" ? said : ours;
  }

  /**
   * The client's address: of the connection, or, where that is a trusted proxy, the last one in X-Forwarded-For that is
   * not. null where it is no IP address, which no network contains.
   */
  get client(): Address | null {
    return this.#client === undefined ? (this.#client = this.#findClient()) : this.#client;
  }

  get clientText(): string {
    return this.client === null ? this.#peer?.addressText ?? "unknown" : formatAddress(this.client);
  }

  /** X-Request-Id as a trusted proxy sent it, if it can pass for one, else a new one: nobody else chooses what we log. */
  get requestId(): string {
    return this.#requestId ??= this.#receivedId() ?? this.makeId();
  }

  /** Value of a placeholder that every request has, as sent; captures are the matcher's. */
  value(name: string): string {
    switch (name) {
      case "scheme":
        return this.scheme;
      case "host":
        return this.host;
      case "uri":
        return this.sentQuery === "" ? this.sentPath : `${this.sentPath}?${this.sentQuery}`;
      case "path":
        return this.sentPath;
      case "query":
        return this.sentQuery;
      case "method":
        return this.method;
      case "client_ip":
        return this.clientText;
      case "request_id":
        return this.requestId;
    }
    return "";
  }

  get #request(): RequestHead {
    if (this.head === null) throw new TypeError("Cannot tell anything of a request: none has begun");
    return this.head;
  }

  #findPath(): string {
    const { bytes, start, pathStart, pathEnd } = this.#request;
    this.#plain = isPlainPath(bytes, start + pathStart, start + pathEnd);
    const sent = textOf(bytes, start + pathStart, start + pathEnd);
    return this.#plain ? sent : normalPath(sent);
  }

  #findClient(): Address | null {
    let address = this.#peerAddress();
    if (!this.#isTrusted(address)) return address;
    const hops = this.#forwardedFor();
    while (this.#isTrusted(address)) {
      const before = hops.pop();
      if (before === undefined) break;
      address = addressOf(before);
    }
    return address;
  }

  #peerAddress(): Address | null {
    const peer = this.#peer;
    if (peer === null) return null;
    return peer.parsedAddress === undefined ? (peer.parsedAddress = addressOf(peer.addressText)) : peer.parsedAddress;
  }

  #isTrusted(address: Address | null): boolean {
    const trusted = this.#peer?.trusted ?? [];
    return address !== null && trusted.length > 0 && trusted.some((network) => contains(network, address));
  }

  #forwardedFor(): string[] {
    const head = this.#request;
    const hops: string[] = [];
    for (let i = head.findId(fieldName.X_FORWARDED_FOR); i >= 0; i = head.findId(fieldName.X_FORWARDED_FOR, i + 1)) {
      hops.push(...head.text(i).split(",").map((hop) => hop.trim()).filter((hop) => hop !== ""));
    }
    return hops;
  }

  #receivedId(): string | null {
    const head = this.#request;
    const peer = this.#peer;
    if (peer === null || peer.trusted.length === 0) return null;
    const address = addressOf(peer.addressText);
    if (address === null || !peer.trusted.some((network) => contains(network, address))) return null;
    const field = head.findId(fieldName.X_REQUEST_ID);
    if (field < 0) return null;
    const text = head.text(field);
    return /^[\w.:+/=-]{1,128}$/.test(text) ? text : null;
  }
}

/** The host of an authority that has been checked, as names are compared. */
function hostName(authority: string): string {
  if (authority.startsWith("[")) return authority.slice(0, authority.indexOf("]") + 1).toLowerCase();
  const colon = authority.indexOf(":");
  let name = colon < 0 ? authority : authority.slice(0, colon);
  if (name.includes("%")) name = decodeAscii(name);
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}

/** RFC 3986 §3.2.2 lets a name be percent-encoded; an origin may read it as what it stands for. */
function decodeAscii(name: string): string {
  return name.replace(/%([2-6][0-9a-fA-F]|7[0-9a-eA-E])/g, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
}

function addressOf(text: string): Address | null {
  const mapped = /^::ffff:([\d.]+)$/i.exec(text);
  try {
    return parseAddress(mapped?.[1] ?? text);
  } catch {
    return null;
  }
}
