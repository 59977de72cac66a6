import assert from "node:assert/strict";
import grpc, { type GrpcCheckConfig, message } from "../../../plugins/health/grpc.ts";
import { encodeFields, FieldDecoder } from "../../../plugins/health/hpack.ts";
import { decodeHuffman } from "../../../plugins/health/huffman.ts";
import { probe } from "../../../runtime/health/probe.ts";
import { systemClock } from "../../../runtime/os/clock.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";

const bytes = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));

Deno.test("FieldDecoder reads the examples of RFC 7541 Appendix C", () => {
  const get = [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "www.example.com"]];
  const redirect = [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ];
  const rows: [string, [string, unknown][]][] = [
    ["C.2.2 literal without indexing", [["040c 2f73 616d 706c 652f 7061 7468", [[":path", "/sample/path"]]]]],
    ["C.2.3 literal never indexed", [["1008 7061 7373 776f 7264 0673 6563 7265 74", [["password", "secret"]]]]],
    ["C.3 requests without Huffman", [
      ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", get],
      ["8286 84be 5808 6e6f 2d63 6163 6865", [...get, ["cache-control", "no-cache"]]],
    ]],
    ["C.4 requests with Huffman", [
      ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", get],
      ["8286 84be 5886 a8eb 1064 9cbf", [...get, ["cache-control", "no-cache"]]],
    ]],
    ["C.6 responses with Huffman", [
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        redirect,
      ],
      ["4883 640e ffc1 c0bf", [[":status", "307"], ...redirect.slice(1)]],
    ]],
    ["§4.2 a smaller table forgets", [["4001 6101 62 20 8286 84", [["a", "b"], ...get.slice(0, 3)]]]],
  ];
  for (const [name, blocks] of rows) {
    const decoder = new FieldDecoder();
    for (const [block, fields] of blocks) assert.deepEqual(decoder.decode(bytes(block)), fields, name);
  }
});

Deno.test("FieldDecoder refuses what no encoder writes", () => {
  const rows: [string, string, RegExp][] = [
    ["an index that is in no table", "be", /field 62 is in no table/],
    ["an index of zero", "80", /field 0 is in no table/],
    ["a text that is cut off", "0003 6162", /cut off/],
    ["a number without an end", "7f ff ff ff ff ff ff", /too large/],
    ["a table larger than ours", "3f e2 1f", /table of 4097 bytes, at most 4096/],
    ["padding of zeros, §5.2", "0001 61 81 18", /text is cut off/],
    ["the end of the text in it, §5.2", "0001 61 84 ff ff ff ff", /text holds its own end/],
  ];
  for (const [name, block, error] of rows) {
    assert.throws(() => new FieldDecoder().decode(bytes(block)), error, name);
  }
  assert.equal(decodeHuffman(bytes("a8eb 1064 9cbf")), "no-cache");
});

Deno.test("encodeFields() writes what a decoder reads", () => {
  const fields = [[":path", "/x"], ["te", "trailers"], ["long", "y".repeat(300)]] as const;
  assert.deepEqual(new FieldDecoder().decode(encodeFields(fields)), fields);
});

/** What grpc 1.51 (C-core, Debian 12) sent to this checker, by what it was asked. */
const settings =
  "00001804000000000000 04003fffff0005003fffff00060000 2000fe03000000010000 04080000000000003f0000 000000040100000000 0000040800000000000000000a 000008060000000000 0000000000000000";
const head =
  "00004e010400000001 88400c636f6e74656e742d74797065106170706c69636174696f6e2f677270634014677270632d6163636570742d656e636f64696e67176964656e746974792c206465666c6174652c20677a6970";
const trailers = "00000f010500000001 400b677270632d7374617475730130";
const failed = (code: string) => `88400c636f6e74656e742d74797065106170706c69636174696f6e2f67727063${code}`;
const captured = {
  serving: `${settings} ${head} 000007000000000001 00000000020801 ${trailers}`,
  notServing: `${settings} ${head} 000007000000000001 00000000020802 ${trailers}`,
  notFound: `${settings} 000054010500000001 ${
    failed(
      "400b677270632d7374617475730135000c677270632d6d65737361676516756e6b6e6f776e2073657276696365206e6f626f6479",
    )
  }`,
  unimplemented: `${settings} 000050010500000001 ${
    failed("400b677270632d737461747573023132000c677270632d6d657373616765114d6574686f64206e6f7420666f756e6421")
  }`,
};
const empty = "000000040000000000";

/** Serves one connection with `answer` (null = silence); what the checker found, and what it had sent. */
async function against(answer: string | Uint8Array | null, config: GrpcCheckConfig = {}, timeout = 2000) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked: number[] = [];
  const serving = (async () => {
    using conn = await listener.accept();
    const buffer = new Uint8Array(4096);
    asked.push(...buffer.subarray(0, await conn.read(buffer) ?? 0));
    if (answer !== null) await conn.write(typeof answer === "string" ? bytes(answer) : answer);
    if (answer !== null) await conn.closeWrite();
    for (;;) {
      const length = await conn.read(buffer).catch(() => null);
      if (length === null) break;
      asked.push(...buffer.subarray(0, length));
    }
  })();
  const target = { backend: "web", server: "a", address: "127.0.0.1", port: listener.addr.port, labels: {} };
  const result = await probe(grpc, config, target, timeout, {
    clock: systemClock,
    host: { node: "n1", cluster: "edge", labels: {} },
    log: createLogger({ role: "test", write: () => {} }),
  });
  await serving;
  return { state: result.state, reason: result.reason.replace(/[\d.]+ ms/g, "T ms"), asked, port: target.port };
}

