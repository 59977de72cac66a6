import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import dns, { type DnsCheckConfig } from "../../../plugins/health/dns.ts";
import { answersTo, decodeAnswer, encodeQuestion, type RecordType } from "../../../plugins/health/dns_message.ts";
import { probe } from "../../../runtime/health/probe.ts";
import { systemClock } from "../../../runtime/os/clock.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";

const bytes = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));

/** Answers of dnsmasq 2.90 to questions with the id 0x1234. */
const captured = {
  alias:
    "1234858000010002000000000473686f70076578616d706c65036f72670000010001c00c0005000100000000001103777777076578616d706c65036f726700c02e00010001000000000004c0000201",
  aaaa:
    "12348580000100010000000003777777076578616d706c65036f726700001c0001c00c001c000100000000001020010db8000000000000000000000001",
  mx:
    "123485800001000100000000076578616d706c65036f726700000f0001c00c000f0001000000000014000a046d61696c076578616d706c65036f726700",
  txt:
    "123485800001000100000000076578616d706c65036f72670000100001c00c001000010000000000110b763d73706631202d616c6c046d6f7265",
  srv:
    "123485800001000100000000045f736970045f746370076578616d706c65036f72670000210001c00c002100010000000000170001000213c403736970076578616d706c65036f726700",
  ptr:
    "1234858000010001000000000131013201300331393207696e2d61646472046172706100000c0001c00c000c000100000000001103777777076578616d706c65036f726700",
  nxdomain: "123481830001000000000000066e6f626f6479076578616d706c65036f72670000010001",
};

Deno.test("decodeAnswer() reads what a name server sends", () => {
  const soa = `1234 8580 0001 0001 0000 0000  00 0006 0001  00 0006 0001 00000e10 0020
    01 61 00  01 62 c01c  00000001 00000002 00000003 00000004 00000005`.replace("0020", "001a");
  const rows: [string, string, RecordType, string, string[]][] = [
    ["through an alias", captured.alias, "A", "NOERROR", ["192.0.2.1"]],
    ["the alias itself", captured.alias, "CNAME", "NOERROR", ["www.example.org"]],
    ["AAAA, as RFC 5952 writes it", captured.aaaa, "AAAA", "NOERROR", ["2001:db8::1"]],
    ["MX", captured.mx, "MX", "NOERROR", ["10 mail.example.org"]],
    ["TXT, its strings joined", captured.txt, "TXT", "NOERROR", ["v=spf1 -allmore"]],
    ["SRV", captured.srv, "SRV", "NOERROR", ["1 2 5060 sip.example.org"]],
    ["PTR", captured.ptr, "PTR", "NOERROR", ["www.example.org"]],
    ["SOA, a name that points back", soa, "SOA", "NOERROR", ["a b.a 1 2 3 4 5"]],
    ["NXDOMAIN", captured.nxdomain, "A", "NXDOMAIN", []],
  ];
  for (const [name, message, record, rcode, records] of rows) {
    assert.deepEqual(decodeAnswer(bytes(message), record), { rcode, truncated: false, records }, name);
  }
});

Deno.test("decodeAnswer() refuses messages that lead nowhere", () => {
  const head = "1234 8180 0001 0001 0000 0000";
  const rows: [string, string][] = [
    ["cut off in its head", "1234 81"],
    ["cut off in its question", head],
    ["a record that is longer than the message", `${head} 00 0001 0001 00 0001 0001 00000000 0004 c000`],
    ["a name that points to itself, RFC 1035 §4.1.4", `${head} c00c 0001 0001`],
    ["a name that points forward", `${head} c010 0001 0001 00`],
    ["a label of a kind that was never given out", `${head} 80 0001 0001`],
  ];
  for (const [name, message] of rows) assert.throws(() => decodeAnswer(bytes(message), "A"), SyntaxError, name);
});

