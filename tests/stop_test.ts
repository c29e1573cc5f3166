/** A stop always ends, whatever clients and callbacks do, and answers to well-behaved clients arrive whole. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Callbacks, WebServer } from "../mod.ts";
import { deferred, once, raw, running } from "./helpers.ts";
import { TEXT } from "./support/frame.ts";
import { HANDSHAKE } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

/** A connection that has sent this and says nothing more. */
async function silent(port: number, text: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
  return connection;
}

/** Stops the server, and says within how many milliseconds. */
async function stopTime(server: WebServer): Promise<number> {
  const start = performance.now();
  await server.stop();
  return performance.now() - start;
}

/** A callback that answers once `started` is resolved. */
const HOSTILE: Record<string, { request: string; callbacks?: Callbacks; parameters?: object }> = {
  "an endless streaming answer": {
    request: "GET / HTTP/1.1\nHost: x\n\n",
    callbacks: {
      onHTTPRequest: () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              controller.enqueue(new Uint8Array(10));
            },
          }),
        ),
    },
  },
  "a streaming answer that says nothing": {
    request: "GET / HTTP/1.1\nHost: x\n\n",
    callbacks: { onHTTPRequest: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })) },
  },
  "an event stream": {
    request: "GET / HTTP/1.1\nHost: x\n\n",
    callbacks: {
      onHTTPRequest: () =>
        new Response(new ReadableStream({ pull: () => new Promise(() => {}) }), {
          headers: { "content-type": "text/event-stream" },
        }),
    },
  },
  "half a body": { request: "POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\nhalf" },
  "half a chunked body": { request: "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n5\nhalf" },
  "half a body for a callback that reads it": {
    request: "POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\nhalf",
    callbacks: { onHTTPRequest: async (_webServer, request) => Response.json(await request.text()) },
    parameters: { body: "stream" },
  },
  "half a header": { request: "GET / HTTP/1.1\nHost: x\nX-" },
  "a connection that is only open": { request: "" },
  "a callback that never settles": {
    request: "GET / HTTP/1.1\nHost: x\n\n",
    callbacks: { onHTTPRequest: () => new Promise<void>(() => {}) },
  },
  "a handshake whose callback never settles": {
    request: ["GET / HTTP/1.1", ...HANDSHAKE, "", ""].join("\n"),
    callbacks: { onWebSocketRequest: () => new Promise<void>(() => {}) },
  },
  "a client that takes nothing of a large answer": {
    request: "GET / HTTP/1.1\nHost: x\n\n",
    callbacks: { onHTTPRequest: () => ({ statusCode: 200, data: new Uint8Array(64 << 20) }) },
  },
};

for (const [what, { request, callbacks = {}, parameters = {} }] of Object.entries(HOSTILE)) {
  Deno.test(`a stop ends in time despite ${what}`, async () => {
    await using subject = await running(callbacks, { shutdownTimeout: 0.5, requestTimeout: 0, ...parameters });
    using _connection = await silent(subject.port, request);
    // The next request is answered, so the first one has been seen.
    using _other = await silent(subject.port, "GET /half HTTP/1.1\nHost: x\nX-");
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Far less time than these clients would need.
    assert(await stopTime(subject.server) < 10_000);
    // And it is all there again.
    await subject.server.set({
      callbacks: { onHTTPRequest: () => new Response("again") },
      active: true,
      body: "buffer",
    });
    assertEquals(await (await fetch(subject.server.address!.url)).text(), "again");
  });
}

Deno.test("a stop ends in time despite sockets that read nothing and callbacks that await the stop", async () => {
  const stopping = deferred<Promise<void>>();
  const callbacks: Callbacks = {
    onWebSocketOpen(webServer, client) {
      while (webServer.webSocketSendBinary(client, new Uint8Array(1 << 20)));
    },
    onHTTPRequest: async (webServer) => {
      const stop = webServer.stop();
      stopping.resolve(stop);
      await stop;
    },
    onServerStop: () => new Promise(() => {}),
  };
  await using subject = await running(callbacks, { shutdownTimeout: 0.5, maxBufferedAmount: 16 << 20 });
  using _mute = await RawWebSocket.connect(subject.port);
  using _asking = await silent(subject.port, "GET / HTTP/1.1\nHost: x\n\n");
  const start = performance.now();
  await (await stopping.promise);
  assert(performance.now() - start < 10_000);
  assertEquals(subject.errors.map(({ name }) => name), ["onHTTPRequest"]);
});

