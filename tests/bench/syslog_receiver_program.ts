/**
 * Takes datagrams on a UDP port of its choice, which is its output, and throws them away: what a syslog daemon does before
 * it writes. Ends with its input, so that it never outlives who started it.
 */
import { libc } from "../../runtime/os/libc.ts";
import { boundPort, socketAddress } from "../../runtime/os/tcp_socket.ts";

const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;

function receive(): void {
  const { domain, bytes } = socketAddress("127.0.0.1", 0);
  const fd = libc().socket(domain, SOCK_DGRAM, 0);
  if (fd < 0 || libc().bind(fd, bytes, bytes.length) < 0) throw new Error("Cannot receive datagrams on 127.0.0.1");
  Deno.stdout.writeSync(new TextEncoder().encode(`${boundPort(fd)}\n`));
  const buffer = new Uint8Array(65536);
  // struct pollfd { int fd; short events; short revents } of the socket and of stdin
  const poll = new Int32Array([fd, POLLIN, 0, POLLIN]);
  for (;;) {
    poll[1] = poll[3] = POLLIN;
    libc().poll(poll, 2n, -1);
    if (poll[3] >>> 16 !== 0) return;
    while (libc().recv(fd, buffer, BigInt(buffer.length), MSG_DONTWAIT) >= 0);
  }
}

if (import.meta.main) receive();
