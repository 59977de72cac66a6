/** HelloReader on what OpenSSL 3.0 sends (captured from `openssl s_client`), and on what nobody should send. */
import assert from "node:assert/strict";
import { HelloReader, type HelloReading, MOST_HELLO } from "../../../runtime/proxy/client_hello.ts";

const captured = {
  tls13:
    "FgMBATcBAAEzAwMwzugqyCDOTRVJijOXCEAt17iqK3dg7lAyJ/phe2MzcCCcPqxAVbi226Pf5+sNnhM1Tg5dsdfGxvFeF8t6q/WxrAA+EwITAxMBwCzAMACfzKnMqMyqwCvALwCewCTAKABrwCPAJwBnwArAFAA5wAnAEwAzAJ0AnAA9ADwANQAvAP8BAACsAAAADwANAAAKZGIuZXhhbXBsZQALAAQDAAECAAoAFgAUAB0AFwAeABkAGAEAAQEBAgEDAQQAIwAAABYAAAAXAAAADQAqACgEAwUDBgMIBwgICAkICggLCAQIBQgGBAEFAQYBAwMDAQMCBAIFAgYCACsACQgDBAMDAwIDAQAtAAIBAQAzACYAJAAdACAV3CC8YgTj3zJFmXyaIY4/4i+f8hrQZni7vUn4CJh8Dw==",
  tls12:
    "FgMBAMoBAADGAwOOtAiBvpMGE9eSagnjyi2nqk1u/0brMoMO/XXS7sFOiQAAOMAswDAAn8ypzKjMqsArwC8AnsAkwCgAa8AjwCcAZ8AKwBQAOcAJwBMAMwCdAJwAPQA8ADUALwD/AQAAZQAAAA8ADQAACkRiLkV4YW1wbGUACwAEAwABAgAKAAwACgAdABcAHgAZABgAIwAAABYAAAAXAAAADQAqACgEAwUDBgMIBwgICAkICggLCAQIBQgGBAEFAQYBAwMDAQMCBAIFAgYC",
  tls13Nameless:
    "FgMBASQBAAEgAwNZSY0a1bZXJvryMf8XHFEzTdqqBq367HoWbgICIt9KrSCyzv7DjzknJjtm2eCgHUY64lp5cmhu8EgmLCJgRRoMogA+EwITAxMBwCzAMACfzKnMqMyqwCvALwCewCTAKABrwCPAJwBnwArAFAA5wAnAEwAzAJ0AnAA9ADwANQAvAP8BAACZAAsABAMAAQIACgAWABQAHQAXAB4AGQAYAQABAQECAQMBBAAjAAAAFgAAABcAAAANACoAKAQDBQMGAwgHCAgICQgKCAsIBAgFCAYEAQUBBgEDAwMBAwIEAgUCBgIAKwAJCAMEAwMDAgMBAC0AAgEBADMAJgAkAB0AIJ29A5hFuItTFC9LLCwgs/u9p82CcvboB+c6+fabJxID",
  tls12Nameless:
    "FgMBALcBAACzAwOZzVoqWRDVRvVWs2UvhdjyzfqmUDNn/YhuzlQWWdFvmQAAOMAswDAAn8ypzKjMqsArwC8AnsAkwCgAa8AjwCcAZ8AKwBQAOcAJwBMAMwCdAJwAPQA8ADUALwD/AQAAUgALAAQDAAECAAoADAAKAB0AFwAeABkAGAAjAAAAFgAAABcAAAANACoAKAQDBQMGAwgHCAgICQgKCAsIBAgFCAYEAQUBBgEDAwMBAwIEAgUCBgI=",
};

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

function read(bytes: Uint8Array, step = bytes.length): HelloReading {
  const reader = new HelloReader();
  let reading = reader.read(bytes, 0, 0);
  for (let at = 0; at < bytes.length; at += step) reading = reader.read(bytes, at, Math.min(bytes.length, at + step));
  return reading;
}

const hello = (serverName: string | null) => ({ type: "hello", serverName });
const other = (reason: string) => ({ type: "other", reason });

/** The message of a captured record, in records of `size` octets. */
function fragmented(bytes: Uint8Array, size: number): Uint8Array {
  const message = bytes.subarray(5);
  const records: number[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(22, 3, 1, fragment.length >> 8, fragment.length & 255, ...fragment);
  }
  return Uint8Array.from(records);
}

/** A hello with these extensions, as one record. */
function withExtensions(extensions: readonly number[]): Uint8Array {
  const body = [3, 3, ...new Array(32).fill(7), 0, 0, 2, 0x13, 1, 1, 0, ...u16(extensions.length), ...extensions];
  const message = [1, 0, ...u16(body.length), ...body];
  return Uint8Array.from([22, 3, 1, ...u16(message.length), ...message]);
}

