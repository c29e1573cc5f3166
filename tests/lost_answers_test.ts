/** Every way in which an answer with a stream is not sent, or not to its end: its source is cancelled, exactly once. */

import { assertEquals, assertRejects } from "@std/assert";
import type { Callbacks } from "../mod.ts";
import { deferred, printed, rawRequest, running } from "./helpers.ts";
import { HANDSHAKE, handshake } from "./support/handshake.ts";
import { LINUX, testWith } from "./programs.ts";

/** Streams that count their cancellations. */
class Sources {
  made = 0;
  cancelled = 0;
  #whenAll = deferred();

  /** A stream without end. */
  make(): ReadableStream<Uint8Array> {
    this.made++;
    let isCancelled = false;
    return new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65536)),
      cancel: () => {
        if (isCancelled) throw new Error("It was cancelled before");
        isCancelled = true;
        if (++this.cancelled === this.made) this.#whenAll.resolve();
      },
    }, { highWaterMark: 0 });
  }

  /** Resolves when all that were made are cancelled. */
  get all(): Promise<void> {
    return this.#whenAll.promise;
  }
}

/** Answers that a callback may return, with a stream in them. */
const FORMS: Record<string, (stream: ReadableStream) => unknown> = {
  "a dictionary": (data) => ({ statusCode: 200, data }),
  "an event stream": (data) => ({ statusCode: 200, data, "Content-Type": "text/event-stream" }),
  "a Response": (stream) => new Response(stream),
  "a Response with a length": (stream) => new Response(stream, { headers: { "content-length": "1000000000" } }),
};

/** Answers that cannot be sent. */
const IMPOSSIBLE: Record<string, (stream: ReadableStream) => unknown> = {
  "status 99": (data) => ({ statusCode: 99, data }),
  "status undefined": (data) => ({ statusCode: undefined, data }),
  "a control character": (data) => ({ statusCode: 200, data, "X-A": "\x01" }),
  "a header that is an object": (data) => ({ statusCode: 200, data, "X-A": {} }),
  "a name that is none": (data) => ({ statusCode: 200, data, "X Y": "a" }),
  "headers that are a list": (data) => ({ statusCode: 200, data, headers: [["a", "b"]] }),
  "a length that is none": (data) => ({ statusCode: 200, data, "Content-Length": "many" }),
  "a Response with a control character": (data) => new Response(data, { headers: { "x-a": "\x01" } }),
  "a Response with an invalid length": (data) => new Response(data, { headers: { "content-length": "x" } }),
  "a Response as data": (data) => ({ statusCode: 200, data: new Response(data) }),
  "the stream itself": (data) => data,
};

