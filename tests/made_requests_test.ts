/** Requests that a program makes and gives to `server.fetch`, and those that a function around `fetch` changes. */

import { assertEquals } from "@std/assert";
import { looking } from "./helpers.ts";

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`the body of a Request that a program makes of a stream of bytes is read to its end, body: "${body}"`, async () => {
    await using subject = await looking(
      async ({ data, raw }) => (body === "buffer" ? data : await raw.bytes()).length,
      { body },
    );
    let left = 3;
    const stream = new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(70_000));
        else controller.close();
      },
    });
    const answer = await subject.server.fetch(new Request(subject.url, { method: "POST", body: stream }));
    assertEquals(await answer.json(), 210_000);
  });
}