Deno.test("encodeQuestion() and answersTo() agree on what was asked", () => {
  const question = { id: 0x1234, name: "Nobody.example.org.", record: "A", recursion: true } as const;
  assert.equal(
    encodeQuestion(question).toHex(),
    "123401000001000000000000064e6f626f6479076578616d706c65036f72670000010001",
  );
  assert.equal(encodeQuestion({ ...question, name: ".", recursion: false }).length, 12 + 5);
  const answer = bytes(captured.nxdomain);
  const changed = (at: number, to: number) => answer.map((byte, index) => index === at ? to : byte);
  const rows: [string, Uint8Array, boolean][] = [
    ["the answer", answer, true],
    ["an error without a question", bytes("1234 8005 0000 0000 0000 0000"), true],
    ["no error and no question", bytes("1234 8000 0000 0000 0000 0000"), false],
    ["another id", changed(1, 0x35), false],
    ["a question", changed(2, 0x01), false],
    ["another name", changed(14, 0x78), false],
    ["another type", changed(answer.length - 3, 28), false],
    ["cut off", answer.subarray(0, 20), false],
    ["less than a head", answer.subarray(0, 5), false],
  ];
  for (const [name, message, expected] of rows) assert.equal(answersTo(message, question), expected, name);
  assert.throws(() => encodeQuestion({ ...question, name: `${"x".repeat(64)}.org` }), /longer than 63 octets/);
  assert.throws(() => encodeQuestion({ ...question, name: "abc.".repeat(64) }), /longer than 255 octets/);
});

/** Answers each question with what `reply` makes of it: datagrams, in turn. */
async function against(reply: (asked: Uint8Array) => Uint8Array[], config: DnsCheckConfig, timeout = 1000) {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", () => resolve()));
  socket.on("message", (message, { port, address }) => {
    for (const answer of reply(new Uint8Array(message))) socket.send(answer, port, address);
  });
  try {
    const target = { backend: "dns", server: "a", address: "127.0.0.1", port: socket.address().port, labels: {} };
    const { state, reason } = await probe(dns, config, target, timeout, {
      clock: systemClock,
      host: { node: "n1", cluster: "edge", labels: {} },
      log: createLogger({ role: "test", write: () => {} }),
    });
    return [state, reason.replace(/[\d.]+ ms/g, "T ms")];
  } finally {
    socket.close();
  }
}

/** The captured answer with the id of what was asked. */
const withId =
  (message: string) => (asked: Uint8Array) => [Uint8Array.of(asked[0], asked[1], ...bytes(message).subarray(2))];

Deno.test("dns checker compares the answer with what is expected", async () => {
  const alias = { name: "shop.example.org" };
  const mx = { name: "example.org", record: "MX" } as const;
  const rows: [string, string, DnsCheckConfig, string, string][] = [
    ["an answer", captured.alias, alias, "up", "NOERROR, 1 answer in T ms"],
    [
      "the one expected",
      captured.alias,
      { ...alias, expect: { answers: ["192.0.2.1"] } },
      "up",
      "NOERROR, 1 answer in T ms",
    ],
    [
      "another",
      captured.alias,
      { ...alias, expect: { answers: ["192.0.2.9"] } },
      "down",
      "got 192.0.2.1, wanted 192.0.2.9, in T ms",
    ],
    [
      "names do not know case",
      captured.mx,
      { ...mx, expect: { answers: ["10 MAIL.example.org."] } },
      "up",
      "NOERROR, 1 answer in T ms",
    ],
    [
      "an address written otherwise",
      captured.aaaa,
      { name: "www.example.org", record: "AAAA", expect: { answers: ["2001:DB8:0:0::1"] } },
      "up",
      "NOERROR, 1 answer in T ms",
    ],
    ["NXDOMAIN", captured.nxdomain, { name: "nobody.example.org" }, "down", "got NXDOMAIN, wanted NOERROR, in T ms"],
    [
      "NXDOMAIN is expected",
      captured.nxdomain,
      { name: "nobody.example.org", expect: { rcode: ["NXDOMAIN"] } },
      "up",
      "NXDOMAIN, 0 answers in T ms",
    ],
    [
      "any answer, and none",
      captured.nxdomain,
      { name: "nobody.example.org", expect: { rcode: ["NXDOMAIN"], answers: ["*"] } },
      "down",
      "got no answers, wanted A records, in T ms",
    ],
  ];
  for (const [name, answer, config, state, reason] of rows) {
    assert.deepEqual(await against(withId(answer), config), [state, reason], name);
  }
});

Deno.test("dns checker goes on waiting when a datagram answers something else, and says when nothing comes", async () => {
  const late = (asked: Uint8Array) => [bytes("ffff 8180 0000 0000 0000 0000"), ...withId(captured.alias)(asked)];
  assert.deepEqual(await against(late, { name: "shop.example.org" }), ["up", "NOERROR, 1 answer in T ms"]);
  assert.deepEqual(await against(() => [], { name: "shop.example.org" }, 100), ["down", "no answer within T ms"]);
  assert.deepEqual(await against(() => [], { name: "x.org", transport: "tcp" }), [
    "down",
    "connect refused after T ms",
  ]);
});
