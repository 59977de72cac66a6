/**
 * Lines as RFC 5424 messages: datagrams over UDP (RFC 5426) or to a Unix socket, of which what the receiver does not take
 * at once is lost; or a stream, over TCP or to a Unix socket that is one. /dev/log is either, by what listens there.
 */
import { type DatagramSender, openDatagramSender } from "../../os/datagram_sender.ts";
import { Errno, OsError } from "../../os/errno.ts";
import type { Sink, SinkOptions } from "./sink.ts";
import { syslogHeader, type SyslogOrigin } from "./syslog_message.ts";
import { syslogStreamSink } from "./syslog_stream.ts";

/** Between attempts to reach a receiver that is gone, ms. */
const RETRY = 1000;
const LF = 0x0a;

export type SyslogSinkOptions = Omit<Extract<SinkOptions, { readonly type: "syslog" }>, "type">;

/** A receiver that is not there yet may come later. */
export function syslogSink(options: SyslogSinkOptions, origin: SyslogOrigin): Sink {
  const { address, transport, facility } = options;
  if (transport === "tcp") return syslogStreamSink({ address, framing: "count", facility, origin });
  return address.startsWith("/") ? unixSink(options, origin) : datagramSink(options, origin);
}

/** What listens at the path decides, anew after each loss. */
function unixSink(options: SyslogSinkOptions, origin: SyslogOrigin): Sink {
  const { address, facility } = options;
  let sink: Sink | null = null;
  const close = async () => {
    await sink?.[Symbol.asyncDispose]();
    sink = null;
  };
  return {
    async write(lines) {
      sink ??= isStream(address)
        ? syslogStreamSink({ address, framing: "line", facility, origin })
        : datagramSink(options, origin);
      const loss = await sink.write(lines);
      if (loss !== null) await close();
      return loss;
    },
    reopen: close,
    [Symbol.asyncDispose]: close,
  };
}

function isStream(path: string): boolean {
  try {
    openDatagramSender(path)[Symbol.dispose]();
    return false;
  } catch (cause) {
    return cause instanceof OsError && cause.errno === Errno.EPROTOTYPE;
  }
}

function datagramSink({ address, facility }: SyslogSinkOptions, origin: SyslogOrigin): Sink {
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
      const header = encoder.encode(syslogHeader(origin, Date.now(), facility));
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
