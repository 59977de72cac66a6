/** Exit codes of the command line (contract §3), and the error that carries one. */

export const Exit = {
  done: 0,
  /** It did not work. */
  failed: 1,
  /** Wrong usage or configuration. */
  usage: 2,
  /** No node answers. */
  unreachable: 3,
} as const;

/** Ends a command: its message goes to stderr, nothing else does. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  constructor(readonly code: number, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