for (const [what, form] of Object.entries({ ...FORMS })) {
  for (const status of [204, 205, 304]) {
    if (!what.includes("Response")) {
      Deno.test(`the source of ${what} that is answered ${status} is cancelled`, async () => {
        const sources = new Sources();
        await using subject = await running({
          onHTTPRequest: () => ({ ...form(sources.make()) as object, statusCode: status }),
        });
        assertEquals(Number((await rawRequest(subject.port, "GET /")).slice(9, 12)), status);
        await sources.all;
        assertEquals([sources.made, sources.cancelled, subject.errors], [1, 1, []]);
      });
    }
  }

  Deno.test(`the source of ${what} that answers HEAD is cancelled`, async () => {
    const sources = new Sources();
    await using subject = await running({ onHTTPRequest: () => form(sources.make()) as Response });
    assertEquals((await rawRequest(subject.port, "HEAD /")).slice(9, 12), "200");
    await sources.all;
    assertEquals([sources.made, sources.cancelled, subject.errors], [1, 1, []]);
  });

  for (const body of ["buffer", "stream"] as const) {
    Deno.test(`body: "${body}": the source of ${what} that comes after requestTimeout is cancelled`, async () => {
      const sources = new Sources();
      const gate = deferred();
      await using subject = await running({
        async onHTTPRequest() {
          await gate.promise;
          return form(sources.make()) as Response;
        },
      }, { requestTimeout: 0.1, body });
      for (const init of [{}, { method: "POST", body: "hello" }]) {
        const answer = await fetch(subject.url, init);
        assertEquals(answer.status, 503);
        await answer.body?.cancel();
      }
      gate.resolve();
      await sources.all;
      assertEquals([sources.made, sources.cancelled, subject.errors.length], [2, 2, 2]);
    });
  }

  Deno.test(`the source of ${what} that comes when its client is gone, or when the server has stopped, is cancelled`, async () => {
    for (const leave of [true, false]) {
      const sources = new Sources();
      const gate = deferred();
      const asked = deferred();
      await using subject = await running({
        async onHTTPRequest() {
          asked.resolve();
          await gate.promise;
          return form(sources.make()) as Response;
        },
      }, { shutdownTimeout: 0.1 });
      const connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      await asked.promise;
      if (leave) connection.close();
      else await subject.server.stop();
      gate.resolve();
      await sources.all;
      if (!leave) connection.close();
      assertEquals([sources.made, sources.cancelled], [1, 1]);
    }
  });

  Deno.test(`the source of ${what} is cancelled halfway when its client leaves or the server stops`, async () => {
    for (const leave of [true, false]) {
      const sources = new Sources();
      await using subject = await running({ onHTTPRequest: () => form(sources.make()) as Response }, {
        shutdownTimeout: 0.1,
      });
      const connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      await connection.read(new Uint8Array(1));
      if (leave) connection.close();
      else await subject.server.stop();
      await sources.all;
      if (!leave) connection.close();
      assertEquals([sources.made, sources.cancelled], [1, 1]);
    }
  });
}

for (const [what, form] of Object.entries(IMPOSSIBLE)) {
  Deno.test(`the source of an answer with ${what} is cancelled, of onHTTPRequest and of onWebSocketRequest`, async () => {
    const sources = new Sources();
    const answer = () => form(sources.make()) as Response;
    await using subject = await running({ onHTTPRequest: answer, onWebSocketRequest: answer });
    for (const [line, headers] of [["GET /", ["Host: x"]], ["HEAD /", ["Host: x"]], ["GET /", HANDSHAKE]] as const) {
      const text = await rawRequest(subject.port, line, [...headers]);
      assertEquals(text.slice(9, 12), "500", text);
    }
    await sources.all;
    assertEquals([sources.made, sources.cancelled, subject.errors.length], [3, 3, 3]);
  });
}

/** What `onWebSocketRequest` may return with a stream in it, and the status. */
const DECISIONS: Record<string, [decide: (stream: ReadableStream) => unknown, status: number]> = {
  "data beside an accepted handshake": [(data) => ({ statusCode: 101, data }), 101],
  "data beside a sub-protocol that was not offered": [
    (data) => ({ statusCode: 101, data, "Sec-WebSocket-Protocol": "none" }),
    500,
  ],
  "data beside a header that is not for it to set": [(data) => ({ statusCode: 101, data, Upgrade: "x" }), 500],
  "data of a refusal without a body": [(data) => ({ statusCode: 204, data }), 204],
};

for (const [what, [decide, status]] of Object.entries(DECISIONS)) {
  for (const late of [false, true]) {
    Deno.test(`the source of ${what} is cancelled${late ? ", also when it comes too late" : ""}`, async () => {
      const sources = new Sources();
      const gate = deferred();
      await using subject = await running({
        async onWebSocketRequest() {
          if (late) await gate.promise;
          return decide(sources.make()) as Response;
        },
      }, { requestTimeout: late ? 0.1 : 60 });
      const headers = handshake("Connection", "Upgrade");
      using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
      await connection.write(new TextEncoder().encode(["GET / HTTP/1.1", ...headers, "", ""].join("\r\n")));
      const answer = new Uint8Array(1000);
      await connection.read(answer);
      assertEquals(Number(new TextDecoder().decode(answer).slice(9, 12)), late ? 503 : status);
      gate.resolve();
      await sources.all;
      assertEquals([sources.made, sources.cancelled], [1, 1]);
    });
  }
}

