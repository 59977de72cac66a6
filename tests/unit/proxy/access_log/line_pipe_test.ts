/** LinePipe: whole lines in pieces that a pipe takes at once, never waiting, never losing one uncounted. */
import assert from "node:assert/strict";
import { LONGEST_LINE } from "../../../../runtime/proxy/access_log/line.ts";
import { LinePipe } from "../../../../runtime/proxy/access_log/line_pipe.ts";

/** A reader that takes so many pieces, then none until it is given more. */
function rig(takes = Infinity) {
  const pieces: string[] = [];
  const state = { takes, dropped: 0, writes: 0 };
  const pipe = new LinePipe({
    write(piece) {
      state.writes++;
      assert.ok(piece.length <= LONGEST_LINE && piece.at(-1) === 0x0a, "a piece is whole lines");
      if (state.takes <= 0) return false;
      state.takes--;
      pieces.push(new TextDecoder().decode(piece));
      return true;
    },
    dropped: () => state.dropped++,
  });
  const put = (text: string, now = 0) => {
    const line = pipe.begin();
    if (line === null) return;
    line.plain(`${text}\n`);
    pipe.finish(now);
  };
  return { pipe, pieces, state, put };
}

Deno.test("LinePipe gathers lines until they fill a piece or are old", () => {
  const { pipe, pieces, put } = rig();
  put("a", 0);
  pipe.turn(1);
  put("b", 3);
  pipe.turn(4);
  assert.deepEqual(pieces, []);
  pipe.turn(5);
  assert.deepEqual(pieces, ["a\nb\n"]);
  put("x".repeat(LONGEST_LINE - 1), 6);
  pipe.turn(6);
  assert.equal(pieces.length, 2);
  assert.equal(pipe.pending, false);
});

Deno.test("LinePipe cuts pieces at ends of lines only", () => {
  const { pipe, pieces, put } = rig();
  for (let i = 0; i < 12; i++) put(`${i} ${"x".repeat(1500)}`);
  pipe.flush();
  assert.ok(pieces.length >= 6);
  assert.equal(pieces.join("").split("\n").length, 13);
});

Deno.test("LinePipe drops and counts what a reader that stopped has no room for, and goes on when it reads", () => {
  const { pipe, pieces, state, put } = rig(0);
  const line = "x".repeat(999);
  for (let i = 0; i < 1000; i++) {
    put(`${String(i).padStart(4, "0")} ${line}`);
    pipe.turn(0);
  }
  assert.ok(state.dropped > 900 && state.dropped < 1000, `${state.dropped}`);
  const { writes } = state;
  put("lost");
  assert.equal(state.writes, writes, "a stuck reader is not asked again for each line");
  state.takes = Infinity;
  pipe.turn(0);
  const kept = pieces.join("").split("\n").slice(0, -1);
  assert.equal(kept.length + state.dropped, 1001);
  assert.deepEqual(kept.map((text) => text.slice(0, 4)), kept.map((_, i) => String(i).padStart(4, "0")));
  put("again", 9);
  pipe.flush();
  assert.equal(pieces.at(-1), "again\n");
});

Deno.test("LinePipe keeps the order where the reader takes a part", () => {
  const { pipe, pieces, state, put } = rig(0);
  const all: string[] = [];
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 5; i++) {
      const text = `${round}.${i} ${"y".repeat(700)}`;
      const before = state.dropped;
      put(text);
      if (state.dropped === before) all.push(text);
    }
    state.takes = round % 3;
    pipe.turn(round * 10);
  }
  state.takes = Infinity;
  pipe.flush();
  assert.deepEqual(pieces.join("").split("\n").slice(0, -1), all);
});
