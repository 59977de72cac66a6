/** Engine threads rehearse before anybody asks: with sockets of their own, unseen by counters, once. */
import assert from "node:assert/strict";
import { rehearse } from "../../runtime/proxy/rehearsal.ts";
import { until } from "../support/command.ts";
import { answering, backend, freePort, frontend, get, Origin, ProxyUnderTest, ways } from "./proxy_support.ts";

const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).sort();

for (const way of ways) {
  Deno.test(`${way}: a rehearsal serves its requests and leaves no descriptor behind`, () => {
    rehearse(way);
    const before = descriptors();
    // A busy machine may stop it before its end; that it works at all is the matter.
    assert.ok(rehearse(way) >= 10);
    assert.deepEqual(descriptors(), before);
  });

  Deno.test(`${way}: nothing of a rehearsal is counted or logged, and the first request is served`, async () => {
    await using origin = new Origin(answering("a"));
    await using proxy = new ProxyUnderTest(way);
    const port = freePort();
    await proxy.apply({ frontends: [frontend("in", port)], backends: [backend("web", [origin.port])] });
    const began = performance.now();
    await until("the time of the rehearsal is over", () => performance.now() - began > 800);
    const idle = await proxy.status();
    assert.deepEqual([idle.frontends[0].connections.total, idle.servers[0].requests_total], [0, 0]);
    assert.deepEqual(proxy.errors, []);
    assert.match(await get(port), /200 OK[^]*a$/);
    const { frontends: [{ requests_total }] } = await proxy.status();
    assert.equal(requests_total, 1);
  });
}
