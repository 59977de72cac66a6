/** Lines of the access log, byte by byte. HAProxy's come from its configuration manual, §8.2.2, §8.2.3, §8.5 and §8.6. */
import assert from "node:assert/strict";
import { DEFAULT_LIMITS, parseRequest, RequestHead } from "../../../../runtime/http/mod.ts";
import { type End, ENDS } from "../../../../runtime/proxy/access_log/end.ts";
import { writeJsonLine } from "../../../../runtime/proxy/access_log/json_line.ts";
import { Line, LONGEST_LINE } from "../../../../runtime/proxy/access_log/line.ts";
import { Stamp } from "../../../../runtime/proxy/access_log/stamp.ts";
import { writeTextLine } from "../../../../runtime/proxy/access_log/text_line.ts";
import { Trace } from "../../../../runtime/proxy/access_log/trace.ts";

/** What a row says of a request. Times are ms since its first octet. */
interface Course {
  readonly head?: string;
  readonly mode?: "tcp";
  readonly client?: readonly [string, number];
  readonly id?: string;
  readonly route?: string;
  readonly whole?: number;
  readonly waits?: readonly [ahead: number, from: number];
  readonly connects?: readonly (readonly [backend: string, server: string, at: number])[];
  readonly fails?: readonly (readonly [server: string, why: string])[];
  readonly sends?: number;
  readonly answers?: readonly [status: number, at: number];
  readonly status?: number;
  readonly detail?: string;
  readonly bytes?: readonly [number, number];
  readonly connections?: readonly [number, number, number, number];
  readonly end?: End;
  readonly total?: number;
}

const BEGAN = Date.UTC(2009, 1, 6, 12, 14, 14, 655);

function traceOf(course: Course): Trace {
  const trace = new Trace();
  trace.reset(0, course.whole ?? 0);
  trace.mode = course.mode ?? "http";
  trace.frontend = "http-in";
  [trace.client, trace.port] = course.client ?? ["10.0.1.2", 33317];
  trace.id = course.id ?? "";
  trace.route = course.route ?? null;
  if (course.head !== undefined) trace.keep(parsed(course.head));
  if (course.waits !== undefined) trace.waits(...course.waits);
  for (const [backend, server, at] of course.connects ?? []) trace.connects(backend, server, at);
  for (const [server, why] of course.fails ?? []) trace.fails(server, why);
  if (course.sends !== undefined) trace.sends(course.sends);
  if (course.answers !== undefined) trace.answers(...course.answers);
  if (course.status !== undefined) trace.status = course.status;
  if (course.detail !== undefined) trace.detail = course.detail;
  [trace.bytesIn, trace.bytesOut] = course.bytes ?? [trace.bytesIn, 0];
  course.connections?.forEach((count, index) => trace.connections[index] = count);
  trace.ends(course.end ?? "done", course.total ?? 0);
  return trace;
}

function parsed(text: string): RequestHead {
  const head = new RequestHead();
  const bytes = Uint8Array.from(text, (octet) => octet.charCodeAt(0));
  assert.ok(parseRequest(head, bytes, 0, bytes.length, DEFAULT_LIMITS) > 0, `not a head: ${text}`);
  return head;
}

function lineOf(format: "json" | "text", course: Course, write = format === "json" ? writeJsonLine : writeTextLine) {
  const stamp = new Stamp(format);
  // HAProxy writes local time; the rows are in UTC.
  const offset = format === "text" ? new Date(BEGAN).getTimezoneOffset() * 60_000 : 0;
  stamp.set(0, BEGAN + offset);
  const line = new Line(new Uint8Array(LONGEST_LINE));
  write(line, traceOf(course), stamp);
  return new TextDecoder("utf-8", { fatal: true }).decode(line.bytes.subarray(0, line.at));
}

const GET = "GET /index.html HTTP/1.1\r\nHost: www.example\r\n\r\n";

