import assert from "node:assert/strict";
import {
  parseAddress,
  parseDuration,
  parseEndpoint,
  parsePrefix,
  parseSize,
  printDuration,
} from "../../../runtime/config/values.ts";

/** A text, and its value or the reason against it. */
type Row<T> = readonly [string, T | { readonly reason: RegExp }];

function table<T>(parse: (text: string) => ReturnType<typeof parseDuration> | unknown, rows: readonly Row<T>[]): void {
  for (const [text, wanted] of rows) {
    const result = parse(text) as { ok: boolean; value?: unknown; reason?: string };
    if (typeof wanted === "object" && wanted !== null && "reason" in wanted) {
      assert.equal(result.ok, false, text);
      assert.match(result.reason ?? "", wanted.reason);
    } else assert.deepEqual(result, { ok: true, value: wanted }, text);
  }
}

Deno.test("parseDuration() reads units and refuses bare numbers with what others would read", () => {
  table<number>(parseDuration, [
    ["1s", 1000],
    ["100ms", 100],
    ["0s", 0],
    ["1.5s", 1500],
    ["0.1s", 100],
    ["40.95s", 40_950],
    ["1m30s", 90_000],
    ["1h30m", 5_400_000],
    ["1d", 86_400_000],
    ["1", { reason: /needs a unit: keepalived would read 1 s, HAProxy 1 ms; write "1s" or "1ms"/ }],
    ["0.4", { reason: /keepalived would read 0.4 s/ }],
    ["3650d", 315_360_000_000],
    ["3649d23h59m59.999s", 315_359_999_999],
    ["3650d1ms", { reason: /^must be at most 3650d, which is ten years, got "3650d1ms"$/ }],
    ["99999999h", { reason: /^must be at most 3650d/ }],
    [`${"9".repeat(400)}h`, { reason: /^must be at most 3650d/ }],
    ["0.0001s", { reason: /whole milliseconds/ }],
    ["1:30", { reason: /such as "1m30s"/ }],
    ["1 s", { reason: /must be a duration/ }],
    ["-1s", { reason: /must be a duration/ }],
    ["1S", { reason: /must be a duration/ }],
    ["", { reason: /must be a duration/ }],
    ["1us", { reason: /must be a duration/ }],
  ]);
});

Deno.test("printDuration() writes what parseDuration() reads", () => {
  for (const text of ["10ms", "999ms", "1s", "1.5s", "40.95s", "1m30s", "1h", "1d2h", "24d"]) {
    const parsed = parseDuration(text);
    assert.ok(parsed.ok);
    assert.equal(printDuration(parsed.value), text);
  }
});

Deno.test("parseSize() needs a unit", () => {
  table<number>(parseSize, [
    ["0B", 0],
    ["10MB", 10_000_000],
    ["64KiB", 65_536],
    ["1.5GB", 1_500_000_000],
    ["512kB", 512_000],
    ["100", { reason: /needs a unit/ }],
    ["10Mb", { reason: /must be a size/ }],
  ]);
});

Deno.test("parseAddress() and parsePrefix() know one spelling of an address", () => {
  table<string>(parseAddress, [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["192.0.2.256", { reason: /must be an IP address, got "192.0.2.256"/ }],
    ["192.0.2.01", { reason: /must be an IP address/ }],
    ["localhost", { reason: /must be an IP address/ }],
  ]);
  table<object>(parsePrefix, [
    ["192.0.2.1/24", { address: "192.0.2.1", length: 24 }],
    ["192.0.2.1", { address: "192.0.2.1", length: 32 }],
    ["2001:db8::1", { address: "2001:db8::1", length: 128 }],
    ["192.0.2.1/33", { reason: /prefix of 0–32, got "\/33"/ }],
    ["192.0.2.1/", { reason: /prefix of 0–32/ }],
    ["192.0.2.1/255.255.255.0", { reason: /prefix of 0–32/ }],
  ]);
});

Deno.test("parseEndpoint() reads an address and a port", () => {
  table<object>(parseEndpoint, [
    ["192.0.2.1:80", { host: "192.0.2.1", port: 80 }],
    ["[2001:db8::1]:443", { host: "2001:db8::1", port: 443 }],
    [":80", { host: "", port: 80 }],
    ["*:80", { host: "", port: 80 }],
    ["VI_1:80", { host: "VI_1", port: 80 }],
    ["db.example:5432", { host: "db.example", port: 5432 }],
    ["192.0.2.1", { reason: /must have a port \("192.0.2.1:80"\)/ }],
    ["192.0.2.1:", { reason: /1–65535, got none/ }],
    ["192.0.2.1:0", { reason: /1–65535, got 0/ }],
    ["192.0.2.1:70000", { reason: /1–65535, got 70000/ }],
    ["2001:db8::1", { reason: /"\[IPv6\]:PORT"/ }],
    ["[192.0.2.1]:80", { reason: /IPv6 address in brackets/ }],
    ["192.0.2.1:http", { reason: /ADDRESS:PORT/ }],
  ]);
});