Deno.test("grpc checker goes by what the server says of itself", async () => {
  const rows: [string, string, string, string][] = [
    ["SERVING", captured.serving, "up", "SERVING in T ms"],
    ["NOT_SERVING", captured.notServing, "down", "got NOT_SERVING, wanted SERVING, in T ms"],
    ["no such service", captured.notFound, "down", "got NOT_FOUND: unknown service nobody, wanted SERVING, in T ms"],
    [
      "no health service",
      captured.unimplemented,
      "down",
      "got UNIMPLEMENTED: Method not found!, wanted SERVING, in T ms",
    ],
    [
      "status 0 is left out on the wire",
      `${empty} ${head} 000005000000000001 0000000000 ${trailers}`,
      "down",
      "got UNKNOWN, wanted SERVING, in T ms",
    ],
    [
      "compressed",
      `${empty} ${head} 000007000000000001 01000000020801 ${trailers}`,
      "down",
      "got an answer that is no HealthCheckResponse, wanted SERVING, in T ms",
    ],
    [
      "padding, RFC 9113 §6.1",
      `${empty} ${head} 00000a000800000001 02 00000000020801 0000 ${trailers}`,
      "up",
      "SERVING in T ms",
    ],
    [
      "fields in two frames, §6.10",
      `${empty} 000001010000000001 88 00000f090400000001 400b677270632d7374617475730130 000007000100000001 00000000020801`,
      "up",
      "SERVING in T ms",
    ],
    [
      "502 of a proxy",
      `${empty} 000005010500000001 4803353032`,
      "down",
      "got HTTP 502, wanted SERVING, in T ms",
    ],
    [
      "200 of a web server",
      `${empty} 000001010500000001 88`,
      "down",
      "got an answer without grpc-status, wanted SERVING, in T ms",
    ],
  ];
  for (const [name, answer, state, reason] of rows) {
    const { asked: _, port: __, ...found } = await against(answer);
    assert.deepEqual(found, { state, reason }, name);
  }
});

Deno.test("grpc checker says what is wrong with a server that does not speak HTTP/2 well", async () => {
  const rows: [string, string | Uint8Array, string][] = [
    ["nothing", "", "connection closed without an answer after T ms"],
    [
      "HTTP/1",
      new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
      'answer is not HTTP/2: "HTTP/1.1 400 Bad Request\\r\\n\\r\\n" after T ms',
    ],
    ["settings alone", empty, "connection closed within the answer after T ms"],
    ["half a frame", `${empty} 00000f0105`, "connection closed within the answer after T ms"],
    ["a frame too large", `${empty} 004001000000000001`, "answer has a frame of 16385 bytes, at most 16384 after T ms"],
    ["RST_STREAM", `${empty} 000004030000000001 00000007`, "stream reset: REFUSED_STREAM after T ms"],
    [
      "GOAWAY before our stream",
      `${empty} 000008070000000000 00000000 0000000b`,
      "server went away: ENHANCE_YOUR_CALM after T ms",
    ],
    [
      "GOAWAY that is cut off",
      `${empty} 000004070000000000 00000000`,
      "answer has a GOAWAY that is cut off after T ms",
    ],
    [
      "fields that cannot be read",
      `${empty} 000001010500000001 ff`,
      "answer has fields that cannot be read: fields are cut off after T ms",
    ],
    [
      "fields that do not end",
      `${empty} 000001010000000001 88 000001000100000001 00`,
      "answer has fields that do not end after T ms",
    ],
    ["padding alone", `${empty} 000001000800000001 05`, "answer has a frame that is all padding after T ms"],
    ["a body before a head", `${empty} 000001000100000001 00`, "answer has no status after T ms"],
  ];
  for (const [name, answer, reason] of rows) {
    const found = await against(answer);
    assert.deepEqual([found.state, found.reason], ["down", reason], name);
  }
  assert.equal((await against(null, {}, 100)).reason, "no answer within T ms");
  assert.equal((await against(`${empty} 000008070000000000 00000001 00000000 ${captured.serving}`)).state, "up");
});

Deno.test("grpc checker asks for the service, acknowledges settings and answers pings", async () => {
  const { asked, port } = await against(captured.serving, { service: "shop.Cart", authority: "shop.example" });
  const text = new TextDecoder("latin1").decode(Uint8Array.from(asked));
  assert.ok(text.startsWith("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  for (const part of ["/grpc.health.v1.Health/Check", "shop.example", "application/grpc", "trailers"]) {
    assert.ok(text.includes(part), part);
  }
  // HealthCheckRequest { service = 1 } of grpc/health/v1/health.proto, behind the five octets of gRPC.
  assert.equal(message("shop.Cart").toHex(), "000000000b0a0973686f702e43617274");
  assert.equal(message("").toHex(), "0000000000");
  assert.ok(text.includes(String.fromCharCode(...message("shop.Cart"))));
  const hex = Uint8Array.from(asked).toHex();
  assert.ok(hex.includes("000000040100000000"), "no SETTINGS with ACK");
  assert.ok(hex.includes("0000080601000000000000000000000000"), "no PING with ACK");
  const plain = await against(captured.serving);
  const sent = new TextDecoder("latin1").decode(Uint8Array.from(plain.asked));
  assert.ok(sent.includes(`127.0.0.1:${plain.port}`) && port !== plain.port);
});
