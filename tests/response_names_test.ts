/** Fields of the response dictionary under a name that is not theirs. */

import { assertEquals } from "@std/assert";
import type { Callbacks } from "../mod.ts";
import { printed, running } from "./helpers.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

/** What is printed when requests are answered so, and the status of the last answer. */
async function warningsOf(answer: Record<string, unknown>, requests = 1): Promise<{ status: number; lines: string[] }> {
  let status = 0;
  const lines = await printed("warn", async () => {
    const onHTTPRequest = (() => answer) as unknown as NonNullable<Callbacks["onHTTPRequest"]>;
    await using subject = await running({ onHTTPRequest });
    for (let count = 0; count < requests; count++) {
      const response = await fetch(subject.url);
      await response.body?.cancel();
      status = response.status;
    }
    assertEquals(subject.server.info().warnings > 0, true);
  });
  return { status, lines: lines.map(String) };
}

for (
  const [key, value, meant] of [
    ["statuscode", 200, "statusCode"],
    ["status", 200, "statusCode"],
    ["StatusCode", 200, "statusCode"],
    ["statusText", "OK", "statusReason"],
    ["body", "hello", "data"],
    ["Data", "hello", "data"],
  ] as const
) {
  Deno.test(`response.${key} is named in a warning, with the right name`, async () => {
    const { status, lines } = await warningsOf({ statusCode: 404, [key]: value });
    assertEquals(status, 404);
    assertEquals(lines, [`webserver1: response.${key} is sent as a header: write response.${meant}`]);
  });
}

Deno.test("a misnamed field is printed once, and the rest is counted at the stop", async () => {
  const { lines } = await warningsOf({ statusCode: 404, status: 200 }, 4);
  assertEquals(lines, [
    "webserver1: response.status is sent as a header: write response.statusCode",
    "webserver1: 3 more messages like those above were not printed",
  ]);
});

Deno.test("an object without statusCode is answered 404, and a warning says why", async () => {
  const { status, lines } = await warningsOf({ data: "hello" });
  assertEquals(status, 404);
  assertEquals(lines, [
    "webserver1: The callback returned an object without statusCode, so the answer is 404. Set statusCode, such as 200",
  ]);
});

Deno.test("a WebSocket that a callback refuses by response.status is not accepted, and the error has the right name", async () => {
  const onWebSocketRequest = ((_webServer: unknown, _request: unknown, response: Record<string, unknown>) => {
    response.status = 401;
  }) as unknown as NonNullable<Callbacks["onWebSocketRequest"]>;
  await using subject = await running({ onWebSocketRequest });
  using client = await RawWebSocket.open(subject.port);
  assertEquals((await client.answer()).status, 500);
  assertEquals(subject.errors.map(({ error }) => error.message), [
    "Cannot accept the WebSocket with response.status: write response.statusCode",
  ]);
});
