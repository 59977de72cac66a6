/** Checkers of a whole node against real servers: dnsmasq, nginx as an HTTP/2 server, and the programs that HAProxy runs. */
import assert from "node:assert/strict";
import { until } from "../support/command.ts";
import { type Host, Lan } from "../support/namespaces.ts";
import { startHaproxy, startNginx } from "../support/peers.ts";
import { Scratch } from "../support/scratch.ts";
import { startTandem, type Status } from "../support/tandem.ts";

const addresses = { dlp1: "192.168.219.134/24", node01: "192.168.219.136/24" } as const;
const node01 = "192.168.219.136";

const configuration = (directory: string, backends: Readonly<Record<string, string>>) =>
  [
    "version: 1",
    "nodes: { dlp1: {} }",
    `admin: { bind: none, socket: ${directory}/dlp1.sock }`,
    "backends:",
    ...Object.entries(backends).map(([name, check]) =>
      `  ${name}: { check: { ${check}, interval: 200ms, timeout: 150ms, rise: 1, fall: 1 }, servers: { one: "${node01}:${
        name.startsWith("rpc") ? 50051 : 53
      }" } }`
    ),
  ].join("\n") + "\n";

async function startDnsmasq(host: Host, directory: string, lines: readonly string[]) {
  const file = `${directory}/dnsmasq.conf`;
  const usual = ["port=53", `listen-address=${node01}`, "bind-interfaces", "no-resolv", "no-hosts", "pid-file="];
  await Deno.writeTextFile(file, [...usual, ...lines].join("\n") + "\n");
  const running = host.spawn(["dnsmasq", "--keep-in-foreground", "--log-facility=-", `--conf-file=${file}`]);
  await running.said(/started, version/);
  return running;
}

const server = (status: Status, backend: string) =>
  status.backends.find(({ name }) => name === backend)?.servers[0] ?? assert.fail(`no backend ${backend}`);
const told = (status: Status) =>
  Object.fromEntries(status.backends.map(({ name, servers: [{ state, reason }] }) => [
    name,
    `${state}: ${reason.replace(/ in [\d.]+ ms/, "")}`,
  ]));

Deno.test("dns checks of a node, asked of dnsmasq", async () => {
  await using lan = await Lan.create(addresses);
  using scratch = new Scratch();
  const many = Array.from({ length: 90 }, (_, index) => `address=/many.example.org/198.51.100.${index + 1}`);
  const records = [
    "host-record=www.example.org,192.0.2.1,2001:db8::1",
    "cname=shop.example.org,www.example.org",
    "mx-host=example.org,mail.example.org,10",
    'txt-record=example.org,"v=spf1 -all"',
    "srv-host=_sip._tcp.example.org,sip.example.org,5060,1,2",
    "local=/example.org/",
  ];
  const dnsmasq = await startDnsmasq(lan.host("node01"), scratch.path, [...records, ...many]);
  const file = scratch.file("tandem.yaml");
  const checks = {
    plain: "type: dns, name: www.example.org",
    alias: "type: dns, name: shop.example.org, expect: { answers: [192.0.2.1] }",
    aaaa: 'type: dns, name: www.example.org, record: AAAA, expect: { answers: ["2001:db8:0::1"] }',
    mx: "type: dns, name: example.org, record: MX, expect: { answers: [10 mail.example.org.] }",
    txt: 'type: dns, name: example.org, record: TXT, expect: { answers: ["v=spf1 -all"] }',
    srv: "type: dns, name: _sip._tcp.example.org, record: SRV, expect: { answers: [1 2 5060 sip.example.org] }",
    long: "type: dns, name: many.example.org, expect: { answers: [198.51.100.1, 198.51.100.90] }",
    stream: "type: dns, name: www.example.org, transport: tcp",
    other: "type: dns, name: www.example.org, expect: { answers: [192.0.2.9] }",
    nobody: "type: dns, name: nobody.example.org",
    refused: "type: dns, name: example.com, expect: { rcode: REFUSED }",
  };
  await Deno.writeTextFile(file, configuration(scratch.path, checks));
  const node = await startTandem(lan.host("dlp1"), { file, directory: scratch.path });
  try {
    const all = await node.waitFor(
      "every check has answered",
      (status) =>
        status.phase === "running" && status.backends.every(({ servers: [{ check }] }) => check?.at) && status,
    );
    assert.deepEqual(told(all), {
      plain: "up: NOERROR, 1 answer",
      alias: "up: NOERROR, 1 answer",
      aaaa: "up: NOERROR, 1 answer",
      mx: "up: NOERROR, 1 answer",
      txt: "up: NOERROR, 1 answer",
      srv: "up: NOERROR, 1 answer",
      // Does not fit a datagram: dnsmasq says so, and is asked again by TCP.
      long: "up: NOERROR, 90 answers",
      stream: "up: NOERROR, 1 answer",
      other: "down: got 192.0.2.1, wanted 192.0.2.9,",
      nobody: "down: got NXDOMAIN, wanted NOERROR,",
      refused: "up: REFUSED, 0 answers",
    });
    await dnsmasq.stop();
    await node.waitFor("nobody answers", (status) => server(status, "plain").state === "down");
    const { plain, stream } = told(
      await node.waitFor("by TCP, too", (status) => server(status, "stream").state === "down" && status),
    );
    assert.deepEqual([plain, stream.replace(/ after .*/, "")], [
      "down: no answer within 150 ms",
      "down: connect refused",
    ]);
  } finally {
    await node.stop();
    await dnsmasq.stop("SIGKILL");
  }
});