Deno.test("a stop with nothing under way does not wait for shutdownTimeout", async () => {
  await using subject = await running({}, { shutdownTimeout: 60 });
  await (await fetch(subject.url)).body?.cancel();
  using _idle = await silent(subject.port, "");
  assert(await stopTime(subject.server) < 30_000);
});

for (
  const [what, data] of Object.entries<() => string | Uint8Array | Blob>({
    bytes: () => new Uint8Array(20 << 20).fill(120),
    "a string": () => "x".repeat(20 << 20),
    "a Blob": () => new Blob(["x".repeat(20 << 20)]),
  })
) {
  Deno.test(`20 MiB as ${what} arrive whole, though the server stops when they have been handed over`, async () => {
    const asked = deferred();
    await using subject = await running({
      onHTTPRequest(_webServer, _request, response) {
        response.statusCode = 200;
        response.data = data();
        asked.resolve();
        return response;
      },
    }, { shutdownTimeout: 60 });
    const answer = fetch(subject.url);
    await asked.promise;
    const stopped = subject.server.stop();
    const bytes = await (await answer).bytes();
    assertEquals([bytes.length, bytes.every((byte) => byte === 120)], [20 << 20, true]);
    await stopped;
  });
}

Deno.test("a stream that is under way arrives whole when the server stops, even from a Response", async () => {
  const asked = deferred();
  await using subject = await running({
    onHTTPRequest() {
      let sent = 0;
      asked.resolve();
      return new Response(
        new ReadableStream<Uint8Array>({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            if (sent++ === 50) controller.close();
            else controller.enqueue(new Uint8Array(1000));
          },
        }),
      );
    },
  }, { shutdownTimeout: 60 });
  const answer = fetch(subject.url);
  await asked.promise;
  const stopped = subject.server.stop();
  assertEquals((await (await answer).bytes()).length, 50_000);
  await stopped;
});

Deno.test("a stop ends an event stream cleanly, and cancels its source", async () => {
  const cancelled = deferred();
  await using subject = await running({
    onHTTPRequest: () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
          cancel: () => cancelled.resolve(),
        }),
        { headers: { "content-type": "text/event-stream" } },
      ),
  }, { shutdownTimeout: 30 });
  const answer = await fetch(subject.url);
  const stopped = subject.server.stop();
  assertEquals(await answer.text(), "data: 1\n\n");
  await Promise.all([stopped, cancelled.promise]);
});

Deno.test("an event stream keeps nothing of what it has sent", async () => {
  const SIZE = 256 * 1024;
  let chunks = 0;
  await using subject = await running({
    onHTTPRequest: () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            if (chunks++ === 1_200) controller.close();
            else controller.enqueue(new Uint8Array(SIZE));
          },
        }, { highWaterMark: 0 }),
        { headers: { "content-type": "text/event-stream" } },
      ),
  });
  const before = Deno.memoryUsage().external;
  // Garbage that is not yet collected comes and goes; a leak only grows.
  let least = Infinity;
  let received = 0;
  for await (const chunk of (await fetch(subject.url)).body!) {
    received += chunk.length;
    if (received > 600 * SIZE) least = Math.min(least, Deno.memoryUsage().external - before);
  }
  assertEquals(received, 1_200 * SIZE);
  assert(least < 300 * SIZE, `${least} bytes are kept`);
});

Deno.test("the signal of requests is aborted by a stop", async () => {
  const asked = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, { signal }) {
      const aborted = once(signal as unknown as WebSocket, "abort" as "close");
      asked.resolve();
      await aborted;
      return new Response(String(signal.reason));
    },
  }, { shutdownTimeout: 30 });
  const answer = raw(subject.port, "GET / HTTP/1.1\nHost: x\n\n");
  await asked.promise;
  await subject.server.stop();
  assert((await answer).endsWith("AbortError: The server is stopping"));
});

