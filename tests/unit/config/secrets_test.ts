import assert from "node:assert/strict";
import { readSecretFrom } from "../../../runtime/config/secrets.ts";

Deno.test("readSecretFrom() reads text, and says what is none without showing it", async () => {
  const directory = await Deno.makeTempDir();
  const read = readSecretFrom(directory);
  const bytes = (text: string) => new TextEncoder().encode(text);
  const rows: readonly (readonly [name: string, content: Uint8Array, expected: string | { readonly why: string }])[] = [
    ["plain", bytes("hünter2\n"), "hünter2"],
    ["of Windows", bytes("hunter2\r\n"), "hunter2"],
    ["two line breaks", bytes("hunter2\n\n"), "hunter2\n"],
    ["with a mark", new Uint8Array([0xef, 0xbb, 0xbf, ...bytes("hunter2")]), "hunter2"],
    ["Latin-1", new Uint8Array([...bytes("ab\nc"), 0xe4, 0x64]), {
      why: "it is not UTF-8 at line 2, byte 3 of it; save it as UTF-8",
    }],
    ["a letter that breaks off", new Uint8Array([0x61, 0xc3]), {
      why: "it is not UTF-8 at line 1, byte 2 of it; save it as UTF-8",
    }],
    ["a byte that begins nothing", new Uint8Array([0x61, 0xff]), {
      why: "it is not UTF-8 at line 1, byte 2 of it; save it as UTF-8",
    }],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 0x61, 0]), { why: "it is UTF-16; save it as UTF-8" }],
    ["UTF-16, the other way", new Uint8Array([0xfe, 0xff, 0, 0x61]), { why: "it is UTF-16; save it as UTF-8" }],
    ["UTF-16 without a mark", new Uint8Array([0x61, 0, 0x62, 0]), { why: "it is UTF-16; save it as UTF-8" }],
    ["nothing", new Uint8Array(), ""],
  ];
  try {
    for (const [name, content, expected] of rows) {
      await Deno.writeFile(`${directory}/k`, content);
      if (typeof expected === "string") assert.equal(read({ file: "k" }), expected, name);
      else {
        const message = `Cannot read the secret file "${directory}/k": ${expected.why}`;
        assert.throws(() => read({ file: "k" }), { message }, name);
      }
    }
    const missing = { message: `Cannot read the secret file "${directory}/none": it does not exist` };
    assert.throws(() => read({ file: "none" }), missing);
    assert.throws(() => read({ file: directory }), {
      message: `Cannot read the secret file "${directory}": it is a directory`,
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
