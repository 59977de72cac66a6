/** The access log of this thread as it is configured: made, replaced, ended. */
import { libc } from "../../os/libc.ts";
import type { Engine } from "../engine.ts";
import type { AccessLogOptions } from "../protocol.ts";
import { AccessLog } from "./access_log.ts";

/** Makes `options` what is logged; what the one before gathered is written first. */
export function configureLog(engine: Engine, options: AccessLogOptions | null, known: KnownReasons): void {
  const before = engine.accessLog;
  if (options === null) {
    before?.flush();
    engine.accessLog = null;
    return;
  }
  if (before?.format === options.format) return;
  before?.flush();
  engine.accessLog = new AccessLog(options.format, {
    // The descriptor does not block, and takes a piece whole or not at all.
    write: (piece) => libc().write(options.fd, piece, BigInt(piece.length)) === piece.length,
    dropped: () => engine.shared.dropLine(),
    epoch: Date.now,
    reasonOf: (server) => known.reasons.get(server),
  });
}

/** Why servers are not up, by `serverKey`, as last told. */
export interface KnownReasons {
  reasons: ReadonlyMap<string, string>;
}
