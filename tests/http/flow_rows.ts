/** Streaming, back-pressure, time-outs and the reuse of connections. */

import assert from "node:assert/strict";
import { readFinal, readRequest, statusOf } from "./message.ts";
import { answering, OK, type Script } from "./origin.ts";
import { assertField, assertSame, type Row, told } from "./row.ts";
import { TIMEOUTS } from "./subject.ts";
import { pause, Wire } from "./wire.ts";

const get = (path = "/") => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

/** Slack for a loaded machine, in ms. */
const SLACK = 1200;

/**
 * Most octets that the kernel may hold of a response: in the origin's and the proxy's send buffers and in the proxy's
 * receive buffer, which grows to 32 MiB since Linux 6.17 where its reader is slow to be scheduled.
 */
function kernelHolds(): number {
  const most = (name: string) => Number(Deno.readTextFileSync(`/proc/sys/net/ipv4/${name}`).trim().split(/\s+/)[2]);
  return most("tcp_rmem") + 2 * most("tcp_wmem");
}

/** Reads each request and does as told, keeping count. */
const each = (act: (wire: Wire, count: number) => Promise<void>): Script => async (wire, origin) => {
  for (;;) {
    const request = await readRequest(wire, 60_000);
    if (request === null || !request.whole) return;
    origin.requests.push(request);
    await act(wire, origin.requests.length);
  }
};

