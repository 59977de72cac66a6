/** Field names this proxy acts upon, recognised by length and first octet, without making a string. */

import { bytesOf } from "./bytes.ts";

/** Any other field: passed on as it came. */
export const OTHER = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const KEEP_ALIVE = 5;
export const PROXY_CONNECTION = 6;
export const TE = 7;
export const UPGRADE = 8;
export const HTTP2_SETTINGS = 9;
export const TRAILER = 10;
export const EXPECT = 11;
export const X_FORWARDED_FOR = 12;
export const X_FORWARDED_PROTO = 13;
export const X_FORWARDED_HOST = 14;
/** RFC 7239; says the same as the three above, so it is as little to be believed. */
export const FORWARDED = 15;
export const COOKIE = 16;
export const SET_COOKIE = 17;
export const AUTHORIZATION = 18;
export const X_REQUEST_ID = 19;
export const TRACEPARENT = 20;
/** `X_Forwarded_For` and the like: CGI-like origins read it as the field with hyphens, so it never passes. */
export const SHADOW = 21;

const TE_NAME = bytesOf("te");
const HOST_NAME = bytesOf("host");
const COOKIE_NAME = bytesOf("cookie");
const EXPECT_NAME = bytesOf("expect");
const TRAILER_NAME = bytesOf("trailer");
const UPGRADE_NAME = bytesOf("upgrade");
const FORWARDED_NAME = bytesOf("forwarded");
const CONNECTION_NAME = bytesOf("connection");
const KEEP_ALIVE_NAME = bytesOf("keep-alive");
const SET_COOKIE_NAME = bytesOf("set-cookie");
const TRACEPARENT_NAME = bytesOf("traceparent");
const X_REQUEST_ID_NAME = bytesOf("x-request-id");
const AUTHORIZATION_NAME = bytesOf("authorization");
const CONTENT_LENGTH_NAME = bytesOf("content-length");
const HTTP2_SETTINGS_NAME = bytesOf("http2-settings");
const X_FORWARDED_FOR_NAME = bytesOf("x-forwarded-for");
const X_FORWARDED_HOST_NAME = bytesOf("x-forwarded-host");
const PROXY_CONNECTION_NAME = bytesOf("proxy-connection");
const X_FORWARDED_PROTO_NAME = bytesOf("x-forwarded-proto");
const TRANSFER_ENCODING_NAME = bytesOf("transfer-encoding");

/** Which of the fields above `bytes[start, end)` names; the octets have been checked to be a token. */
export function recognise(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] | 0x20;
  switch (end - start) {
    case 2:
      return first === 0x74 ? is(bytes, start, TE_NAME, TE) : OTHER;
    case 4:
      return first === 0x68 ? is(bytes, start, HOST_NAME, HOST) : OTHER;
    case 6:
      if (first === 0x63) return is(bytes, start, COOKIE_NAME, COOKIE);
      return first === 0x65 ? is(bytes, start, EXPECT_NAME, EXPECT) : OTHER;
    case 7:
      if (first === 0x75) return is(bytes, start, UPGRADE_NAME, UPGRADE);
      return first === 0x74 ? is(bytes, start, TRAILER_NAME, TRAILER) : OTHER;
    case 9:
      return first === 0x66 ? is(bytes, start, FORWARDED_NAME, FORWARDED) : OTHER;
    case 10:
      if (first === 0x63) return is(bytes, start, CONNECTION_NAME, CONNECTION);
      if (first === 0x6b) return is(bytes, start, KEEP_ALIVE_NAME, KEEP_ALIVE);
      return first === 0x73 ? is(bytes, start, SET_COOKIE_NAME, SET_COOKIE) : OTHER;
    case 11:
      return first === 0x74 ? is(bytes, start, TRACEPARENT_NAME, TRACEPARENT) : OTHER;
    case 12:
      return first === 0x78 ? is(bytes, start, X_REQUEST_ID_NAME, X_REQUEST_ID) : OTHER;
    case 13:
      return first === 0x61 ? is(bytes, start, AUTHORIZATION_NAME, AUTHORIZATION) : OTHER;
    case 14:
      if (first === 0x63) return is(bytes, start, CONTENT_LENGTH_NAME, CONTENT_LENGTH);
      return first === 0x68 ? is(bytes, start, HTTP2_SETTINGS_NAME, HTTP2_SETTINGS) : OTHER;
    case 15:
      return first === 0x78 ? is(bytes, start, X_FORWARDED_FOR_NAME, X_FORWARDED_FOR) : OTHER;
    case 16:
      if (first === 0x78) return is(bytes, start, X_FORWARDED_HOST_NAME, X_FORWARDED_HOST);
      return first === 0x70 ? is(bytes, start, PROXY_CONNECTION_NAME, PROXY_CONNECTION) : OTHER;
    case 17:
      if (first === 0x74) return is(bytes, start, TRANSFER_ENCODING_NAME, TRANSFER_ENCODING);
      return first === 0x78 ? is(bytes, start, X_FORWARDED_PROTO_NAME, X_FORWARDED_PROTO) : OTHER;
  }
  return OTHER;
}

/** `field` if the name is `lower`, SHADOW if it is so but for underscores, else OTHER. Lengths are equal already. */
function is(bytes: Uint8Array, start: number, lower: Uint8Array, field: number): number {
  for (let i = 1; i < lower.length; i++) {
    const octet = bytes[start + i];
    // Setting bit 5 lower-cases letters and leaves hyphens and digits; no other token octet lands on one of them.
    if ((octet | 0x20) === lower[i]) continue;
    if (octet !== 0x5f || lower[i] !== 0x2d) return OTHER;
    field = SHADOW;
  }
  return field;
}
