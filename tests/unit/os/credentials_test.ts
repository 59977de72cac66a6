import assert from "node:assert/strict";
import { findUser, firstUnreadable, isMapped } from "../../../runtime/os/credentials.ts";

const passwd = "root:x:0:0:root:/root:/bin/bash\ntandem:x:998:997::/nonexistent:/usr/sbin/nologin\nbroken:x:a:b\n";

Deno.test("findUser() reads /etc/passwd", () => {
  assert.deepEqual(findUser(passwd, "tandem"), { name: "tandem", uid: 998, gid: 997 });
  for (const name of ["tande", "broken", ""]) assert.equal(findUser(passwd, name), null, name);
});

Deno.test("isMapped() knows which ids a user namespace has", () => {
  const rows: [string, string, number, boolean][] = [
    ["the first namespace", "         0          0 4294967295\n", 998, true],
    ["root alone", "         0       1000          1\n", 998, false],
    ["root alone, root", "         0       1000          1\n", 0, true],
    ["a range of subordinate ids", "0 1000 1\n1 100000 65536\n", 998, true],
    ["beyond the range", "0 1000 1\n1 100000 65536\n", 65537, false],
    ["nothing known", "", 0, false],
  ];
  for (const [name, map, id, expected] of rows) assert.equal(isMapped(map, id), expected, name);
});

Deno.test("firstUnreadable() names the directory or file that stands in the way", async () => {
  const directory = await Deno.makeTempDir();
  try {
    // Someone who is surely not the one who runs this test.
    const stranger = { name: "stranger", uid: 4_000_001, gid: 4_000_001 };
    const [open, closed] = [`${directory}/open`, `${directory}/closed`];
    await Deno.mkdir(open, { mode: 0o755 });
    await Deno.mkdir(closed, { mode: 0o700 });
    await Deno.writeTextFile(`${open}/a`, "", { mode: 0o644 });
    await Deno.writeTextFile(`${open}/b`, "", { mode: 0o600 });
    await Deno.writeTextFile(`${closed}/a`, "", { mode: 0o644 });
    await Deno.chmod(directory, 0o755);
    assert.equal(firstUnreadable([`${open}/a`], stranger), null);
    assert.equal(firstUnreadable([`${open}/a`, `${open}/b`], stranger), `${open}/b`);
    assert.equal(firstUnreadable([`${closed}/a`], stranger), closed);
    assert.equal(firstUnreadable([`${open}/gone`], stranger), `${open}/gone`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
