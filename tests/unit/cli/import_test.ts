import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../../mod.ts", import.meta.url));

const keepalived = (priority: number) =>
  `vrrp_instance VI_1 {
  interface ens32
  virtual_router_id 51
  priority ${priority}
  smtp_alert
  virtual_ipaddress { 192.168.219.100/24 }
}
`;

const haproxy = `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend web
  bind 192.168.219.100:80
  default_backend app
backend app
  server node01 192.168.219.136:80 check
`;

/** Files of two keepalived and one HAProxy, in a directory of their own. */
async function imported(args: readonly string[]) {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/a.conf`, keepalived(101));
    await Deno.writeTextFile(`${directory}/b.conf`, keepalived(100));
    await Deno.writeTextFile(`${directory}/broken.conf`, `vrrp_script chk {\n  script x {\n}\n${keepalived(1)}`);
    await Deno.writeTextFile(`${directory}/haproxy.cfg`, haproxy);
    await Deno.writeTextFile(
      `${directory}/twice.cfg`,
      "listen a\n mode http\n bind :80 v6only tfo\n server s 192.0.2.1:80\n",
    );
    const tandem = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", main, ...words],
        cwd: directory,
        env: { NO_COLOR: "1" },
      }).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    const result = await tandem("import", ...args);
    await Deno.writeTextFile(`${directory}/tandem.yaml`, result.stdout);
    return { ...result, checked: result.code === 0 ? await tandem("check", "tandem.yaml") : null };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("import prints one tandem.yaml that check takes, and every line that it could not carry", async () => {
  const { code, stdout, stderr, checked } = await imported(
    ["--keepalived", "dlp1=a.conf", "--keepalived", "dlp2=b.conf", "--haproxy", "haproxy.cfg"],
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^# Imported from a\.conf, b\.conf, haproxy\.cfg\n/);
  assert.match(stdout, /priority: \{ dlp1: 101, dlp2: 100 \}/);
  assert.match(stdout, /bind: "?VI_1:80"?\n/);
  assert.match(stderr, /^a\.conf:5: smtp_alert: .+\nb\.conf:5: smtp_alert: .+\n2 lines were not carried over\n$/);
  assert.deepEqual([checked?.code, checked?.stderr], [0, ""]);
});

Deno.test("import counts a line once, however much is said of it", async () => {
  const { code, stderr } = await imported(["--haproxy", "twice.cfg"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^twice\.cfg:3: .*v6only.*\ntwice\.cfg:3: .*tfo.*\n1 line was not carried over\n$/);
});

Deno.test("import refuses a file whose braces do not pair up, and prints no part of it", async () => {
  const { code, stdout, stderr } = await imported(["--keepalived", "broken.conf"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(
    stderr,
    "tandem: Cannot import: a brace is missing, or there is one too many\n" +
      "broken.conf:1: vrrp_script chk {: is not closed before line 4, where vrrp_instance VI_1 begins\n",
  );
});

Deno.test("import says what it needs, and which file it cannot read", async () => {
  const rows: [string[], RegExp][] = [
    [[], /^tandem: "import" needs --keepalived or --haproxy; see tandem import --help\n$/],
    [["--haproxy", "none.cfg"], /^tandem: Cannot read the configuration "none\.cfg": it does not exist\n$/],
    [["haproxy.cfg"], /^tandem: "import" does not take "haproxy\.cfg"/],
  ];
  for (const [args, wanted] of rows) {
    const { code, stderr } = await imported(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, wanted);
  }
});