export const streamingRows: Row[] = [
  told("each server-sent event is relayed at once", async ({ origin, client }) => {
    const sent: number[] = [];
    await origin.become(each(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let n = 0; n < 5; n++) {
        await pause(60);
        sent.push(performance.now());
        await wire.send("9\r\ndata: x\n\n\r\n");
      }
      await wire.send("0\r\n\r\n");
    }));
    const wire = await client();
    await wire.send(get());
    for (let n = 0; n < 5; n++) {
      assert.ok(await wire.until(() => wire.log.split("data: x").length > n + 1), `event ${n} is missing`);
      const late = performance.now() - sent[n];
      assert.ok(late < 50, `event ${n} came ${late.toFixed(0)} ms late`);
    }
  }),
  told("a close-delimited stream is relayed at once", async ({ origin, client }) => {
    await origin.become(each(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\n\r\nfirst");
      await pause(300);
      await wire.send("second");
      await wire.finish();
    }));
    const wire = await client();
    await wire.send(get());
    const begun = performance.now();
    assert.ok(await wire.until(() => wire.log.includes("first")));
    assert.ok(performance.now() - begun < 200, "the first part was held back");
    assert.ok(await wire.until(() => wire.log.includes("second")));
  }),
  told("a response may come before the request's end", async ({ origin, client }) => {
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      if (wire.received === "") return;
      await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
      await wire.until(() => wire.received.includes("done"));
      await wire.send("3\r\nbye\r\n0\r\n\r\n");
    });
    const wire = await client();
    await wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert.ok(await wire.until(() => wire.log.includes("hi\r\n")), "the response was held back");
    await wire.send("4\r\ndone\r\n0\r\n\r\n");
    assert.equal((await readFinal(wire))?.body, "hibye");
  }),
  told("9112 §9.6 a whole response before the request's end says that the connection ends", async (stage) => {
    const { origin, client } = stage;
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      await wire.send(OK);
      await wire.end(60_000);
    });
    const wire = await client();
    await wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    const answer = await readFinal(wire);
    assert.equal(answer?.body, "ok");
    assertField(answer!, "connection", ["close"]);
    assert.ok(await wire.end(), "the connection stays open");
  }),
  told("a request body is streamed, not collected", async ({ origin, client }) => {
    await origin.become(each((wire) => wire.send(OK).then(() => {})));
    const wire = await client();
    await wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    await wire.until(() => false, 150);
    assert.ok(origin.log.endsWith("hello"), `the origin has ${JSON.stringify(origin.log.slice(-40))}`);
    await wire.send("world");
    assert.equal((await readFinal(wire))?.body, "ok");
  }),
  told("a client that does not read stops the origin", async ({ origin, port }) => {
    let sent = 0;
    let blocked = false;
    const block = "x".repeat(1 << 20);
    const blocks = 32 + kernelHolds() / block.length;
    await origin.become(each(async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${block.length * blocks}\r\n\r\n`);
      for (let n = 0; n < blocks; n++) {
        const took = await Promise.race([wire.send(block), pause(700).then(() => "blocked" as const)]);
        if (took === "blocked") {
          blocked = true;
          return;
        }
        sent += block.length;
      }
    }));
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
    try {
      await wire.send(get());
      // A busy machine takes seconds to fill the buffers.
      for (let n = 0; n < 200 && !blocked; n++) await pause(100);
      assert.ok(blocked && sent < kernelHolds() + (4 << 20), `the proxy took ${sent >> 20} MiB nobody read`);
    } finally {
      wire.close();
    }
  }),
  told("a client that does not read stops an origin that says 103 without end", async ({ origin, client, port }) => {
    let sent = 0;
    let blocked = false;
    let whole = false;
    // Small ones: each of them must not cost more than its octets.
    const block = "HTTP/1.1 103 \r\n\r\n".repeat(4096);
    const most = kernelHolds() + (4 << 20);
    await origin.become(each(async (wire, count) => {
      if (count > 1) return void await wire.send(OK);
      while (sent < 2 * most) {
        const took = await Promise.race([wire.send(block), pause(700).then(() => "blocked" as const)]);
        if (took === "blocked") {
          blocked = true;
          return;
        }
        sent += block.length;
      }
      whole = true;
    }));
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
    try {
      await wire.send(get());
      // The client's time-out ends it once nothing moves: until then nobody else may feel it.
      for (let n = 0; n < 200 && !blocked && !whole && wire.ended === "no"; n++) {
        const other = await client();
        await other.send(get("/other"));
        assert.equal((await readFinal(other))?.body, "ok", "another client feels it");
        other.close();
        await pause(50);
      }
      assert.ok(blocked && sent < most, `the proxy took ${sent >> 20} MiB nobody read`);
    } finally {
      wire.close();
    }
  }),
  told("a client that reads again gets the rest", async ({ origin, port }) => {
    const size = 8 << 20;
    await origin.become(each(async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      await wire.send("0123456789abcdef".repeat(size / 16));
    }));
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
    try {
      await wire.send(get());
      await pause(500);
      wire.read();
      const response = await readFinal(wire, { patience: 15_000 });
      assert.ok(response?.whole, `${response?.body.length} of ${size}`);
      assertSame(response?.body, "0123456789abcdef".repeat(size / 16));
    } finally {
      wire.close();
    }
  }),
  told("an origin that does not read stops the client", async ({ origin, client }) => {
    // The wire of this row is read no further than the head: its script never ends.
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      wire.hold();
      await pause(1000);
      wire.close();
    });
    const wire = await client();
    const block = "x".repeat(1 << 20);
    await wire.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${block.length * 64}\r\n\r\n`);
    let sent = 0;
    const over = pause(900);
    for (let n = 0; n < 64; n++) {
      if (await Promise.race([wire.send(block), over.then(() => "blocked" as const)]) === "blocked") break;
      sent += block.length;
    }
    assert.ok(sent < 32 << 20, `the proxy took ${sent >> 20} MiB nobody read`);
  }),
  told("a client that goes away closes the origin's connection at once", async ({ origin, client }) => {
    await origin.become(each(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    }));
    const wire = await client();
    await wire.send(get());
    await wire.until(() => wire.log.includes("hi"));
    wire.close();
    assert.ok(await origin.wires[0].end(500), "the origin's connection stays open");
  }),
];

