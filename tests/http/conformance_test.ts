/**
 * HTTP/1.1 conformance of a running proxy: bytes in, bytes out.
 *
 * TANDEM_HTTP_SUBJECT, TANDEM_HTTP_ORIGIN: see subject.ts.
 * TANDEM_HTTP_ROW = only rows whose name has this in it.
 */

import { chunkRows, codingRows, lengthRows, pipelineRows, trailerRows } from "./framing_rows.ts";
import { fieldRows, hopRows } from "./field_rows.ts";
import { reuseRows, streamingRows, timeoutRows } from "./flow_rows.ts";
import { expectRows, interimRows, tunnelRows } from "./interim_rows.ts";
import { Origin } from "./origin.ts";
import { hostRows, requestLineRows } from "./request_rows.ts";
import { badResponseRows, poisoningRows, responseRows } from "./response_rows.ts";
import { perform, type Row } from "./row.ts";
import { startSubject, wantedSubjects } from "./subject.ts";

const tables: Record<string, readonly Row[]> = {
  "request line": requestLineRows,
  host: hostRows,
  fields: fieldRows,
  "hop by hop": hopRows,
  "content length": lengthRows,
  "transfer coding": codingRows,
  chunks: chunkRows,
  trailers: trailerRows,
  pipelining: pipelineRows,
  expect: expectRows,
  interim: interimRows,
  tunnel: tunnelRows,
  response: responseRows,
  "bad response": badResponseRows,
  poisoning: poisoningRows,
  streaming: streamingRows,
  reuse: reuseRows,
  timeouts: timeoutRows,
};

const wanted = Deno.env.get("TANDEM_HTTP_ROW") ?? "";
for (const { name, ignore } of wantedSubjects()) {
  Deno.test({ name: `HTTP conformance of ${name}`, ignore }, async (t) => {
    const origin = new Origin();
    const subject = await startSubject(name, origin.port);
    try {
      for (const [table, rows] of Object.entries(tables)) {
        await t.step(table, async (t) => {
          for (const row of rows.filter(({ name }) => name.includes(wanted))) {
            await t.step(row.name, () => perform(row, subject.port, origin));
          }
        });
      }
    } finally {
      await subject.stop();
      await origin.close();
    }
  });
}