function u16(value: number): number[] {
  return [value >> 8, value & 255];
}

function nameExtension(name: string, type = 0): number[] {
  const list = [type, ...u16(name.length), ...new TextEncoder().encode(name)];
  return [0, 0, ...u16(list.length + 2), ...u16(list.length), ...list];
}

Deno.test("HelloReader reads the server name of real hellos, in one piece, octet by octet, over any records", () => {
  const rows = [
    [captured.tls13, "db.example"],
    [captured.tls12, "db.example"],
    [captured.tls13Nameless, null],
    [captured.tls12Nameless, null],
  ] as const;
  for (const [base64, name] of rows) {
    const bytes = bytesOf(base64);
    for (const step of [bytes.length, 1, 2, 7, 100]) assert.deepEqual(read(bytes, step), hello(name), `${step}`);
    for (const size of [1, 3, 4, 5, 50, 200]) {
      for (const step of [1, 6, 10_000]) assert.deepEqual(read(fragmented(bytes, size), step), hello(name), `${size}`);
    }
  }
});

Deno.test("HelloReader waits for every octet, and bytes behind the hello change nothing", () => {
  const bytes = bytesOf(captured.tls13);
  for (let length = 0; length < bytes.length; length++) {
    assert.deepEqual(read(bytes.subarray(0, length)), { type: "more" }, `${length}`);
  }
  assert.deepEqual(read(Uint8Array.from([...bytes, 20, 3, 3, 0, 1, 1])), hello("db.example"));
  const reader = new HelloReader();
  reader.read(bytes, 0, bytes.length);
  assert.deepEqual(reader.read(Uint8Array.of(1, 2, 3), 0, 3), hello("db.example"));
});

Deno.test("HelloReader tells what is no ClientHello as early as it can, and why", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const whole = bytesOf(captured.tls13);
  const changed = (at: number, value: number) => {
    const bytes = whole.slice();
    bytes[at] = value;
    return bytes;
  };
  const rows: readonly [string, Uint8Array, string][] = [
    ["HTTP", text("G"), "content type"],
    ["PostgreSQL's SSLRequest", Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47), "content type"],
    ["SSH", text("SSH-2.0-x"), "content type"],
    ["SSL 2.0", Uint8Array.of(0x80, 0x2e, 1, 0, 2), "content type"],
    ["an alert", changed(0, 21), "content type"],
    ["major version 2", Uint8Array.of(22, 2), "version"],
    ["an empty handshake record (RFC 8446 §5.1)", Uint8Array.of(22, 3, 1, 0, 0), "length"],
    ["a record over 2^14", Uint8Array.of(22, 3, 1, 0x40, 1), "length"],
    ["a ServerHello", changed(5, 2), "message"],
    ["a hello over the limit", Uint8Array.of(22, 3, 1, 0x40, 0, 1, 0, 0x40, 1), "size"],
    ["a session id beyond the end", changed(43, 255), "vector"],
    ["extensions beyond the end", withExtensions([0, 0, 0, 9]), "vector"],
    ["an empty list of names", withExtensions([0, 0, 0, 2, 0, 0]), "vector"],
    ["an empty name", withExtensions(nameExtension("")), "name"],
    ["another type of name", withExtensions(nameExtension("a.example", 1)), "name"],
    ["two extensions with names", withExtensions([...nameExtension("a"), ...nameExtension("b")]), "name"],
    ["a name with a NUL", withExtensions(nameExtension("a\0.example")), "name"],
    ["a name with a space", withExtensions(nameExtension("a example")), "name"],
    ["a wildcard as name", withExtensions(nameExtension("*.example")), "name"],
    ["an empty label", withExtensions(nameExtension("a..example")), "name"],
    ["a name over 255 octets", withExtensions(nameExtension("a".repeat(256))), "name"],
  ];
  for (const [what, bytes, reason] of rows) {
    assert.deepEqual(read(bytes), other(reason), what);
    assert.deepEqual(read(bytes, 1), other(reason), `${what}, octet by octet`);
  }
  assert.deepEqual(read(withExtensions(nameExtension("A.Example."))), hello("a.example"));
});

Deno.test("HelloReader never throws, and never wants more than a largest hello, on any mutation", () => {
  let seed = 7;
  const random = (most: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % most;
  const originals = Object.values(captured).map(bytesOf);
  for (let round = 0; round < 4000; round++) {
    const bytes = originals[round % originals.length].slice();
    for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(256);
    const whole = read(bytes);
    assert.deepEqual(read(bytes, 1 + random(20)), whole, "however it comes, it is read alike");
  }
  const endless = new Uint8Array(3 * MOST_HELLO).fill(22);
  endless.set([22, 3, 1, 0x40, 0, 1, 0, 0x40, 0]);
  assert.equal(read(endless).type, "other");
});
