/** Datagrams to one receiver, over UDP or a Unix socket, sent without ever waiting. */
import { parseAddress } from "../bytes/address.ts";
import { check } from "./errno.ts";
import { libc } from "./libc.ts";
import { socketAddress } from "./tcp_socket.ts";

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

export interface DatagramSender extends Disposable {
  /** @throws {OsError} when the receiver is gone (ECONNREFUSED) or behind (EAGAIN). */
  send(message: Uint8Array<ArrayBuffer>): void;
}

/**
 * Opens a socket to `receiver`: "192.0.2.1:514", "[2001:db8::1]:514" or "/dev/log".
 *
 * @throws {OsError} when there is no such receiver: Unix sockets tell at once.
 * @throws {SyntaxError} when `receiver` is neither.
 */
export function openDatagramSender(receiver: string): DatagramSender {
  const { domain, bytes } = addressOf(receiver);
  const subject = `Cannot send to "${receiver}"`;
  const fd = check(libc().socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", subject);
  try {
    check(libc().connect(fd, bytes, bytes.length), "connect", subject);
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  let open = true;
  return {
    send(message) {
      check(libc().send(fd, message, BigInt(message.length), MSG_DONTWAIT | MSG_NOSIGNAL), "send", subject);
    },
    [Symbol.dispose]() {
      if (open) libc().close(fd);
      open = false;
    },
  };
}

function addressOf(receiver: string) {
  if (receiver.startsWith("/")) return socketAddress(`unix:${receiver}`, 0);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d+)$/.exec(receiver) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw new SyntaxError(`Receiver "${receiver}" is neither IP:PORT nor a path`);
  parseAddress(host);
  return socketAddress(host, Number(port));
}
