import assert from "node:assert/strict";
import { matchesShaCrypt } from "../../../runtime/proxy/sha_crypt.ts";

/** The passwords of the specification's own tests, and a few lengths beside; the hashes are glibc's. */
const rows: readonly (readonly [password: string, hash: string])[] = [
  ["Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"],
  ["Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"],
  [
    "a very much longer text to encrypt.  This one even stretches over morethan one line.",
    "$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
  ],
  [
    "we have a short salt string but not a short password",
    "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
  ],
  [
    "Hello world!",
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
  ],
  [
    "the minimum number is still observed",
    "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.",
  ],
  ["", "$6$x$QSmr1Bx2g4O6BzKvdkgOcyU6H91X6I/XBv5pSalMhSPkwdH6Beo3F455xZJg0v//bxVK5F4OE5k1.0xuR26MK0"],
  ["pässwörd", "$6$ab$MpxrX4b2nB2ONj1vFkTxO1WziUU7H5i50b94RpB.4R9rTnXToJEHZjpxG8xZMZoIP0oKonPlfDSUHBVy8G4yg."],
];

Deno.test("matchesShaCrypt() agrees with crypt(3)", () => {
  for (const [password, hash] of rows) {
    assert.equal(matchesShaCrypt(password, hash), true, hash);
    assert.equal(matchesShaCrypt(`${password}!`, hash), false, hash);
  }
});

Deno.test("matchesShaCrypt() knows what is no hash of this kind", () => {
  for (const hash of ["", "$1$x$y", "$5$x", "$6$salt$short", `$5$salt$${"a".repeat(86)}`, `$6$${"s".repeat(17)}$x`]) {
    assert.equal(matchesShaCrypt("", hash), null, hash);
  }
});
