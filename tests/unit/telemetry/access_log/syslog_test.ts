/** Syslog: RFC 5424 messages, as datagrams and over streams, received by real sockets. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { libc } from "../../../../runtime/os/libc.ts";
import { socketAddress } from "../../../../runtime/os/tcp_socket.ts";
import { syslogHeader } from "../../../../runtime/telemetry/access_log/syslog_message.ts";
import { syslogStreamSink } from "../../../../runtime/telemetry/access_log/syslog_stream.ts";
import { syslogSink } from "../../../../runtime/telemetry/access_log/syslog_sink.ts";

const AT = Date.UTC(2003, 9, 11, 22, 14, 15, 3);
const encoder = new TextEncoder();

const headers: readonly [what: string, hostname: string, header: string, facility?: number][] = [
  // PRIVAL is facility × 8 + severity (§6.2.1), TIMESTAMP as in example 1 of §6.5, NILVALUE for no structured data.
  ["§6.5", "mymachine.example.com", "<134>1 2003-10-11T22:14:15.003Z mymachine.example.com tandem 8710 access - "],
  ["§6.2.4 HOSTNAME is NILVALUE where nothing is known", "", "<134>1 2003-10-11T22:14:15.003Z - tandem 8710 access - "],
  ["§6 PRINTUSASCII", "a b\né", "<134>1 2003-10-11T22:14:15.003Z a_b__ tandem 8710 access - "],
  ["§6.2.1 kern, which needs no 0 in front", "h", "<6>1 2003-10-11T22:14:15.003Z h tandem 8710 access - ", 0],
  ["§6.2.1 local7", "h", "<190>1 2003-10-11T22:14:15.003Z h tandem 8710 access - ", 23],
];

Deno.test("syslogHeader() follows RFC 5424 §6", () => {
  for (const [what, hostname, header, facility = 16] of headers) {
    assert.equal(syslogHeader({ hostname, process: 8710 }, AT, facility), header, what);
  }
  assert.equal(syslogHeader({ hostname: "x".repeat(300), process: 1 }, AT, 16).split(" ")[2].length, 255);
});

const to = (address: string, transport: "udp" | "tcp" = "udp") => ({ address, transport, facility: 16 });

/** Everything that arrives on one connection, until its other end is closed. */
async function receive(listener: Deno.Listener): Promise<string> {
  const connection = await listener.accept();
  return await new Response((connection as Deno.TcpConn).readable).text();
}

/** Messages by octet counting, RFC 6587 §3.4.1: MSG-LEN SP SYSLOG-MSG. */
function counted(text: string): string[] {
  const bytes = encoder.encode(text);
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const end = space + 1 + Number(new TextDecoder().decode(bytes.subarray(at, space)));
    messages.push(new TextDecoder().decode(bytes.subarray(space + 1, end)));
    at = end;
  }
  return messages;
}

const form = /^<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z dlp1 tandem 7 access - (.*)$/;

