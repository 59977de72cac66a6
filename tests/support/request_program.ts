/** Runs on the requesting host; the argument is its RequestOptions as JSON. */
import type { Answer, RequestOptions } from "./request.ts";

const { address, port = 80, path = "/", headers = [], times = 1 } = JSON.parse(Deno.args[0]) as RequestOptions;
const text = [`GET ${path} HTTP/1.1`, `host: ${address}`, ...headers, "connection: close", "", ""].join("\r\n");
const answers: Answer[] = [];
for (let count = 0; count < times; count++) answers.push(await ask());
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(answers)));

async function ask(): Promise<Answer> {
  const started = performance.now();
  const connection = await Deno.connect({ hostname: address, port });
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  const received = await new Response(connection.readable).text();
  const end = received.indexOf("\r\n\r\n");
  const [first, ...lines] = received.slice(0, end).split("\r\n");
  const fields = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const raw = received.slice(end + 4);
  return {
    status: Number(first.split(" ")[1]),
    headers: fields,
    body: fields["transfer-encoding"] === "chunked" ? unchunk(raw) : raw,
    took: performance.now() - started,
  };
}

function unchunk(raw: string): string {
  let body = "";
  for (let at = 0; at < raw.length;) {
    const line = raw.indexOf("\r\n", at);
    const size = parseInt(raw.slice(at, line), 16);
    if (size === 0 || Number.isNaN(size)) break;
    body += raw.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
  return body;
}
