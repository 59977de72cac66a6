/** `log:` and `metrics:`: what is written and told, and to whom. */
import { isIP } from "node:net";
import { type Decoded, fields, list, optional, required } from "./collections.ts";
import { type Decoder, either, fail, map } from "./decoder.ts";
import type { AccessLogConfig } from "./model.ts";
import { choice, integer, parsedText, text } from "./scalars.ts";
import { child, type Tree } from "./tree.ts";
import { endpoint, network } from "./value_decoders.ts";
import { type Parsed, parseEndpoint, parseSize } from "./values.ts";

/** A file smaller than this would be rotated all the time. */
const SMALLEST = 64 * 1024;

/** Names of syslog.conf, in the order of their numbers (RFC 5424 §6.2.1). */
export const facilities = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"],
  ...["ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
];

const words = choice(["stdout", "none"]);
const path = text({ pattern: /^\/.*[^/]$/, wanted: "an absolute path of a file" });
const rotation = fields({
  size: optional(
    parsedText((source): Parsed<number> => {
      const size = parseSize(source);
      if (!size.ok || size.value >= SMALLEST) return size;
      return { ok: false, reason: `must be at least 64KiB, got ${source}` };
    }, { examples: ["100MB"] }),
    100e6,
  ),
  keep: optional(integer(0, 1000), 10),
});
const fileSink = fields({ file: required(path), rotate: optional(rotation) });
const receiver = parsedText((source): Parsed<string> => {
  if (/^\/.{1,106}$/.test(source)) return { ok: true, value: source };
  const parsed = parseEndpoint(source);
  if (parsed.ok && isIP(parsed.value.host) !== 0) {
    const { host, port } = parsed.value;
    return { ok: true, value: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` };
  }
  return { ok: false, reason: `must be IP:PORT or the path of a socket such as /dev/log, got "${source}"` };
}, { examples: ["127.0.0.1:514", "/dev/log"] });
const syslogFields = fields({
  syslog: required(receiver),
  transport: optional(choice(["udp", "tcp"])),
  facility: optional(choice(facilities), "local0"),
});
const syslogSink = map(syslogFields, (value, tree, report) => {
  const transport = child(tree, "transport");
  if (transport === undefined || !value.syslog?.startsWith("/")) return value;
  return fail(report, transport, "has no effect with a path: a socket is a stream or takes datagrams by itself");
});
const noSink: Decoder<never> = {
  schema: {},
  decode: (tree, report) => fail(report, tree, "must be stdout, none, { file: PATH } or { syslog: IP:PORT|PATH }"),
};

type SinkDraft = "stdout" | "none" | Decoded<typeof fileSink.known> | Decoded<typeof syslogFields.known>;

const sink: Decoder<SinkDraft> = either<SinkDraft>(
  (tree: Tree) => {
    if (tree.kind === "scalar" || tree.kind === "broken") return words;
    if (child(tree, "file") !== undefined) return fileSink;
    return child(tree, "syslog") !== undefined ? syslogSink : noSink;
  },
  [words, fileSink, syslogSink],
);

const access = fields({
  format: optional(choice(["json", "text"]), "json"),
  to: optional(sink, "stdout"),
});

export const log = fields({
  level: optional(choice(["debug", "info", "notice", "warning", "error"]), "info"),
  access: optional(access),
});

export const metrics = fields({
  bind: required(map(endpoint, (value, tree, report) => {
    if (value.host === "" || isIP(value.host) !== 0) return value;
    return fail(report, tree, `must be IP:PORT or :PORT, got "${value.host}:${value.port}"`);
  })),
  allow: optional(list(network, { single: true, nonEmpty: "must not be empty: nobody could ask" })),
});

type AccessDraft = NonNullable<Decoded<typeof log.known>["access"]>;

/** null = requests are not logged. */
export function buildAccess(draft: AccessDraft | null | undefined): AccessLogConfig | null {
  if (!draft || draft.to === undefined || draft.to === "none") return null;
  const format = draft.format ?? "json";
  const { to } = draft;
  if (to === "stdout") return { format, to: { type: "stdout" } };
  if ("syslog" in to) {
    const facility = facilities.indexOf(to.facility ?? "local0");
    return { format, to: { type: "syslog", address: to.syslog ?? "", transport: to.transport ?? "udp", facility } };
  }
  const rotate = to.rotate ? { size: to.rotate.size ?? 100e6, keep: to.rotate.keep ?? 10 } : null;
  return { format, to: { type: "file", path: to.file ?? "", rotate } };
}
