/** Lines by their status, and nothing of a request taken for one. */
import assert from "node:assert/strict";
import { statusFilter, statusOf } from "../../../../runtime/telemetry/access_log/line_filter.ts";

const json = (status: number | null, target = "/") =>
  `{"at":"2026-11-22T10:55:49.109Z","id":"a-1","client":"127.0.0.1:46314","frontend":"in","route":null,"backend":"web","server":"s0","method":"GET","host":"a","target":"${target}","protocol":"HTTP/1.1","status":${status},"end":"done","t":{},"bytes":{},"attempts":1}`;
const text = (status: number, target = "/") =>
  `127.0.0.1:51352 [22/Nov/2026:10:51:31.283] in web/s0 0/0/0/1/1 ${status} 173 - - ---- 1/1/0/0/0 0/0 "GET ${target} HTTP/1.1" end=done`;

const lines: readonly [line: string, status: number | null][] = [
  [json(200), 200],
  [json(503), 503],
  [json(null), null],
  [json(200, '/?\\",\\"protocol\\":\\"HTTP/1.1\\",\\"status\\":500,'), 200],
  [text(404), 404],
  [text(-1), null],
  [text(200, "/0/0/0/0/0 500 "), 200],
  ["127.0.0.1:5 [22/Nov/2026:10:51:31.283] in web/s0 0/0/5007 212 -- 0/0/0/0/0 0/3 end=tunnel_done", null],
  ["", null],
  ["{", null],
];

Deno.test("statusOf() reads the status of a line of either format", () => {
  for (const [line, status] of lines) assert.equal(statusOf(line), status, line);
});

const filters: readonly [filter: string, fits: readonly number[], not: readonly number[]][] = [
  ["5xx", [500, 599], [499, 600, 200]],
  ["404", [404], [400, 405]],
  ["400-499", [400, 499], [399, 500]],
  ["5xx,404", [500, 404], [403]],
  ["5XX, 4xx", [500, 404], [200]],
];

Deno.test("statusFilter() takes classes, numbers, ranges, and lists of them", () => {
  for (const [filter, fits, not] of filters) {
    const chosen = statusFilter(filter) ?? assert.fail(filter);
    for (const status of fits) assert.ok(chosen(json(status)), `${filter} ${status}`);
    for (const status of not) assert.ok(!chosen(json(status)), `${filter} ${status}`);
    assert.ok(!chosen(json(null)));
  }
  for (const bad of ["", "6xx", "5x", "abc", "40", "400-", "5xx,"]) assert.equal(statusFilter(bad), null, bad);
});