const text: readonly [what: string, course: Course, line: string][] = [
  [
    "§8.2.3, the manual's own example",
    {
      head: "GET /index.html HTTP/1.0\r\n\r\n",
      whole: 10,
      waits: [0, 10],
      connects: [["static", "srv1", 10]],
      sends: 40,
      answers: [200, 109],
      bytes: [30, 2750],
      connections: [1, 1, 1, 1],
      total: 109,
    },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html HTTP/1.0" end=done\n',
  ],
  [
    "§8.2.2, TCP: Tw/Tc/Tt",
    {
      mode: "tcp",
      waits: [3, 0],
      connects: [["bck", "srv1", 0]],
      sends: 0,
      end: "tunnel_done",
      bytes: [12, 212],
      total: 5007,
    },
    "10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in bck/srv1 0/0/5007 212 -- 0/0/0/0/0 0/3 end=tunnel_done\n",
  ],
  [
    "§8.5 <BADREQ>, timers −1",
    { end: "client_timeout_in_headers", status: 408, total: 50001, bytes: [0, 212] },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> -1/-1/-1/-1/50001 408 212 - - cR-- 0/0/0/0/0 0/0 "<BADREQ>" end=client_timeout_in_headers why="The client did not send a whole head within timeouts.http_request"\n',
  ],
  [
    "§8.5 SC <NOSRV>",
    { head: GET, end: "no_server", status: 503, bytes: [50, 212], detail: "node01 is down (refused)" },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- 0/0/0/0/0 0/0 "GET /index.html HTTP/1.1" end=no_server host="www.example" why="No server takes requests: node01 is down (refused)"\n',
  ],
  [
    "retries, as many as attempts beyond the first",
    {
      head: GET,
      connects: [["web", "a", 0], ["web", "b", 2]],
      fails: [["a", "ECONNREFUSED"]],
      sends: 4,
      answers: [200, 7],
      total: 8,
    },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in web/b 0/0/2/3/8 200 0 - - ---- 0/0/0/0/1 0/0 "GET /index.html HTTP/1.1" end=done host="www.example"\n',
  ],
  [
    "queue, then gone: sQ",
    { head: GET, waits: [7, 1], end: "queue_timeout", status: 503, total: 5001 },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> 0/5000/-1/-1/5001 503 0 - - sQ-- 0/0/0/0/0 0/7 "GET /index.html HTTP/1.1" end=queue_timeout host="www.example" why="No server had a place within timeouts.queue"\n',
  ],
  [
    "status −1 where none was sent; a route and an id",
    {
      head: GET,
      connects: [["web", "a", 0]],
      end: "client_closed_while_connecting",
      id: "i-1",
      route: "#0 /a*",
      total: 2,
    },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in web/a 0/0/-1/-1/2 -1 0 - - CC-- 0/0/0/0/0 0/0 "GET /index.html HTTP/1.1" end=client_closed_while_connecting id=i-1 route="#0 /a*" host="www.example" why="The client closed while the server was being connected to"\n',
  ],
  [
    '§8.6: " and # are escaped, so that no field is forged',
    {
      head: 'GET /a"b HTTP/1.1\r\nHost: h\r\n\r\n',
      detail: 'x" end=done\n10.0.0.1',
      end: "server_bad_response",
      total: 1,
    },
    '10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in http-in/<NOSRV> 0/-1/-1/-1/1 -1 0 - - PH-- 0/0/0/0/0 0/0 "GET /a#22b HTTP/1.1" end=server_bad_response host="h" why="The server\'s response head was refused: x#22 end=done#0A10.0.0.1"\n',
  ],
];

Deno.test("writeTextLine() writes what HAProxy would, and more behind it", async (t) => {
  for (const [what, course, line] of text) await t.step(what, () => assert.equal(lineOf("text", course), line));
});