/** HealthCheckResponse as gRPC frames it. */
const response = (status: number) => Uint8Array.of(0, 0, 0, 0, 2, 8, status);

Deno.test("grpc checks of a node, asked of nginx, whose HTTP/2 is nobody's of ours", async () => {
  await using lan = await Lan.create(addresses);
  using scratch = new Scratch();
  const health = scratch.file("health");
  await Deno.chmod(scratch.path, 0o755);
  await Deno.writeFile(health, response(1));
  // A file is not for POST: the answer to that is the file.
  const nginx = await startNginx(
    lan.host("node01"),
    scratch.path,
    `server { listen 50051 http2; server_name sound; root ${scratch.path}; default_type application/grpc;
  error_page 405 =200 /health; add_trailer grpc-status 0;
  location /grpc.health.v1.Health/Check { if ($content_type != application/grpc) { return 415; } try_files /health =404; } }
server { listen 50051 http2; server_name ill; default_type application/grpc;
  add_header grpc-status 14; add_header grpc-message "no%20disk"; location / { return 200; } }
server { listen 50051 http2; server_name web; location / { return 200 hello; } }`,
    50051,
  );
  const file = scratch.file("tandem.yaml");
  const checks = {
    rpc: "type: grpc, authority: sound",
    rpc_ill: "type: grpc, authority: ill, service: shop.Cart",
    rpc_web: "type: grpc, authority: web",
    rpc_http1: "type: grpc, port: 50052",
  };
  await Deno.writeTextFile(file, configuration(scratch.path, checks));
  const node = await startTandem(lan.host("dlp1"), { file, directory: scratch.path });
  try {
    const all = await node.waitFor(
      "every check has answered",
      (status) =>
        status.phase === "running" && status.backends.every(({ servers: [{ check }] }) => check?.at) && status,
    );
    assert.deepEqual(told(all), {
      rpc: "up: SERVING",
      rpc_ill: "down: got UNAVAILABLE: no disk, wanted SERVING,",
      rpc_web: "down: got an answer without grpc-status, wanted SERVING,",
      rpc_http1: told(all).rpc_http1,
    });
    assert.match(told(all).rpc_http1, /^down: connect refused after/);
    await Deno.writeFile(health, response(2));
    await node.waitFor(
      "it says it does not serve",
      (status) => server(status, "rpc").reason.startsWith("got NOT_SERVING, wanted SERVING"),
    );
    await Deno.writeFile(health, response(1));
    await node.waitFor("it serves again", (status) => server(status, "rpc").state === "up");
  } finally {
    await node.stop();
    await nginx.stop("SIGKILL");
  }
});

Deno.test("command checks give a program what HAProxy gives it, as somebody without rights", async () => {
  await using lan = await Lan.create(addresses);
  using scratch = new Scratch();
  await Deno.chmod(scratch.path, 0o777);
  const program = scratch.file("external");
  const seen = (who: string) => scratch.file(`${who}.txt`);
  await Deno.writeTextFile(
    program,
    `#!/bin/sh
out=${scratch.path}/\${TANDEM_NODE:+tandem}
[ -n "$TANDEM_NODE" ] || out=${scratch.path}/haproxy
echo "$@ $HAPROXY_PROXY_NAME $HAPROXY_SERVER_NAME $HAPROXY_SERVER_ADDR $HAPROXY_SERVER_PORT" > $out.new
id -u > $out.uid
mv $out.new $out.txt
echo looked
`,
  );
  await Deno.chmod(program, 0o755);
  const haproxy = await startHaproxy(
    lan.host("dlp1"),
    scratch.path,
    `global
  external-check
  insecure-fork-wanted
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend in
  bind 127.0.0.1:9999
  default_backend app
backend app
  option external-check
  external-check command ${program}
  external-check path /usr/bin:/bin
  server one ${node01}:53 check inter 200ms
`,
    9999,
  );
  const file = scratch.file("tandem.yaml");
  await Deno.writeTextFile(
    file,
    configuration(scratch.path, { app: `type: command, command: [${program}], arguments: haproxy` }).replace(
      "timeout: 150ms",
      "timeout: 2s",
    ).replace("interval: 200ms", "interval: 2s"),
  );
  const node = await startTandem(lan.host("dlp1"), { file, directory: scratch.path });
  try {
    await node.waitFor("it is up", (status) => told(status).app === "up: looked");
    await until("HAProxy has run it", () => Deno.readTextFile(seen("haproxy")).catch(() => null));
    assert.equal(await Deno.readTextFile(seen("tandem")), await Deno.readTextFile(seen("haproxy")));
    assert.equal(await Deno.readTextFile(seen("tandem")), `NOT_USED NOT_USED ${node01} 53 app one ${node01} 53\n`);
    assert.notEqual((await Deno.readTextFile(scratch.file("tandem.uid"))).trim(), "0");
  } finally {
    await node.stop();
    await haproxy.stop("SIGKILL");
  }
});
