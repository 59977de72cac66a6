/** Messages for fuzzers, and what can go wrong with them. */

/** Valid requests, among them everything that is easily got wrong. */
export const CORPUS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /a/b?c=d HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\nCookie: a=b; c=d\r\nConnection: keep-alive\r\n\r\n",
  "\r\nOPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\nTE: trailers\r\nConnection: TE, X-Drop\r\nX-Drop: 1\r\nX-Keep: 2\r\n\r\n",
  "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
  "PUT http://a/x?y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
  "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
  "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" +
  '1;a="b;\\"c"\r\nX\r\n00a ; q\r\n0123456789\r\n0;last\r\nX-T: 1\r\nHost: evil\r\n\r\n',
  "POST / HTTP/1.0\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\nX-Forwarded-For: 6.6.6.6\r\n\r\nabc",
  "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX_Forwarded_For: 1\r\n\r\n",
];

/** Valid responses to a GET. */
export const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello",
  "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
  "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nConnection: X-Drop\r\nX-Drop: 1\r\n\r\n" +
  '1;a="b"\r\nX\r\n00a  \r\n0123456789\r\n0;last\r\nX-T: 1\r\nSet-Cookie: evil\r\n\r\n',
  "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
  "HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "HTTP/1.1 200 OK\nContent-Length: 2\nKeep-Alive: timeout=5\n\nhi",
  "HTTP/1.1 500 Oops\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad",
];

const SPLINTERS = [
  ...'\r\n|\r|\n|\r\n\r\n|\n\n| |\t|:|,|;|\0|\x0b|\x7f|\u00e4|"|\\|0|5|f|G|/|?|#|*|%|[|]|_|-'.split("|"),
  ..."chunked|Content-Length: 5\r\n|Content-Length: 0\r\n|Transfer-Encoding: chunked\r\n|Transfer-Encoding: gzip\r\n"
    .split("|"),
  ..."Host: b\r\n|Connection: close\r\n|Connection: host\r\n|Expect: x\r\n|HTTP/1.0|HTTP/1.1|HTTP/2.0|GET / |0\r\n\r\n"
    .split("|"),
  ..."1\r\nZ\r\n| \r\n| a\r\n|0x5|+5|5, 5|GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".split("|"),
];

const LINE_ENDS = ["\n", "\r", "\n\n", "\r\r\n", " \r\n", "\r\n ", "\n\r\n", "\r\n\t", "\n\r", "", "\0\r\n", ";\r\n"];

const COLONS = [" : ", "\t:", "", "::", ":\t", ":", " ", ":\r\n ", "\0: ", "=", ": \x0b"];

/** mulberry32: small, seeded, good enough. Answers numbers in [0, below). */
export function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Changes a message in up to three places, preferably where parsers disagree. */
export function mutate(text: string, below: (n: number) => number): string {
  for (let n = below(4); n > 0; n--) {
    const at = below(text.length + 1);
    switch (below(9)) {
      case 0:
        text = text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(at + 1 + below(4));
        break;
      case 2: {
        const lines = text.split("\r\n");
        lines.splice(below(lines.length), 0, lines[below(lines.length)]);
        text = lines.join("\r\n");
        break;
      }
      case 3: {
        const lines = text.split("\r\n");
        lines.splice(below(lines.length), 1);
        text = lines.join("\r\n");
        break;
      }
      case 4: {
        // Line ends are where parsers disagree most.
        const lines = text.split("\r\n");
        const line = below(lines.length - 1 || 1);
        const rest = lines.splice(line + 1).join("\r\n");
        text = lines.join("\r\n") + LINE_ENDS[below(LINE_ENDS.length)] + rest;
        break;
      }
      case 5: {
        // So are names, as their underscores and cases.
        const lower = below(2) === 0;
        text = text.replace(/[A-Za-z]+-[A-Za-z-]+(?=:)/, (name) => lower ? name.replace("-", "_") : name.toUpperCase());
        break;
      }
      case 6: {
        const colons = text.split(": ");
        const colon = below(colons.length - 1 || 1);
        const rest = colons.splice(colon + 1).join(": ");
        text = colons.join(": ") + COLONS[below(COLONS.length)] + rest;
        break;
      }
      default:
        text = text.slice(0, at) + SPLINTERS[below(SPLINTERS.length)] + text.slice(at);
    }
  }
  return text;
}
