/** Lines as RFC 5424 datagrams over UDP (RFC 5426) or to a Unix socket. What the receiver does not take at once is lost. */
import { type DatagramSender, openDatagramSender } from "../../os/datagram_sender.ts";
import type { Sink } from "./sink.ts";
import { syslogHeader, type SyslogOrigin } from "./syslog_message.ts";

/** Between attempts to reach a receiver that is gone, ms. */
const RETRY = 1000;
const LF = 0x0a;

/** Sends to `address`: "127.0.0.1:514", "[::1]:514" or "/dev/log". A receiver that is not there yet may come later. */
export function syslogSink(address: string, origin: SyslogOrigin): Sink {
  const encoder = new TextEncoder();
  let sender: DatagramSender | null = null;
  let failed = -Infinity;
  const leave = () => {
    sender?.[Symbol.dispose]();
    sender = null;
  };
  /** Why it was lost, or null. */
  const send = (message: Uint8Array<ArrayBuffer>): string | null => {
    try {
      if (sender === null && performance.now() - failed < RETRY) return `nobody receives at ${address}`;
      sender ??= openDatagramSender(address);
      sender.send(message);
      return null;
    } catch (cause) {
      failed = performance.now();
      leave();
      return cause instanceof Error ? cause.message : String(cause);
    }
  };

  return {
    write(lines) {
      const header = encoder.encode(syslogHeader(origin, Date.now()));
      const message = new Uint8Array(header.length + lines.length);
      message.set(header);
      let lost = 0;
      let cause = "";
      for (let start = 0, end = lines.indexOf(LF); end >= 0; start = end + 1, end = lines.indexOf(LF, start)) {
        // A datagram is a message: it needs no LF.
        message.set(lines.subarray(start, end), header.length);
        const refusal = send(message.subarray(0, header.length + end - start));
        if (refusal !== null && lost++ === 0) cause = refusal;
      }
      return Promise.resolve(lost === 0 ? null : { lines: lost, cause });
    },
    reopen() {
      leave();
      failed = -Infinity;
      return Promise.resolve();
    },
    [Symbol.asyncDispose]() {
      leave();
      return Promise.resolve();
    },
  };
}
