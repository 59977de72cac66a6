/**
 * Requests of plugins to endpoints that the operator granted by name. The plugin chooses what it says; where it goes, and
 * what proves who we are, is added here and never seen by it. A redirect is an answer, and goes nowhere.
 */
import { createHmac } from "node:crypto";
import { lookup as resolve } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP } from "node:net";
import type { EndpointRequest, EndpointResponse } from "./broker.ts";

/** One entry of `grants.endpoints`, its secrets resolved. */
export interface Endpoint {
  readonly url: string;
  /** Sent with every request; a plugin cannot replace them. */
  readonly headers: Readonly<Record<string, string>>;
  /** HMAC-SHA256 of the body, in hexadecimal, in this header. */
  readonly signature: { readonly header: string; readonly secret: string } | null;
  /** `net_unsafe`: loopback, link-local, metadata and peers may be reached. */
  readonly unsafe: boolean;
}

export interface EndpointOptions {
  /** Addresses that are never reached, beside loopback, link-local and metadata: the VRRP peers. */
  readonly forbidden: readonly string[];
  /** ms for the whole exchange. @default 10000 */
  readonly timeout?: number;
}

/** A request that is not made; the plugin reads why. */
export class EndpointRefused extends Error {
  override readonly name = "EndpointRefused";
}

const TIMEOUT = 10_000;
/** As base64 in a frame, with its headers. */
const MOST_BODY = 128 * 1024;
const MOST_PATH = 8 * 1024;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
/** What the connection is made of is ours to say. */
const OURS = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);

/** Sends `request` to the endpoint it names. */
export async function requestEndpoint(
  endpoints: Readonly<Record<string, Endpoint>>,
  request: EndpointRequest,
  options: EndpointOptions,
): Promise<EndpointResponse> {
  if (!Object.hasOwn(endpoints, request.endpoint)) {
    throw new EndpointRefused(
      `Endpoint "${request.endpoint}" is not granted; there is ${Object.keys(endpoints).join(", ")}`,
    );
  }
  const endpoint = endpoints[request.endpoint];
  const url = targetUrl(endpoint.url, request.path);
  const headers = targetHeaders(endpoint, request);
  if (!METHODS.has(request.method)) throw new EndpointRefused(`Method "${request.method}" is not offered`);
  return await exchange(
    url,
    { ...request, headers },
    forbiddenAddresses(endpoint, options),
    options.timeout ?? TIMEOUT,
  );
}

/**
 * `path` appended to the endpoint's URL. It cannot leave the URL's path, host or scheme.
 *
 * @throws {EndpointRefused} when it tries to.
 */
export function targetUrl(base: string, path: string): URL {
  const granted = new URL(base);
  if (path === "") return granted;
  if (path.length > MOST_PATH) throw new EndpointRefused(`Path has more than ${MOST_PATH} characters`);
  if (!/^[/?][\x21-\x7e]*$/.test(path)) throw new EndpointRefused(`Path must begin with "/" or "?" and hold no spaces`);
  const prefix = granted.pathname.replace(/\/$/, "");
  const [way, query] = path.startsWith("?") ? [granted.pathname, path] : [prefix + path, ""];
  const url = new URL(granted);
  [url.pathname, url.search] = splitQuery(way, query || granted.search);
  // Dot segments have been resolved by now, percent-encoded ones too.
  const inside = url.pathname === granted.pathname || url.pathname.startsWith(`${prefix}/`);
  if (!inside || url.origin !== granted.origin) throw new EndpointRefused(`Path "${path}" leaves the endpoint`);
  return url;
}

function splitQuery(way: string, fallback: string): [path: string, search: string] {
  const at = way.indexOf("?");
  return at < 0 ? [way, fallback] : [way.slice(0, at), way.slice(at)];
}

/** The plugin's headers, then the operator's over them. */
export function targetHeaders(endpoint: Endpoint, request: EndpointRequest): [string, string][] {
  const headers = new Headers();
  for (const [name, value] of request.headers) {
    if (!OURS.has(name.toLowerCase())) headers.set(name, value); // throws a TypeError on what is no header
  }
  for (const [name, value] of Object.entries(endpoint.headers)) headers.set(name, value);
  if (endpoint.signature) {
    const { header, secret } = endpoint.signature;
    headers.set(header, createHmac("sha256", secret).update(request.body ?? new Uint8Array(0)).digest("hex"));
  }
  if (request.body) headers.set("content-length", String(request.body.length));
  return [...headers];
}

/** Nothing for an endpoint that the operator called unsafe. */
export function forbiddenAddresses(endpoint: Pick<Endpoint, "unsafe">, { forbidden }: EndpointOptions): BlockList {
  const list = new BlockList();
  if (endpoint.unsafe) return list;
  list.addSubnet("0.0.0.0", 8, "ipv4");
  list.addSubnet("127.0.0.0", 8, "ipv4");
  list.addSubnet("169.254.0.0", 16, "ipv4"); // link-local, and where clouds keep their metadata
  list.addSubnet("224.0.0.0", 4, "ipv4");
  list.addSubnet("::", 127, "ipv6");
  list.addSubnet("fe80::", 10, "ipv6");
  list.addSubnet("ff00::", 8, "ipv6");
  list.addAddress("fd00:ec2::254", "ipv6");
  for (const address of forbidden) list.addAddress(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return list;
}

/** Whether `address` is on the list, also when it is an IPv4 address dressed as IPv6. */
export function isForbidden(list: BlockList, address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return list.check(mapped, "ipv4");
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

type Outgoing = Omit<EndpointRequest, "headers"> & { readonly headers: readonly [string, string][] };

function exchange(url: URL, request: Outgoing, forbidden: BlockList, timeout: number): Promise<EndpointResponse> {
  return new Promise((resolvePromise, reject) => {
    const secure = url.protocol === "https:";
    const literal = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(literal) && isForbidden(forbidden, literal)) {
      return reject(new EndpointRefused(`Address ${literal} is reached only under net_unsafe`));
    }
    const outgoing = (secure ? requestHttps : requestHttp)(url, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      agent: false,
      // The address that was looked at is the one that is connected to: a name cannot change its mind in between.
      lookup: (name, { all, family }, done) => {
        resolve(name, { all: true, family }, (error, addresses) => {
          const bad = addresses?.find(({ address }) => isForbidden(forbidden, address));
          const refused = bad && new EndpointRefused(`"${name}" is at ${bad.address}, reached only under net_unsafe`);
          if (error ?? refused) return done((error ?? refused)!, [] as never);
          return all ? done(null, addresses) : done(null, addresses[0].address, addresses[0].family);
        });
      },
    }, (response) => collect(response).then(resolvePromise, fail).finally(() => clearTimeout(timer)));
    const fail = (error: Error) => {
      clearTimeout(timer);
      outgoing.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer of the endpoint within ${timeout} ms`)), timeout);
    outgoing.on("error", fail);
    outgoing.end(request.body ?? undefined);
  });
}

async function collect(response: IncomingMessage): Promise<EndpointResponse> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > MOST_BODY) throw new Error(`the endpoint's answer has more than ${MOST_BODY} bytes`);
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  const headers = Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
    name === "set-cookie" || value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]]
  );
  return { status: response.statusCode ?? 0, headers, body };
}
