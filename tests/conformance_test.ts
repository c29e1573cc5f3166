/** A short run of `deno task conformance`, with a fixed seed: what is not wanted otherwise is as with a bare `Deno.serve`. */

import { assert, assertEquals } from "@std/assert";
import { compareRequests } from "../conformance/requests.ts";
import { compareWebSockets } from "../conformance/websockets.ts";

const SEED = 20;
const COUNT = 300;
/** Far more than it takes. */
const MILLISECONDS = 200_000;

for (const kind of ["HTTP/1.1", "HTTP/2"] as const) {
  Deno.test(`mutated ${kind} requests are answered as by a bare Deno.serve, but for wanted differences`, async () => {
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

Deno.test("WebSocket frames, right and wrong ones, are echoed and refused as by a bare Deno.serve, but for wanted differences", async () => {
  const { unexpected, wanted } = await compareWebSockets(MILLISECONDS);
  assertEquals(unexpected, []);
  assertEquals(wanted.size, 2);
});