export const reuseRows: Row[] = [
  told("9112 §9.3 connections are kept on both sides", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    for (let n = 0; n < 5; n++) {
      await wire.send(get(`/${n}`));
      assert.equal((await readFinal(wire))?.body, "ok");
    }
    assert.equal(origin.requests.length, 5);
    assert.equal(origin.wires.length, 1, "the origin's connection is not used again");
  }),
  told(
    "9112 §9.3.1 an idle connection closed just before a GET: retried once or closed",
    async ({ origin, client }) => {
      // The origin closes the reused connection when the second request arrives: the proxy has sent into a dying one.
      await origin.become(each(async (wire, count) => {
        if (count === 2) wire.close();
        else await wire.send(OK);
      }));
      const wire = await client();
      await wire.send(get("/1"));
      assert.equal((await readFinal(wire))?.body, "ok");
      await wire.send(get("/2"));
      const second = await readFinal(wire);
      assert.ok(second === null || statusOf(second) === 200 || statusOf(second) === 502, second?.line);
      assert.ok(origin.requests.length <= 3, "sent more than twice");
    },
  ),
  told(
    "denoland/deno#35610 a POST on a reused connection that dies is never delivered twice",
    async ({ origin, client }) => {
      await origin.become(each(async (wire, count) => {
        if (count === 1) await wire.send(OK);
        else wire.close();
      }));
      const wire = await client();
      await wire.send(get("/1"));
      assert.equal((await readFinal(wire))?.body, "ok");
      await wire.send(POST);
      const second = await readFinal(wire);
      assert.ok(second === null || statusOf(second) >= 500, second?.line);
      await pause(100);
      assert.equal(origin.requests.filter((request) => request.line.startsWith("POST")).length, 1);
    },
  ),
  told("9110 §9.2.2 a POST on a fresh connection that dies: 502, one delivery", async ({ origin, client }) => {
    await origin.become(each((wire) => Promise.resolve(wire.close())));
    const wire = await client();
    await wire.send(POST);
    const answer = await readFinal(wire);
    assert.ok(answer !== null && statusOf(answer) === 502, answer?.line ?? "closed");
    await pause(100);
    assert.equal(origin.requests.length, 1);
  }),
  told("9110 §9.2.2 a GET on a fresh connection that dies: 502, at most two deliveries", async ({ origin, client }) => {
    await origin.become(each((wire) => Promise.resolve(wire.close())));
    const wire = await client();
    await wire.send(get());
    const answer = await readFinal(wire);
    assert.ok(answer !== null && statusOf(answer) === 502, answer?.line ?? "closed");
    await pause(100);
    assert.ok(origin.requests.length <= 2, `${origin.requests.length} deliveries`);
  }),
  told("9112 §9.6 a connection the origin announces to close is not used again", async ({ origin, client }) => {
    await origin.become(each(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    }));
    const wire = await client();
    for (let n = 0; n < 2; n++) {
      await wire.send(get());
      assert.equal((await readFinal(wire))?.body, "ok");
    }
    assert.equal(origin.wires.length, 2);
  }),
  told("9112 §9.3 an HTTP/1.0 origin's connection is not used again", async ({ origin, client }) => {
    await origin.become(each((wire) => wire.send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").then(() => {})));
    const wire = await client();
    for (let n = 0; n < 2; n++) {
      await wire.send(get());
      assert.equal((await readFinal(wire))?.body, "ok");
    }
    assert.equal(origin.wires.length, 2);
  }),
];

export const timeoutRows: Row[] = [
  told("408 or close for a head that never ends", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send("GET / HTTP/1.1\r\nHost: a\r\n");
    const answer = await readFinal(wire, { patience: TIMEOUTS.head + SLACK });
    assert.ok(answer === null ? wire.ended !== "no" : statusOf(answer) === 408, answer?.line ?? "still open");
    assert.equal(origin.requests.length, 0);
  }),
  told("the head's time-out is total, not per byte (slowloris)", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    const begun = performance.now();
    await wire.send("GET / HTTP/1.1\r\nHost: a\r\n");
    while (wire.ended === "no" && wire.log === "" && performance.now() - begun < TIMEOUTS.head + SLACK) {
      await wire.send("X: 1\r\n");
      await pause(100);
    }
    assert.ok(
      wire.ended !== "no" || wire.log.startsWith("HTTP/1.1 408"),
      `still open after ${performance.now() - begun} ms`,
    );
  }),
  told("408 or close for a body that stalls", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello");
    const answer = await readFinal(wire, { patience: TIMEOUTS.client + SLACK });
    assert.ok(
      answer === null ? wire.ended !== "no" : [408, 502, 504].includes(statusOf(answer)),
      answer?.line ?? "still open",
    );
    assert.equal(origin.requests.length, 0);
  }),
  told("504 for an origin that says nothing", async ({ origin, client }) => {
    await origin.become(each(() => Promise.resolve()));
    const wire = await client();
    await wire.send(get());
    const answer = await readFinal(wire, { patience: TIMEOUTS.server + SLACK });
    assert.equal(statusOf(answer!), 504, answer?.line);
    assert.equal(origin.requests.length, 1);
  }),
  told("504 for an origin that takes nothing of a body", async ({ origin, client }) => {
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      wire.hold();
      await pause(60_000);
    });
    const wire = await client();
    const size = kernelHolds() + (16 << 20);
    void wire.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`);
    // Once more than the time-out: that it takes nothing is seen from the second look on.
    const answer = await readFinal(wire, { patience: 2 * TIMEOUTS.server + 4 * SLACK });
    assert.equal(statusOf(answer!), 504, answer?.line);
  }),
  told("9110 §10.1.1 who waits for a 100 is not to blame that none comes: 504", async ({ origin, client }) => {
    await origin.become(async (wire) => void await wire.end(60_000));
    const wire = await client();
    await wire.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const answer = await readFinal(wire, { patience: TIMEOUTS.server + SLACK });
    assert.equal(statusOf(answer!), 504, answer?.line);
  }),
  told("who takes no interim responses gets no answer in their place", async ({ origin, port }) => {
    const over = { value: false };
    await origin.become(async (wire) => {
      await wire.until(() => wire.received.includes("\r\n\r\n"));
      while (!over.value && await wire.send(`HTTP/1.1 103 \r\nLink: ${"a".repeat(2000)}\r\n\r\n`.repeat(64)));
    });
    const wire = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
    try {
      await wire.send(get());
      await pause(100);
      assert.ok(await origin.wires[0].end(2 * TIMEOUTS.client + 4000), "the origin's connection stays open");
      wire.read();
      assert.ok(await wire.end(10_000), "the client's connection stays open");
      assert.doesNotMatch(wire.log.slice(-300), /HTTP\/1\.1 [2-5]/);
      assert.equal(wire.ended, "reset");
    } finally {
      over.value = true;
      wire.close();
    }
  }),
  told("a POST is not sent again when its origin says nothing", async ({ origin, client }) => {
    await origin.become(each(() => Promise.resolve()));
    const wire = await client();
    await wire.send(POST);
    const answer = await readFinal(wire, { patience: TIMEOUTS.server + SLACK });
    assert.equal(statusOf(answer!), 504, answer?.line);
    await pause(200);
    assert.equal(origin.requests.length, 1);
  }),
  told("a response body that stalls is broken off visibly", async ({ origin, client }) => {
    await origin.become(each((wire) => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").then(() => {})));
    const wire = await client();
    await wire.send(get());
    const answer = await readFinal(wire, { patience: TIMEOUTS.server + SLACK });
    assert.ok(!answer?.whole && wire.ended !== "no", "still open");
  }),
  told("9112 §9.8 an idle client connection is closed without a word", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    await wire.send(get());
    assert.equal((await readFinal(wire))?.body, "ok");
    assert.ok(await wire.end(TIMEOUTS.keepAlive + SLACK), "still open");
    assert.equal(wire.received, "");
  }),
  ...["behind a request", "on a new connection"].map((where) =>
    told(`9112 §2.2 empty lines ${where} are no request: closed without a word, and in time`, async (stage) => {
      const { origin, client } = stage;
      await origin.become(answering(OK));
      const wire = await client();
      if (where === "behind a request") {
        await wire.send(`${POST}\r\n`);
        assert.equal((await readFinal(wire))?.body, "ok");
      }
      const begun = performance.now();
      while (wire.ended === "no" && performance.now() - begun < TIMEOUTS.keepAlive + SLACK) {
        // In two pieces too.
        for (const piece of ["\r", "\n\r\n"]) {
          await wire.send(piece);
          await wire.end(100);
        }
      }
      assert.notEqual(wire.ended, "no", "still open");
      assert.equal(wire.received, "");
    })
  ),
  told("9112 §2.2 a request behind empty lines, in pieces", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    for (const piece of ["\r\n", "\r", "\n\r", "\nG", "ET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r", `\n${get("/2")}`]) {
      await wire.send(piece);
      await pause(20);
    }
    for (let n = 0; n < 2; n++) assert.equal((await readFinal(wire))?.body, "ok");
    assert.deepEqual(origin.requests.map(({ line }) => line), ["GET / HTTP/1.1", "GET /2 HTTP/1.1"]);
  }),
  told("a connection that never says anything is closed", async ({ origin, client }) => {
    await origin.become(answering(OK));
    const wire = await client();
    assert.ok(await wire.end(TIMEOUTS.client + SLACK), "still open");
  }),
  told("503 or 502 where nothing listens", async ({ origin, client }) => {
    await origin.become(answering(OK));
    await origin.refuse();
    try {
      const wire = await client();
      await wire.send(get());
      assert.ok([502, 503].includes(statusOf((await readFinal(wire))!)));
    } finally {
      await origin.listen();
    }
  }),
];