const json: readonly [what: string, course: Course, value: Record<string, unknown>][] = [
  [
    "a request from beginning to end",
    {
      head: "GET /a?b=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n",
      id: "i-1",
      route: "#2 shop.example/a*",
      whole: 1.24,
      waits: [4, 1.24],
      connects: [["web", "node01", 3.24]],
      sends: 3.64,
      answers: [200, 9.04],
      bytes: [120, 431],
      total: 12,
    },
    {
      at: "2009-02-06T12:14:14.655Z",
      id: "i-1",
      client: "10.0.1.2:33317",
      frontend: "http-in",
      route: "#2 shop.example/a*",
      backend: "web",
      server: "node01",
      method: "GET",
      host: "shop.example",
      target: "/a?b=1",
      protocol: "HTTP/1.1",
      status: 200,
      end: "done",
      t: { head: 1.2, queue: 2, connect: 0.4, ttfb: 5.4, total: 12 },
      bytes: { in: 120, out: 431 },
      attempts: 1,
    },
  ],
  ["what did not come to pass is null", { end: "client_bad_request", status: 400, detail: "Bare CR (RFC 9112 §2.2)" }, {
    at: "2009-02-06T12:14:14.655Z",
    id: "",
    client: "10.0.1.2:33317",
    frontend: "http-in",
    route: null,
    backend: null,
    server: null,
    method: null,
    host: null,
    target: null,
    protocol: null,
    status: 400,
    end: "client_bad_request",
    why: "The request was refused: Bare CR (RFC 9112 section 2.2)",
    t: { head: 0, queue: 0, connect: null, ttfb: null, total: 0 },
    bytes: { in: 0, out: 0 },
    attempts: 0,
  }],
  ["mode: tcp has no request", { mode: "tcp", client: ["2001:db8::1", 5], end: "tunnel_timeout", total: 3 }, {
    at: "2009-02-06T12:14:14.655Z",
    id: "",
    client: "[2001:db8::1]:5",
    frontend: "http-in",
    route: null,
    backend: null,
    server: null,
    end: "tunnel_timeout",
    why: "Nothing moved in the tunnel for timeouts.tunnel",
    t: { queue: 0, connect: null, total: 3 },
    bytes: { in: 0, out: 0 },
    attempts: 0,
  }],
];

Deno.test("writeJsonLine() writes one object a line", async (t) => {
  for (const [what, course, value] of json) {
    await t.step(what, () => {
      const line = lineOf("json", course);
      assert.ok(line.endsWith("}\n") && line.indexOf("\n") === line.length - 1, line);
      assert.deepEqual(JSON.parse(line), value);
    });
  }
});

Deno.test("no client and no server forges a line, and none is longer than a pipe takes at once", () => {
  const nasty = '"\\\n\r\u0000\u2028\u{1f600}' + "é".repeat(3000);
  const target = `/${'"\\'.repeat(6000)}`;
  for (const format of ["json", "text"] as const) {
    const course: Course = {
      head: `GET ${target} HTTP/1.1\r\nHost: ${"h".repeat(250)}.example\r\n\r\n`,
      client: ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535],
      id: nasty,
      route: nasty,
      connects: [[nasty, nasty, 1e9]],
      detail: nasty,
      end: "server_timeout_in_headers",
      bytes: [2 ** 53, 2 ** 53],
      total: 2 ** 40,
    };
    const line = lineOf(format, course);
    assert.ok(line.length <= LONGEST_LINE, `${format}: ${line.length}`);
    assert.match(line, /^[\x20-\x7e]*\n$/);
    if (format === "json") assert.equal(JSON.parse(line).target_length, target.length);
  }
});

Deno.test("ENDS has HAProxy's letters and one sentence each", () => {
  for (const [end, { flags, sentence }] of Object.entries(ENDS)) {
    assert.match(flags, /^[-CSPLRIDUKcs][-RQCHDLT]$/, end);
    assert.match(sentence, /^[A-Z][^.]*(\.[a-z_]+[^.]*)?$/, end);
  }
});

const numbers: readonly [value: number, integer: string, tenths: string][] = [
  [0, "0", "0"],
  [9, "9", "9"],
  [10, "10", "10"],
  [0.04, "0", "0"],
  [0.05, "0", "0.1"],
  [0.96, "0", "1"],
  [12.34, "12", "12.3"],
  [999.99, "999", "1000"],
  [2 ** 53, "9007199254740992", "9007199254740992"],
  [-1, "-1", "null"],
];

Deno.test("Line writes numbers as JSON has them", () => {
  for (const [value, integer, tenths] of numbers) {
    const line = new Line(new Uint8Array(64));
    line.integer(value);
    line.plain(" ");
    if (value < 1e12) line.tenths(value);
    const expected = value < 1e12 ? `${integer} ${tenths}` : `${integer} `;
    assert.equal(new TextDecoder().decode(line.bytes.subarray(0, line.at)), expected);
  }
});
