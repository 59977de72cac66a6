/** The four forms of a request target (RFC 9112 §3.2), two of which a reverse proxy takes. */

import { bytesOf, equalsIgnoreCase } from "./bytes.ts";
import { NONE, REPEATED } from "./head.ts";
import { isAuthority, sameAuthority } from "./host.ts";
import { CONNECT, OPTIONS, TRACE } from "./method.ts";
import type { RefusalReason } from "./refusal.ts";
import type { RequestHead, RequestLimits } from "./request_head.ts";

const HTTP_SCHEME = bytesOf("http://");
const HTTPS_SCHEME = bytesOf("https://");

/** Checks method and form of the target (RFC 9112 §3.2) and finds authority and path of an absolute one. */
export function targetFault(
  head: RequestHead,
  bytes: Uint8Array,
  target: number,
  end: number,
  limits: RequestLimits,
): RefusalReason | null {
  if (head.method === CONNECT) return "connect";
  if (head.method === TRACE && limits.trace !== true) return "trace";
  if (bytes[target] === 0x2f) return null;
  if (bytes[target] === 0x2a && end === target + 1) {
    head.pathEnd = head.pathStart;
    return head.method === OPTIONS ? null : "targetForm";
  }
  const scheme = schemeLength(bytes, target, end);
  if (scheme === 0) return "targetForm";
  const authority = target + scheme;
  let p = authority;
  while (p < end && bytes[p] !== 0x2f && bytes[p] !== 0x3f) p++;
  if (!isAuthority(bytes, authority, p)) return "targetForm";
  head.authorityStart = authority - head.start;
  head.authorityEnd = head.pathStart = p - head.start;
  if (head.pathEnd < head.pathStart) head.pathEnd = head.pathStart;
  return null;
}

function schemeLength(bytes: Uint8Array, target: number, end: number): number {
  for (const scheme of [HTTP_SCHEME, HTTPS_SCHEME]) {
    const { length } = scheme;
    if (end - target > length && equalsIgnoreCase(bytes, target, target + length, scheme)) return length;
  }
  return 0;
}

/** Whether Host is there, is one, and means what an absolute target says (RFC 9112 §3.2.2); the reason if not. */
export function hostFault(head: RequestHead, bytes: Uint8Array): RefusalReason | null {
  if (head.hostField === REPEATED) return "hostRepeated";
  if (head.hostField === NONE) return head.minor === 1 ? "hostMissing" : null;
  const host = head.valueStart(head.hostField);
  const end = head.valueEnd(head.hostField);
  if (!isAuthority(bytes, host, end)) return "host";
  if (head.authorityStart < 0) return null;
  const authority = head.start + head.authorityStart;
  const defaultPort = authority - head.start - head.targetStart === HTTPS_SCHEME.length ? 443 : 80;
  const same = sameAuthority(bytes, authority, head.start + head.authorityEnd, host, end, defaultPort);
  return same ? null : "hostMismatch";
}
