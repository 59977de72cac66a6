import { deepEqual, equal, match } from "node:assert/strict";
import { libc } from "../../../runtime/os/libc.ts";
import { CautiousWriter, LineReader, LineWriter } from "../../../runtime/os/pipe.ts";
import { Poller } from "../../../runtime/os/scheduling.ts";

/** A pipe that is closed at the end of the block. */
class Pipe implements Disposable {
  readonly read: number;
  readonly write: number;
  #open: number[];
  constructor() {
    const ends = new Int32Array(2);
    equal(
      libc().syscall6(293n, BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(ends))), 0x800n, 0n, 0n, 0n, 0n),
      0n,
    );
    [this.read, this.write] = ends;
    this.#open = [...ends];
  }
  close(fd: number): void {
    this.#open = this.#open.filter((one) => one !== fd);
    libc().close(fd);
  }
  [Symbol.dispose](): void {
    for (const fd of this.#open) libc().close(fd);
  }
}

const x86 = Deno.build.arch === "x86_64";

Deno.test({ name: "LineReader gives whole lines, however they arrive", ignore: !x86 }, () => {
  using pipe = new Pipe();
  const reader = new LineReader(pipe.read);
  const put = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    libc().write(pipe.write, bytes, BigInt(bytes.length));
  };
  deepEqual(reader.read(), { lines: [], ended: false });
  put('{"a":1}\n{"b"');
  deepEqual(reader.read(), { lines: ['{"a":1}'], ended: false });
  put(":2}\n\n3\n");
  deepEqual(reader.read(), { lines: ['{"b":2}', "3"], ended: false });
  pipe.close(pipe.write);
  deepEqual(reader.read(), { lines: [], ended: true });
});

Deno.test({ name: "LineWriter does not wait for a reader that is late", ignore: !x86 }, () => {
  using pipe = new Pipe();
  const writer = new LineWriter(pipe.write);
  const line = "x".repeat(50_000);
  for (let i = 0; i < 4; i++) writer.write(line);
  equal(writer.idle, false);

  const reader = new LineReader(pipe.read);
  const lines: string[] = [];
  const poller = new Poller();
  poller.add(pipe.read, () => lines.push(...reader.read().lines));
  for (let i = 0; i < 100 && lines.length < 4; i++) {
    if (!writer.idle) poller.once(pipe.write, () => writer.flush());
    poller.wait(100);
  }
  deepEqual(lines.map(({ length }) => length), [50_000, 50_000, 50_000, 50_000]);
  equal(writer.idle, true);

  pipe.close(pipe.read);
  writer.write("to nobody");
  equal(writer.idle, true);
});

Deno.test({ name: "CautiousWriter tells how many lines were lost", ignore: !x86 }, () => {
  using pipe = new Pipe();
  const writer = new CautiousWriter(pipe.write);
  const line = "y".repeat(999) + "\n";
  for (let i = 0; i < 2000; i++) writer.write(line);
  const reader = new LineReader(pipe.read);
  let seen: string[] = [];
  const drain = () => {
    for (let got = reader.read(); got.lines.length > 0; got = reader.read()) seen = [...seen, ...got.lines];
  };
  for (let i = 0; i < 40; i++) {
    drain();
    writer.write("more\n");
  }
  drain();
  match(seen.find((text) => text.includes("missing")) ?? "", /^\d+ lines are missing here/);
  equal(seen.filter((text) => text.length === 999).length > 900, true);
});

Deno.test("Poller waits for a time", () => {
  const poller = new Poller();
  const begin = performance.now();
  poller.wait(5);
  equal(performance.now() - begin >= 4.9, true);
  poller.wait(-1);
});
