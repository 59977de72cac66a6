/** Heads written into the arena: requests into a region of their own, responses in front of the body they came with. */
import { NO_REGION, SLAB } from "../os/arena.ts";
import {
  DOES_NOT_FIT,
  type FieldEdits,
  HTTP,
  type RequestHead,
  type RequestRewrite,
  type ResponseHead,
  type ResponseRewrite,
  writeRequest,
  writeResponse,
} from "../http/mod.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Engine } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import type { Server } from "./server.ts";
import { joined } from "./stickiness.ts";

/** What the writers are told, one object a thread. */
export class RequestChanges implements RequestRewrite {
  client: Uint8Array | null = null;
  scheme: Uint8Array = HTTP;
  trusted = false;
  target: Uint8Array | null = null;
  host: Uint8Array = new Uint8Array(0);
  close = false;
  tunnel = true;
  edits: FieldEdits | null = null;
  append: Uint8Array | null = null;
}

export class ResponseChanges implements ResponseRewrite {
  clientMinor = 1;
  close = false;
  edits: FieldEdits | null = null;
  append: Uint8Array | null = null;
}

/** Writes the head of a request for `server` into a region that the exchange keeps; false if it fits in none. */
export function writeRequestHead(
  engine: Engine,
  exchange: Exchange,
  client: ClientConnection,
  head: RequestHead,
  server: Server,
): boolean {
  const { arena } = engine.io;
  const changes = engine.requestChanges;
  if (client.frontend.options.forwardfor) {
    const address = engine.addressOf(client);
    changes.client = engine.addressBytes.of(address);
    changes.trusted = client.frontend.trusts(address);
  } else {
    changes.client = null;
    changes.trusted = false;
  }
  changes.host = server.host;
  const { course: { routed }, attempts: { cookies }, request } = exchange;
  changes.target = routed === null ? null : routed.target;
  changes.edits = routed === null ? null : routed.requestEdits;
  changes.append = routed === null ? null : routed.requestLines;
  if (cookies !== null) changes.append = joined(changes.append, cookies);
  let region = arena.take(SLAB);
  for (;;) {
    if (region === NO_REGION) return false;
    const start = arena.start(region);
    const size = arena.size(region);
    const end = writeRequest(arena.bytes, start, start + size, head, changes);
    if (end !== DOES_NOT_FIT) {
      request.headRegion = region;
      request.headStart = start;
      request.headLength = end - start;
      return true;
    }
    engine.io.give(region);
    region = engine.takeRegion(size + 1);
  }
}

/**
 * Queues the head of a response, and what of its body `[bodyStart, bodyEnd)` came along in `region`. The new head is
 * mostly shorter than the received one: then it takes that one's place, and head and body leave in one piece.
 */
export function writeResponseHead(
  engine: Engine,
  exchange: Exchange,
  client: ClientConnection,
  head: ResponseHead,
  region: number,
  bodyStart: number,
  bodyEnd: number,
): boolean {
  const { arena } = engine.io;
  const { bytes } = arena;
  const changes = engine.responseChanges;
  const { course: { routed }, attempts: { stickyField }, request, response } = exchange;
  changes.clientMinor = request.minor;
  changes.close = response.closes;
  const fields = routed === null ? null : routed.response;
  changes.edits = fields === null ? null : fields.edits;
  changes.append = fields === null ? null : fields.lines;
  if (stickyField !== null) changes.append = joined(changes.append, stickyField);
  const start = engine.scratch;
  const end = writeResponse(bytes, start, start + engine.scratchSize, head, changes);
  if (end === DOES_NOT_FIT) {
    engine.io.give(region);
    return false;
  }
  const length = end - start;
  if (bodyStart - length >= arena.start(region)) {
    bytes.copyWithin(bodyStart - length, start, end);
    client.push(bodyStart - length, length + bodyEnd - bodyStart, region);
    return true;
  }
  const own = engine.takeRegion(length);
  if (own === NO_REGION) {
    engine.io.give(region);
    return false;
  }
  bytes.copyWithin(arena.start(own), start, end);
  client.push(arena.start(own), length, own);
  if (bodyEnd > bodyStart) client.push(bodyStart, bodyEnd - bodyStart, region);
  else engine.io.give(region);
  return true;
}

/** Writes an interim response (1xx) at `at`; answers where it ends, or DOES_NOT_FIT where that is behind `end`. */
export function writeInterimHead(engine: Engine, head: ResponseHead, at: number, end: number): number {
  const changes = engine.responseChanges;
  changes.clientMinor = 1;
  changes.close = false;
  changes.edits = null;
  return writeResponse(engine.io.arena.bytes, at, end, head, changes);
}
