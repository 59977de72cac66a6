/**
 * What the access log costs: HAProxy and Tandem, one thread each, without and with it, in turns before the same nginx.
 * HAProxy logs by syslog over UDP, Tandem into the pipe that control reads. CPU a request by /proc; medians of the rounds.
 *
 *     deno run -A tests/bench/access_log.ts [--rounds N] [--seconds N] [--io uring|epoll]
 */
import { parseArgs } from "node:util";
import { libc } from "../../runtime/os/libc.ts";
import { boundPort, socketAddress } from "../../runtime/os/tcp_socket.ts";
import { LogUnderTest } from "../interop/access_log_support.ts";
import { backend, freePort, frontend } from "../interop/proxy_support.ts";
import { missing } from "../support/requirements.ts";
import { Scratch } from "../support/scratch.ts";
import { cpuOf, wrk } from "./measure.ts";
import { type Origin, startHaproxy, startOrigin, type Subject } from "./subjects.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
    io: { type: "string", default: "uring" },
  },
});
const needed = missing(["program:wrk", "program:haproxy", "program:nginx"]);
if (needed !== null) {
  say(`Cannot compare: ${needed}`);
  Deno.exit(2);
}
await main();
Deno.exit(0);

async function main(): Promise<void> {
  using scratch = new Scratch();
  using receiver = deafReceiver();
  const origin = await startOrigin(scratch.path);
  const subjects: Subject[] = [];
  try {
    subjects.push(await startHaproxy(scratch.path, origin));
    const logging = await startHaproxy(scratch.path, origin, { logPort: receiver.port });
    subjects.push({ ...logging, name: "HAProxy, httplog" });
    for (const format of [null, "json", "text"] as const) subjects.push(await startTandem(origin, format));
    for (const subject of subjects) await cost(subject, 2);
    const costs = subjects.map((): number[] => []);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [index, subject] of subjects.entries()) costs[index].push(await cost(subject, Number(values.seconds)));
    }
    say(`CPU a request, µs; ratios to HAProxy without a log in the same round`);
    for (const [index, { name }] of subjects.entries()) {
      const ratio = median(costs[index].map((each, round) => each / costs[0][round]));
      say(`${name.padEnd(24)}${median(costs[index]).toFixed(1).padStart(7)}   × ${ratio.toFixed(2)}`);
    }
  } finally {
    for (const subject of subjects) await subject.stop();
    await origin.stop();
  }
}

async function startTandem(origin: Origin, format: "json" | "text" | null): Promise<Subject> {
  const log = new LogUnderTest({ keeps: false });
  const proxy = log.start(values.io);
  const port = freePort();
  await proxy.apply({
    accessLog: format === null ? undefined : { format, fd: log.pipe.fd },
    frontends: [frontend("in", port)],
    backends: [backend("web", origin.ports)],
  });
  return {
    name: `Tandem, ${values.io}${format === null ? "" : `, ${format}`}`,
    pid: proxy.pid,
    port,
    stop: async () => {
      const dropped = (await proxy.status()).threads.reduce((sum, { droppedLines }) => sum + (droppedLines ?? 0), 0);
      if (dropped > 0) say(`${dropped} lines were dropped`);
      await proxy[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
    },
  };
}

/** A UDP port that takes datagrams and has nobody read them. */
function deafReceiver(): { readonly port: number } & Disposable {
  const { domain, bytes } = socketAddress("127.0.0.1", 0);
  const fd = libc().socket(domain, 2, 0);
  libc().bind(fd, bytes, bytes.length);
  return { port: boundPort(fd), [Symbol.dispose]: () => void libc().close(fd) };
}

async function cost({ name, pid, port }: Subject, seconds: number): Promise<number> {
  const before = cpuOf(pid);
  const { requests, errors } = await wrk(`http://127.0.0.1:${port}/`, { connections: 64, seconds });
  if (errors > 0) say(`${name}: ${errors} of ${requests} requests failed`);
  return (cpuOf(pid) - before) * 1000 / requests;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