Deno.test("syslogSink() sends each line as a datagram over UDP", async () => {
  const socket = createSocket("udp4");
  const received: string[] = [];
  const all = new Promise<void>((resolve) => {
    socket.on("message", (message) => {
      received.push(message.toString());
      if (received.length === 3) resolve();
    });
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const sink = syslogSink(to(`127.0.0.1:${socket.address().port}`), { hostname: "dlp1", process: 7 });
  assert.equal(await sink.write(encoder.encode("one\ntwo {}\n")), null);
  assert.equal(await sink.write(encoder.encode("three\n")), null);
  await all;
  assert.deepEqual(received.map((text) => form.exec(text)?.[1]), ["one", "two {}", "three"]);
  await sink[Symbol.asyncDispose]();
  await new Promise<void>((resolve) => socket.close(resolve));
});

Deno.test("syslogSink() sends to a Unix socket, counts what it does not take, and finds one that comes later", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/log`;
  const sink = syslogSink(to(path), { hostname: "dlp1", process: 7 });
  assert.deepEqual(await sink.write(encoder.encode("lost\nlost\n")), {
    lines: 2,
    cause: `Cannot send to "${path}": connect answered ENOENT`,
  });
  const { domain, bytes } = socketAddress(`unix:${path}`, 0);
  const fd = libc().socket(domain, 2 | 0x800 | 0x80000, 0);
  assert.equal(libc().bind(fd, bytes, bytes.length), 0);
  await sink.reopen();
  assert.equal(await sink.write(encoder.encode("kept\n")), null);
  const buffer = new Uint8Array(256);
  const length = libc().recv(fd, buffer, BigInt(buffer.length), 0);
  assert.equal(form.exec(new TextDecoder().decode(buffer.subarray(0, length)))?.[1], "kept");
  // A receiver that does not read: its queue is short, and nobody waits for it.
  const many = encoder.encode("x\n".repeat(2000));
  const loss = await sink.write(many);
  assert.ok(loss !== null && loss.lines > 0 && loss.lines < 2000, JSON.stringify(loss));
  assert.match(loss.cause, /EAGAIN/);
  await sink[Symbol.asyncDispose]();
  libc().close(fd);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("syslogSink() counts octets over TCP, and finds a receiver that comes back", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const sink = syslogSink(to(`127.0.0.1:${port}`, "tcp"), { hostname: "dlp1", process: 7 });
  const first = listener.accept();
  assert.equal(await sink.write(encoder.encode("one é\ntwo\n")), null);
  const connection = await first;
  const buffer = new Uint8Array(4096);
  const length = await connection.read(buffer) ?? 0;
  const messages = counted(new TextDecoder().decode(buffer.subarray(0, length)));
  assert.deepEqual(messages.map((text) => form.exec(text)?.[1]), ["one é", "two"]);
  // It restarts: what is written next goes to its successor, and none is lost on the dead connection.
  connection.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = receive(listener);
  assert.equal(await sink.write(encoder.encode("three\n")), null);
  await sink[Symbol.asyncDispose]();
  assert.deepEqual(counted(await second).map((text) => form.exec(text)?.[1]), ["three"]);
  listener.close();
});

Deno.test("syslogSink() over TCP says who does not take lines, and how many", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const address = `127.0.0.1:${port}`;
  const options = { address, framing: "count", facility: 16, origin: { hostname: "h", process: 1 } } as const;
  await using sink = syslogStreamSink({ ...options, patience: 100 });
  const silent = listener.accept();
  const loss = await sink.write(encoder.encode(`${"x".repeat(1000)}\n`.repeat(20_000)));
  assert.ok(loss !== null && loss.lines > 0 && loss.lines < 20_000, JSON.stringify(loss?.lines));
  assert.equal(loss.cause, `Cannot send to "${address}": nothing was taken within 100 ms`);
  (await silent).close();
  listener.close();
  assert.deepEqual(await sink.write(encoder.encode("a\nb\n")), { lines: 2, cause: `nobody receives at ${address}` });
  await sink.reopen();
  const refused = await sink.write(encoder.encode("a\nb\n"));
  assert.equal(refused?.cause, `Cannot send to "${address}": Connection refused`);
});

Deno.test("syslogSink() sees whether a Unix socket is a stream, where a line feed ends a message", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/log`;
  const listener = Deno.listen({ transport: "unix", path });
  const sink = syslogSink(to(path), { hostname: "dlp1", process: 7 });
  const all = receive(listener as unknown as Deno.Listener);
  assert.equal(await sink.write(encoder.encode("one\ntwo\n")), null);
  await sink[Symbol.asyncDispose]();
  assert.deepEqual((await all).split("\n").map((text) => form.exec(text)?.[1]), ["one", "two", undefined]);
  listener.close();
  await Deno.remove(directory, { recursive: true });
});
