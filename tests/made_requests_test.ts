/** Requests that a program makes and gives to `server.fetch`, and those that a function around `fetch` changes. */

import { assertEquals, assertRejects } from "@std/assert";
import { looking, running } from "./helpers.ts";

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

for (const body of ["buffer", "stream"] as const) {
  for (const size of [5, 200_000]) {
    Deno.test(`a function around fetch that reads a body of ${size} bytes itself is named in the error, body: "${body}"`, async () => {
      await using subject = await running({
        onHTTPRequest: async ({ parameters }, { data, raw }) =>
          Response.json((parameters.body === "buffer" ? data : await raw.bytes()).length),
      }, { body });
      const { server, errors } = subject;
      await server.stop();
      const { fetch: inner } = server;
      server.fetch = async (request, info) => {
        if (request.headers.has("x-read")) await request.text();
        if (request.headers.has("x-begin")) {
          const reader = request.body!.getReader();
          await reader.read();
          reader.releaseLock();
        }
        return inner(request, info);
      };
      await server.start();
      const { url } = server.address!;
      const post = async (headers: HeadersInit) => {
        const answer = await fetch(url, { method: "POST", body: new Uint8Array(size), headers });
        return [answer.status, await answer.text()];
      };
      for (const name of ["x-read", "x-begin"]) {
        assertEquals(await post({ [name]: "1" }), [500, "500 Internal Server Error\n"]);
        assertEquals(errors.splice(0).map(({ error }) => error.message), [
          "Cannot read the body: a function around `fetch` has read it, or is reading it",
        ]);
      }
      assertEquals(await post({}), [200, String(size)]);
    });
  }
}

/** Chunks that are not bytes as they should be. */
const NO_BYTES: Record<string, unknown> = {
  "undefined": undefined,
  "null": null,
  "a string": "text",
  "a number": 3,
  "an ArrayBuffer": new ArrayBuffer(3),
  "numbers of two bytes": new Uint16Array(3),
};

for (const [what, chunk] of Object.entries(NO_BYTES)) {
  Deno.test(`the body of a Request that a program makes of a stream with ${what} is an error, and its memory is given back`, async () => {
    await using subject = await looking(({ data }) => data.length, { maxBodyMemory: 1000 });
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(600));
        controller.enqueue(chunk);
        controller.close();
      },
    });
    const request = new Request(subject.url, { method: "POST", body });
    await assertRejects(async () => await subject.server.fetch(request), TypeError, "a chunk that is not a Uint8Array");
    const answer = await fetch(subject.url, { method: "POST", body: new Uint8Array(1000) });
    assertEquals(await answer.json(), 1000);
  });
}
