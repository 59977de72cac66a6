/** What an application answered, as something that can be sent. Pure. */

/**
 * `answer`, when it is a response that can be sent.
 *
 * @throws {TypeError} when it is none, for the application's log: what was asked, and what came instead
 */
export function usableResponse(answer: unknown, { method, url }: Request): Response {
  const wrong = (what: string) => new TypeError(`${method} ${new URL(url).pathname} was answered with ${what}`);
  if (!(answer instanceof Response)) throw wrong(`${describe(answer)}, and not with a Response`);
  const { status, bodyUsed } = answer;
  if (status < 200 || status > 599) throw wrong(`status ${status}: Response.error() cannot be sent`);
  if (bodyUsed || answer.body?.locked) throw wrong("a Response whose body was read already");
  return answer;
}

function describe(answer: unknown): string {
  if (answer === undefined) return "nothing (is a return missing?)";
  if (answer === null) return "null";
  return typeof answer === "object" ? `an object (${answer.constructor?.name ?? "bare"})` : `a ${typeof answer}`;
}
