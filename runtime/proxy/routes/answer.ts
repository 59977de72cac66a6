/** Answers of our own that are more than a status: made of whole field lines and a body, framed when they are sent. */
import { explanation } from "../../http/canned.ts";
import { bytesOf } from "../../http/mod.ts";

export interface Answer {
  readonly status: number;
  /** Whole field lines; framing and connection are added. */
  readonly lines: string;
  readonly body: Uint8Array;
}

export interface AnswerFraming {
  /** The client's connection ends with this answer. */
  readonly close: boolean;
  /** It answers HEAD: fields as ever, no body. */
  readonly toHead: boolean;
  /** `RequestHead.minor` of the request. */
  readonly clientMinor: number;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  418: "I'm a teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** One sentence as an answer, in the manner of `canned`. */
export function sentence(status: number, text: string, lines = ""): Answer {
  return {
    status,
    lines: `Content-Type: text/plain\r\nCache-Control: no-store\r\n${lines}`,
    body: new TextEncoder().encode(`${text}\n`),
  };
}

/** What `canned` says with this status, as an answer that can be changed. */
export function plainAnswer(status: number): Answer {
  return sentence(status, explanation(status));
}

/** To OPTIONS that may go no further (RFC 9110 §7.6.2): what we pass on, which says nothing of any resource. */
export const LAST_HOP: Answer = {
  status: 200,
  lines: "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n",
  body: new Uint8Array(0),
};

/** An answer that is always the same; the type of a body that names none is guessed. */
export function constantAnswer(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): Answer {
  const typed = body === "" || Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  const type = typed ? "" : `Content-Type: ${guessType(body)}\r\n`;
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return { status, lines: type + fields.join(""), body: new TextEncoder().encode(body) };
}

export function guessType(body: string): string {
  return /^\s*<(!doctype|html|!--)/i.test(body) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
}

/** Octets of the answer's head, its end included. */
export function answerHead(answer: Answer, framing: AnswerFraming): Uint8Array {
  const { status } = answer;
  // RFC 9110 §8.6: a 204 has no Content-Length, and that of a 304 would speak of another response.
  const length = mayHaveBody(status) ? `Content-Length: ${answer.body.length}\r\n` : "";
  const connection = framing.close
    ? "Connection: close\r\n"
    : framing.clientMinor === 0
    ? "Connection: keep-alive\r\n"
    : "";
  return bytesOf(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${answer.lines}${length}${connection}\r\n`);
}

export function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 304;
}
