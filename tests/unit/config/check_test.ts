import assert from "node:assert/strict";
import { check, type CheckInputs } from "../../../runtime/config/check.ts";
import { configOf, fixture } from "./loading.ts";

const pair = fixture("pair.yaml");

function run(text: string, options: Partial<CheckInputs> = {}) {
  const { text: printed, code } = check({
    file: "tandem.yaml",
    text,
    node: null,
    hostname: "laptop",
    readSecret: () => "secret",
    ...options,
  });
  return { printed: printed.split("\n"), code };
}

Deno.test("check() checks every node, or the one that is named", () => {
  assert.deepEqual(run(pair), {
    printed: ["tandem.yaml: OK for dlp1, dlp2 (1 instance, 1 frontend, 1 backend, 2 servers)", ""],
    code: 0,
  });
  assert.deepEqual(
    run(pair, { node: "dlp2" }).printed[0],
    "tandem.yaml: OK for dlp2 (1 instance, 1 frontend, 1 backend, 2 servers)",
  );
  assert.deepEqual(
    run("version: 1\n").printed[0],
    "tandem.yaml: OK for laptop (0 instances, 0 frontends, 0 backends, 0 servers)",
  );
});

Deno.test("check() prints each problem once, also where every node has it, and ends with code 2", () => {
  const { printed, code } = run(fixture("ten_mistakes.yaml"));
  assert.equal(code, 2);
  assert.equal(printed.length, 12);
  assert.equal(printed[1], "tandem.yaml:8:24: vrrp.VI_1.virtual_router_id: must be 1–255, got 256");
  assert.deepEqual(printed.slice(10), ["10 problems in tandem.yaml", ""]);
  assert.deepEqual(run(pair, { node: "dlp9" }).printed, [
    'tandem.yaml:3:3: nodes: no node is named "dlp9"; did you mean "dlp1"? (there is dlp1, dlp2)',
    "1 problem in tandem.yaml",
    "",
  ]);
});

Deno.test("check() finds what is wrong on one node only", () => {
  const text = pair.replace("135 }", "135, vrrp: { VI_1: { interface: a-name-that-is-too-long } } }");
  const { printed, code } = run(text);
  assert.equal(code, 2);
  assert.equal(
    printed[0],
    'tandem.yaml:4:64: nodes.dlp2.vrrp.VI_1.interface: must be an interface name (at most 15 characters), got "a-name-that-is-too-long"',
  );
  assert.equal(run(text, { node: "dlp1" }).code, 0);
});

Deno.test("check() tells what a reload would do, without a value", () => {
  const running = configOf(pair);
  const wanted = pair.replace('"1111"', '"hunter2"').replace("node02", "node03").replace("http-in", "web");
  const { printed, code } = run(wanted, { running });
  assert.equal(code, 0);
  assert.deepEqual(printed.slice(1), [
    "dlp1 runs; a reload would",
    "  update  vrrp.VI_1: authentication.password",
    "  create  frontends.web",
    "  remove  frontends.http-in",
    "  update  backends.backend_servers: servers.node02 (removed), servers.node03 (added)",
    "",
  ]);
  assert.deepEqual(run(pair, { running }).printed.slice(1), [
    "dlp1 runs; a reload would",
    "  keep    vrrp.VI_1",
    "  keep    frontends.http-in",
    "  keep    backends.backend_servers",
    "  change nothing",
    "",
  ]);
  assert.equal(run(pair, { running: null, node: "dlp2" }).printed[1], "dlp2 does not run; a reload would");
});
