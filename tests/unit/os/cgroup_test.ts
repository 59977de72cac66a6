import assert from "node:assert/strict";
import { cgroupDirectory } from "../../../runtime/os/cgroup.ts";

const v2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate";
const v2Unified = "42 35 0:39 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
const v1Memory = "39 35 0:36 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";
const v1Systemd = "44 35 0:41 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd";
const inContainer = "651 640 0:26 /docker/4f1c /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw";
const v1Container = "8:pids:/x\n4:memory:/x\n";

// Fields of proc_pid_mountinfo(5), lines of cgroups(7).
const cases: [name: string, mounts: string[], cgroup: string, found: string | RegExp][] = [
  ["a systemd service", [v2], "0::/system.slice/tandem.service\n", "/sys/fs/cgroup/system.slice/tandem.service"],
  ["the root", [v2], "0::/\n", "/sys/fs/cgroup"],
  ["v1 beside v2 without memory", [v2Unified, v1Systemd], "1:name=systemd:/\n0::/a\n", "/sys/fs/cgroup/unified/a"],
  [
    "memory in v1",
    [v2Unified, v1Memory],
    `${v1Container}0::/\n`,
    /belongs to cgroup v1 \("\/sys\/fs\/cgroup\/memory"\)/,
  ],
  ["v1 alone", [v1Systemd], v1Container, /No cgroup v2/],
  ["no cgroups at all", ["22 1 0:5 / /proc rw - proc proc rw"], "", /No cgroup v2/],
  ["a container without a namespace of cgroups", [inContainer], "0::/docker/4f1c\n", "/sys/fs/cgroup"],
  ["a part of such a container", [inContainer], "0::/docker/4f1c/a\n", "/sys/fs/cgroup/a"],
  ["a neighbour whose name begins alike", [inContainer], "0::/docker/4f1cc\n", /is outside of "\/sys\/fs\/cgroup"/],
  ["a process that was moved out of its namespace", [v2], "0::/../b\n", /is outside of/],
];

for (const [name, mounts, cgroup, expected] of cases) {
  Deno.test(`cgroupDirectory() in ${name}`, () => {
    const found = cgroupDirectory(mounts.join("\n") + "\n", cgroup);
    if (typeof expected === "string") assert.equal("path" in found ? found.path : found.missing, expected);
    else assert.match("missing" in found ? found.missing : found.path, expected);
  });
}
