/** What an application under test is asked, and whom it forwards to: bytes on its two sockets. */
import type { Serving } from "../stage.ts";

/** What came back. */
export interface Visited {
  readonly status: number;
  /** Everything behind the status line. */
  readonly text: string;
}

export interface AppVisit extends AsyncDisposable {
  readonly serving: Serving;
  /**
   * Sends one request, of which the connection is the last, and reads to the end.
   *
   * @throws {Error} when no whole answer comes within `deadline` ms
   */
  ask(
    request: { readonly method?: string; readonly target?: string; readonly body?: string },
    deadline: number,
  ): Promise<
    Visited
  >;
  /** Sends these bytes and goes away. */
  leave(bytes: string): Promise<void>;
  /** The balancer is not there any more. */
  cut(): void;
}

/** Prepares the sockets in `directory`, and a balancer whose every backend answers 200. */
export function openAppVisit(directory: string): AppVisit {
  const serving = { socket: `${directory}/app.sock`, owner: null, balancer: `${directory}/balancer/forward.sock` };
  Deno.mkdirSync(`${directory}/balancer`, { recursive: true });
  Deno.chmodSync(`${directory}/balancer`, 0o755);
  const balancer = Deno.listen({ transport: "unix", path: serving.balancer });
  Deno.chmodSync(serving.balancer, 0o666);
  let open = true;
  const answering = (async () => {
    for await (const connection of balancer) answerAny(connection).catch(() => connection.close());
  })();
  const visit: AppVisit = {
    serving,
    async ask({ method = "GET", target = "/", body = "" }, deadline) {
      const length = body === "" ? "" : `Content-Length: ${new TextEncoder().encode(body).length}\r\n`;
      const request = `${method} ${target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n${length}\r\n${body}`;
      const connection = await Deno.connect({ transport: "unix", path: serving.socket });
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => late.reject(new Error(`gave no answer within ${deadline} ms`)), deadline);
      try {
        await connection.write(new TextEncoder().encode(request));
        return whole(await Promise.race([new Response(connection.readable).text(), late.promise]));
      } finally {
        clearTimeout(timer);
        try {
          connection.close();
        } catch {
          // Its end was read.
        }
      }
    },
    async leave(bytes) {
      const connection = await Deno.connect({ transport: "unix", path: serving.socket });
      await connection.write(new TextEncoder().encode(bytes));
      connection.close();
    },
    cut() {
      if (open) balancer.close();
      open = false;
    },
    async [Symbol.asyncDispose]() {
      visit.cut();
      await answering;
    },
  };
  return visit;
}

/** @throws {Error} when it is no HTTP, or ends before its end */
function whole(text: string): Visited {
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(text) ?? [];
  if (status === undefined) throw new Error(`answered ${JSON.stringify(text.slice(0, 60))}, which is no HTTP`);
  const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(text);
  if (isChunked && !/\r\n0\r\n\r\n$|\r\n\r\n$/.test(text)) throw new Error("cut its answer off");
  return { status: Number(status), text };
}

/** Reads a head and answers; what it is asked does not matter. */
async function answerAny(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const length = await connection.read(buffer);
    if (length === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, length));
  }
  await connection.write(
    new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nbackend\n"),
  );
  connection.close();
}
