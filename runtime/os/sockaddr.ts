/** `struct sockaddr_in` and `struct sockaddr_in6` from addresses and back. */
import type { Address } from "../bytes/address.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

/** Room for either. */
export const sockaddrLength = 28;

/** `scope` is the interface index that a link-local IPv6 address needs. */
export function encodeSockaddr(address: Address, port: number, scope = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(address.length === 4 ? 16 : sockaddrLength);
  const view = new DataView(bytes.buffer);
  // The family is in host order, port and address in network order.
  view.setUint16(0, address.length === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  bytes.set(address, address.length === 4 ? 4 : 8);
  if (address.length === 16) view.setUint32(24, scope, true);
  return bytes;
}

/** A copy of the address that the kernel wrote; undefined for other families. */
export function decodeSockaddr(bytes: Uint8Array): { readonly address: Address; readonly port: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = view.getUint16(0, true);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const start = family === AF_INET ? 4 : 8;
  const address = new Uint8Array(bytes.subarray(start, start + (family === AF_INET ? 4 : 16)));
  return { address, port: view.getUint16(2) };
}
