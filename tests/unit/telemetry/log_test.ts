import assert from "node:assert/strict";
import { createLogger } from "../../../runtime/telemetry/log.ts";

Deno.test("createLogger() lets nobody forge a line, nor speak to the terminal", () => {
  const rows: readonly (readonly ["text" | "json", string, string])[] = [
    ["text", "web/a is drain", "03:04:05.000 notice  control web/a is drain\n"],
    ["text", "\x1b[31mx\n03:04:05.000 error", "03:04:05.000 notice  control \\u001b[31mx\n    03:04:05.000 error\n"],
    ["json", "\x1b\n", '{"at":"2026-01-02T03:04:05.000Z","level":"notice","role":"control","text":"\\u001b\\n"}\n'],
  ];
  for (const [format, text, expected] of rows) {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    createLogger({ role: "control", format, write, now: () => Date.UTC(2026, 0, 2, 3, 4, 5) }).notice(text);
    assert.deepEqual(lines, [expected]);
  }
});