/** Chunks that are not bytes as they should be. */
const NO_BYTES: Record<string, unknown> = {
  "undefined": undefined,
  "null": null,
  "a string": "text",
  "an ArrayBuffer": new ArrayBuffer(3),
  "numbers of two bytes": new Uint16Array(3),
};

for (const [what, chunk] of Object.entries(NO_BYTES)) {
  Deno.test(`a stream with ${what} in it breaks off with an error, and is cancelled`, async () => {
    const cancelled = deferred();
    const reported = deferred<unknown>();
    await using subject = await running({
      onError: (_webServer, error) => reported.resolve(error),
      onHTTPRequest() {
        const data = new ReadableStream({
          start(controller) {
            for (const part of [new Uint8Array(10), chunk, new Uint8Array(10)]) controller.enqueue(part);
          },
          cancel: () => cancelled.resolve(),
        });
        return { statusCode: 200, data };
      },
    });
    const answer = await fetch(subject.url);
    await assertRejects(() => answer.bytes(), TypeError);
    await cancelled.promise;
    assertEquals(
      (await reported.promise as Error).message,
      "Cannot send the stream: it has a chunk that is not a Uint8Array",
    );
  });
}

/** Ways to take bytes away that are still to be sent. */
const LOSSES: Record<string, (buffer: ArrayBuffer) => unknown> = {
  "transferred": (buffer) => buffer.transfer(),
  "cut": (buffer) => buffer.resize(10),
};

for (const [what, lose] of Object.entries(LOSSES)) {
  Deno.test(`bytes that are ${what} while they are sent are an error, and the connection ends`, async () => {
    // More than the buffers of a connection hold.
    const data = new ArrayBuffer(32 << 20, { maxByteLength: 32 << 20 });
    const reported = deferred<unknown>();
    await using subject = await running({
      onError: (_webServer, error) => reported.resolve(error),
      onHTTPRequest: () => ({ statusCode: 200, data }),
    });
    const answer = await fetch(subject.url);
    const reader = answer.body!.getReader();
    await reader.read();
    lose(data);
    await assertRejects(async () => {
      while (!(await reader.read()).done);
    }, TypeError);
    assertEquals(
      (await reported.promise as Error).message,
      "The bytes of the answer were transferred, or cut by `resize()`, before they were sent",
    );
  });
}

testWith([LINUX], "files that answer too late, or not at all, are closed", async () => {
  const path = await Deno.makeTempFile();
  await Deno.truncate(path, 1 << 20);
  const open = () =>
    [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
      } catch {
        return false;
      }
    }).length;
  const gate = deferred();
  const callbacks: Callbacks = {
    async onHTTPRequest(_webServer, { uri }) {
      const { readable } = await Deno.open(path);
      if (uri === "/late") await gate.promise;
      if (uri === "/none") return { statusCode: 204, data: readable };
      return uri === "/bad" ? { statusCode: 200, data: readable, "X-A": "\x01" } : new Response(readable);
    },
  };
  await using subject = await running(callbacks, { requestTimeout: 0.2 });
  await printed("error", async () => {
    const uris = ["late", "none", "bad", "HEAD"].flatMap((uri) => Array<string>(20).fill(uri));
    await Promise.all(uris.map(async (uri) => {
      const answer = await fetch(subject.url + uri, { method: uri === "HEAD" ? "HEAD" : "GET" });
      await answer.body?.cancel();
    }));
  });
  assertEquals(open(), 20);
  gate.resolve();
  while (open() > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await Deno.remove(path);
});
