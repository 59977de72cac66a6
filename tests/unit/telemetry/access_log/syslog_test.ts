/** Syslog: RFC 5424 messages, one line a datagram, over UDP and to a Unix socket, received by real sockets. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { libc } from "../../../../runtime/os/libc.ts";
import { socketAddress } from "../../../../runtime/os/tcp_socket.ts";
import { syslogHeader } from "../../../../runtime/telemetry/access_log/syslog_message.ts";
import { syslogSink } from "../../../../runtime/telemetry/access_log/syslog_sink.ts";

const AT = Date.UTC(2003, 9, 11, 22, 14, 15, 3);
const encoder = new TextEncoder();

const headers: readonly [what: string, hostname: string, header: string][] = [
  // PRIVAL is facility × 8 + severity (§6.2.1), TIMESTAMP as in example 1 of §6.5, NILVALUE for no structured data.
  ["§6.5", "mymachine.example.com", "<134>1 2003-10-11T22:14:15.003Z mymachine.example.com tandem 8710 access - "],
  ["§6.2.4 HOSTNAME is NILVALUE where nothing is known", "", "<134>1 2003-10-11T22:14:15.003Z - tandem 8710 access - "],
  ["§6 PRINTUSASCII", "a b\né", "<134>1 2003-10-11T22:14:15.003Z a_b__ tandem 8710 access - "],
];

Deno.test("syslogHeader() follows RFC 5424 §6", () => {
  for (const [what, hostname, header] of headers) {
    assert.equal(syslogHeader({ hostname, process: 8710 }, AT), header, what);
  }
  assert.equal(syslogHeader({ hostname: "x".repeat(300), process: 1 }, AT).split(" ")[2].length, 255);
});

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
  const sink = syslogSink(`127.0.0.1:${socket.address().port}`, { hostname: "dlp1", process: 7 });
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
  const sink = syslogSink(path, { hostname: "dlp1", process: 7 });
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