for (const isAsync of [false, true]) {
  Deno.test(`a refused handshake with a large answer arrives whole through a stop, from ${isAsync ? "an async" : "a sync"} callback`, async () => {
    const size = 20_000_000;
    const answer = () => ({ statusCode: 403, data: "x".repeat(size) });
    await using subject = await running({ onWebSocketRequest: isAsync ? async () => await answer() : answer });
    using connection = await silent(subject.port, ["GET / HTTP/1.1", ...HANDSHAKE, "", ""].join("\n"));
    const chunk = new Uint8Array(65536);
    let received = (await connection.read(chunk))!;
    const stopped = subject.server.stop();
    for (let read = await connection.read(chunk); read !== null; read = await connection.read(chunk)) received += read;
    await stopped;
    assert(received > size, `${received} bytes arrived`);
  });
}

Deno.test("an upload under way arrives, is handled and answered when the server stops", async () => {
  await using subject = await running(
    { onHTTPRequest: (_webServer, { data }) => Response.json(data.length) },
    { shutdownTimeout: 60 },
  );
  using connection = await silent(
    subject.port,
    "POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 10\n\n12345",
  );
  await raw(subject.port, "GET / HTTP/1.1\nHost: x\nConnection: close\n\n");
  const stopped = subject.server.stop();
  await connection.write(new TextEncoder().encode("67890"));
  assert((await new Response(connection.readable).text()).endsWith("\r\n\r\n10"));
  await stopped;
});

Deno.test("a hundred restarts in a row under load: every request is answered or cleanly refused, and each socket closed once", async () => {
  const reached = new Set<string>();
  const open = new Set<string>();
  let closes = 0;
  let opens = 0;
  await using subject = await running({
    async onHTTPRequest(_webServer, { uri }) {
      reached.add(uri);
      await Promise.resolve();
      return new Response(uri);
    },
    onWebSocketOpen(_webServer, client) {
      assert(!open.has(client), `${client} was open`);
      open.add(client);
      opens++;
    },
    onWebSocketClose(_webServer, client) {
      assert(open.delete(client), `${client} was not open`);
      closes++;
    },
  });
  let ended = false;
  let asked = 0;
  const answered = new Set<string>();
  const ask = async () => {
    const uri = `/${asked++}`;
    try {
      const answer = await fetch(new URL(uri, subject.url));
      const text = await answer.text();
      if (answer.status === 200) answered.add(text);
      else assertEquals(answer.status, 503);
    } catch {
      // It was in the backlog of a listener that closed, or its connection was idle: it has not reached the callback.
    }
  };
  const load = Array.from({ length: 8 }, async () => {
    while (!ended) await ask();
  });
  const sockets = Array.from({ length: 4 }, async () => {
    while (!ended) {
      const socket = new WebSocket(subject.url.replace("http", "ws"));
      await once(socket, "close");
    }
  });
  for (let restart = 0; restart < 100; restart++) {
    const before = answered.size;
    while (answered.size === before) await ask();
    await subject.server.restart();
  }
  ended = true;
  await subject.server.stop();
  await Promise.all([...load, ...sockets]);
  assertEquals([...reached].filter((uri) => !answered.has(uri)), []);
  assertEquals([subject.errors, open.size, closes], [[], 0, opens]);
  assert(reached.size > 100, `${reached.size}`);
});

Deno.test("a restart from inside a callback, un-awaited, answers its request and comes back on the same port", async () => {
  await using subject = await running({
    onHTTPRequest(webServer, request) {
      if (request.uri === "/restart") webServer.restart();
      return new Response("fine");
    },
    onWebSocketReceiveText: (webServer) => void webServer.restart(),
  });
  assertEquals(await (await fetch(new URL("/restart", subject.url))).text(), "fine");
  // Its turn comes after that of the restart.
  await subject.server.set({});
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "restart");
  assertEquals((await raw.closed())?.code, 1001);
  await subject.server.set({});
  assertEquals([subject.server.active, subject.server.address!.port], [true, subject.port]);
});

Deno.test("a needless stop() or start() does not reject, and a disposed server can start again", async () => {
  const server = new WebServer({ port: 0, localaddress: "127.0.0.1" });
  await server.stop();
  await server.restart();
  assertEquals(server.active, false);
  await server[Symbol.asyncDispose]();
  await server.start();
  await server.stop();
  await assertRejects(() => server.set({ port: -1 }), RangeError);
});
