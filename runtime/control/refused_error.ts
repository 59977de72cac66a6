/** Why an operator's wish was not done, by a word that the API turns into a status code. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(readonly why: "unknown" | "conflict" | "invalid" | "unavailable", message: string) {
    super(message);
  }
}
