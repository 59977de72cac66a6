/** `log.access` and `metrics`: every form, and every mistake where it was made. */
import assert from "node:assert/strict";
import type { AccessLogConfig } from "../../../runtime/config/model.ts";
import { configOf, problemsOf } from "./loading.ts";

const base = "version: 1\n";

const sinks: readonly [log: string, access: AccessLogConfig | null][] = [
  ["{}", null],
  ["{ level: debug }", null],
  ["{ access: }", null],
  ["{ access: { to: none } }", null],
  ["{ access: {} }", { format: "json", to: { type: "stdout" } }],
  ["{ access: { format: text, to: stdout } }", { format: "text", to: { type: "stdout" } }],
  ["{ access: { to: { file: /var/log/tandem.log } } }", {
    format: "json",
    to: { type: "file", path: "/var/log/tandem.log", rotate: null },
  }],
  ["{ access: { to: { file: /a, rotate: {} } } }", {
    format: "json",
    to: { type: "file", path: "/a", rotate: { size: 100e6, keep: 10 } },
  }],
  ["{ access: { to: { file: /a, rotate: { size: 64KiB, keep: 0 } } } }", {
    format: "json",
    to: { type: "file", path: "/a", rotate: { size: 65536, keep: 0 } },
  }],
  ['{ access: { to: { syslog: "127.0.0.1:514" } } }', {
    format: "json",
    to: { type: "syslog", address: "127.0.0.1:514", transport: "udp", facility: 16 },
  }],
  ['{ access: { to: { syslog: "[2001:DB8::1]:514" } } }', {
    format: "json",
    to: { type: "syslog", address: "[2001:db8::1]:514", transport: "udp", facility: 16 },
  }],
  ["{ access: { to: { syslog: /dev/log } } }", {
    format: "json",
    to: { type: "syslog", address: "/dev/log", transport: "udp", facility: 16 },
  }],
  ['{ access: { to: { syslog: "192.0.2.1:601", transport: tcp, facility: daemon } } }', {
    format: "json",
    to: { type: "syslog", address: "192.0.2.1:601", transport: "tcp", facility: 3 },
  }],
];

Deno.test("load() reads every form of log.access", () => {
  for (const [text, access] of sinks) assert.deepEqual(configOf(`${base}log: ${text}\n`).log.access, access, text);
});

const mistakes: readonly [line: string, problem: string][] = [
  ["log: { access: { format: xml } }", '2:26: log.access.format: must be json or text, got "xml"'],
  ["log: { access: { to: stdot } }", '2:22: log.access.to: must be stdout or none, got "stdot"; did you mean stdout?'],
  [
    "log: { access: { to: {} } }",
    "2:22: log.access.to: must be stdout, none, { file: PATH } or { syslog: IP:PORT|PATH }",
  ],
  [
    "log: { access: { to: { file: log/a } } }",
    '2:30: log.access.to.file: must be an absolute path of a file, got "log/a"',
  ],
  [
    "log: { access: { to: { file: /var/log/ } } }",
    '2:30: log.access.to.file: must be an absolute path of a file, got "/var/log/"',
  ],
  [
    "log: { access: { to: { file: /a, rotate: { size: 100 } } } }",
    '2:50: log.access.to.rotate.size: needs a unit: write "100B", "100kB" or "100MB"',
  ],
  [
    "log: { access: { to: { file: /a, rotate: { size: 1kB } } } }",
    "2:50: log.access.to.rotate.size: must be at least 64KiB, got 1kB",
  ],
  [
    "log: { access: { to: { file: /a, rotate: { keep: -1 } } } }",
    "2:50: log.access.to.rotate.keep: must be 0–1000, got -1",
  ],
  [
    "log: { access: { to: { file: /a, rotat: {} } } }",
    '2:34: log.access.to.rotat: unknown key; did you mean "rotate"?',
  ],
  [
    "log: { access: { to: { syslog: logs.example:514 } } }",
    '2:32: log.access.to.syslog: must be IP:PORT or the path of a socket such as /dev/log, got "logs.example:514"',
  ],
  [
    "log: { access: { to: { syslog: /dev/log, transport: tcp } } }",
    "2:53: log.access.to.transport: has no effect with a path: a socket is a stream or takes datagrams by itself",
  ],
  [
    "log: { access: { to: { syslog: /dev/log, facility: locl0 } } }",
    '2:52: log.access.to.facility: must be kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, audit, alert, cron2, local0, local1, local2, local3, local4, local5, local6 or local7, got "locl0"; did you mean local0?',
  ],
  ["metrics: {}", "2:10: metrics.bind: is required"],
  ["metrics: { bind: 9701 }", '2:18: metrics.bind: must be ADDRESS:PORT: write ":9701" for every address'],
  ['metrics: { bind: "name:9701" }', '2:18: metrics.bind: must be IP:PORT or :PORT, got "name:9701"'],
  ['metrics: { bind: ":9701", allow: [] }', "2:34: metrics.allow: must not be empty: nobody could ask"],
  ['metrics: { bind: ":9701", allow: [10.0.0.0/40] }', '2:35: metrics.allow[0]: must have a prefix of 0–32, got "/40"'],
];

Deno.test("load() says where log.access and metrics are wrong, and what is wanted", () => {
  for (const [line, problem] of mistakes) assert.deepEqual(problemsOf(`${base}${line}\n`), [problem], line);
});

Deno.test("load() reads metrics, by default open to whoever reaches the port", () => {
  assert.equal(configOf(base).metrics, null);
  assert.deepEqual(configOf(`${base}metrics: { bind: ":9701" }\n`).metrics, { host: "", port: 9701, allow: null });
  assert.deepEqual(configOf(`${base}metrics: { bind: "127.0.0.1:1", allow: 10.0.0.0/8 }\n`).metrics, {
    host: "127.0.0.1",
    port: 1,
    allow: ["10.0.0.0/8"],
  });
});
