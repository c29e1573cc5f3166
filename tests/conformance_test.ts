/** A short run of `deno task conformance`, with a fixed seed: only wanted differences to a bare `Deno.serve` appear. */

import { assert, assertEquals } from "@std/assert";
import { compareRequests } from "../conformance/requests.ts";
import { compareWebSockets } from "../conformance/websockets.ts";

const SEED = 20;
const COUNT = 300;
/** Far more time than the cases need. */
const MILLISECONDS = 200_000;

for (const kind of ["HTTP/1.1", "HTTP/2"] as const) {
  Deno.test(`mutated ${kind} requests are answered as by a bare Deno.serve, except for wanted differences`, async () => {
    const { cases, unexpected, wanted } = await compareRequests({
      kind,
      seed: SEED,
      count: COUNT,
      milliseconds: MILLISECONDS,
    });
    assertEquals(unexpected, []);
    assertEquals(cases, COUNT);
    // Differences are noticed.
    assert(wanted.size > 0);
  });
}

Deno.test("valid and invalid WebSocket frames are treated as by a bare Deno.serve, except for wanted differences", async () => {
  const { unexpected, wanted } = await compareWebSockets(MILLISECONDS);
  assertEquals(unexpected, []);
  assertEquals(wanted.size, 2);
});
