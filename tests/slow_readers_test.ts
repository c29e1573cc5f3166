/** Clients that read nothing of their answer are dropped; those that read slowly get it whole. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { deferred, printed, running, type Subject } from "./helpers.ts";
import { startSource } from "./program.ts";
import { TEXT } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const MiB = 1 << 20;
const LENGTH = 12 * MiB;
const bytes = new Uint8Array(LENGTH).fill(0x61);

/** Sends a request, and reads only the first byte of the answer. */
async function stuck(port: number, target: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`));
  await connection.read(new Uint8Array(1));
  return connection;
}

/** Reads until the server ends the connection; how many bytes came. */
async function rest(connection: Deno.TcpConn): Promise<number> {
  const buffer = new Uint8Array(65536);
  let all = 0;
  for (;;) {
    const read = await connection.read(buffer).catch(() => null);
    if (read === null) return all;
    all += read;
  }
}

/** A stream that may end or not, and reports its cancellation. */
function source(cancelled: (reason: unknown) => void, chunks = Infinity): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent++ === chunks) controller.close();
      else controller.enqueue(bytes.subarray(0, MiB));
    },
    cancel: cancelled,
  });
}

/** Answers by kind; each reports when its source is cancelled, if it has one. */
const ANSWERS: Record<string, (cancelled: (reason: unknown) => void) => unknown> = {
  "bytes": () => ({ statusCode: 200, data: bytes }),
  "a string": () => ({ statusCode: 200, data: "a".repeat(LENGTH) }),
  "a Blob": () => ({ statusCode: 200, data: new Blob([bytes]) }),
  "a list": () => ({ statusCode: 200, data: Array(LENGTH / 4).fill(123) }),
  "a Response of bytes": () => new Response(bytes),
  "a Response of a string": () => new Response("a".repeat(LENGTH)),
  "a Response of a Blob": () => new Response(new Blob([bytes])),
  "a stream": (cancelled) => ({ statusCode: 200, data: source(cancelled) }),
  "a stream of a known length": (cancelled) => ({
    statusCode: 200,
    data: source(cancelled, LENGTH / MiB),
    "Content-Length": LENGTH,
  }),
  "a Response of a stream": (cancelled) => new Response(source(cancelled)),
  "an event stream": (cancelled) =>
    new Response(source(cancelled), { headers: { "content-type": "text/event-stream" } }),
  "an event stream in a dictionary": (cancelled) => ({
    statusCode: 200,
    "Content-Type": "text/event-stream",
    data: source(cancelled),
  }),
};
const STREAMS = Object.keys(ANSWERS).filter((what) => what.includes("stream"));

/** A server whose answers are these, and how often each source was cancelled. */
async function answering(idleTimeout: number): Promise<Subject & { cancelled: Map<string, number> }> {
  const cancelled = new Map<string, number>();
  const subject = await running({
    onHTTPRequest(_webServer, { uri }) {
      const what = decodeURIComponent(uri.slice(1));
      if (what === "") return new Response("fine");
      return ANSWERS[what]!(() => cancelled.set(what, (cancelled.get(what) ?? 0) + 1)) as Response;
    },
  }, { idleTimeout });
  return Object.assign(subject, { cancelled });
}

Deno.test("a client that does not read a large answer of any kind is dropped after idleTimeout, and its source is cancelled once", async () => {
  await using subject = await answering(1);
  const warnings = await printed("warn", async () => {
    const readers = await Promise.all(
      Object.keys(ANSWERS).map(async (what) =>
        [what, await stuck(subject.port, `/${encodeURIComponent(what)}`)] as const
      ),
    );
    // Others are served in the meantime.
    while (subject.server.info().warnings < readers.length) {
      assertEquals(await (await fetch(subject.url)).text(), "fine");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertEquals(Object.fromEntries(subject.cancelled), Object.fromEntries(STREAMS.map((what) => [what, 1])));
    // The bytes in the system's buffers arrive, but not the end of the answer.
    for (const [what, reader] of readers) {
      const length = await rest(reader);
      assert(length > 0 && (STREAMS.includes(what) || length < LENGTH), `${what}: ${length}`);
      reader.close();
    }
  });
  assertEquals(subject.errors, []);
  assertMatch(
    String(warnings[0]),
    /127\.0\.0\.1:\d+ did not read its answer, so the answer was dropped: see parameter "idleTimeout"/,
  );
});

Deno.test("a client that reads slowly gets its whole answer, even if that takes longer than idleTimeout", async () => {
  await using subject = await answering(2);
  const ends = Object.keys(ANSWERS).filter((what) => !STREAMS.includes(what) || what.includes("known length"));
  await Promise.all(ends.map(async (what) => {
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    await connection.write(
      new TextEncoder().encode(`GET /${encodeURIComponent(what)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
    const buffer = new Uint8Array(MiB);
    let all = 0;
    let pause = 0;
    for (;;) {
      const read = await connection.read(buffer);
      if (read === null) break;
      all += read;
      if (all < pause) continue;
      // The system reports progress only when a third of its buffer, of up to 4 MiB, is free.
      pause += 2 * MiB;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert(all > LENGTH, `${what}: ${all}`);
  }));
  assertEquals([subject.errors, subject.server.info().warnings], [[], 0]);
});

Deno.test("with an idleTimeout of 0 a client that does not read is kept until it reads the rest", async () => {
  await using subject = await answering(0);
  using connection = await stuck(subject.port, "/bytes");
  // Longer than two looks at it.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const buffer = new Uint8Array(MiB);
  let all = 1;
  while (all < LENGTH) all += (await connection.read(buffer))!;
  assertEquals(subject.server.info().warnings, 0);
});

Deno.test("a quiet event stream is not taken for a slow reader: its client gets late events", async () => {
  const ready = deferred<ReadableStreamDefaultController<Uint8Array>>();
  await using subject = await running({
    onHTTPRequest: () =>
      new Response(new ReadableStream({ start: (controller) => ready.resolve(controller) }), {
        headers: { "content-type": "text/event-stream" },
      }),
  }, { idleTimeout: 1 });
  const answer = await fetch(subject.url);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const controller = await ready.promise;
  const event = async (text: string) => {
    controller.enqueue(new TextEncoder().encode(text));
    assertEquals((await reader.read()).value, text);
  };
  await event("data: 1\n\n");
  await new Promise((resolve) => setTimeout(resolve, 1_700));
  await event("data: 2\n\n");
  await reader.cancel();
});

Deno.test("a hundred clients that do not read an answer of 12 MiB cost little memory", async () => {
  await using program = await startSource(`
const bytes = new Uint8Array(${LENGTH}).fill(97);
const text = "a".repeat(${LENGTH});
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  callbacks: {
    onHTTPRequest(_webServer, { uri }) {
      if (uri === "/rss") return Response.json(Deno.memoryUsage().rss);
      return { statusCode: 200, data: uri === "/text" ? text : bytes };
    },
  },
});
await server.start();
console.log(server.address.port);
`);
  const memory = async () => await (await fetch(`http://127.0.0.1:${program.port}/rss`)).json() / MiB;
  const before = await memory();
  for (const target of ["/bytes", "/text"]) {
    const readers = await Promise.all(Array.from({ length: 100 }, () => stuck(program.port, target)));
    const more = await memory() - before;
    // 1,200 MiB where each has a copy.
    assert(more < 400, `${target}: ${more} MiB`);
    for (const reader of readers) reader.close();
  }
});

Deno.test("a callback that blocks the process for longer than idleTimeout causes no reading client to be dropped", async () => {
  await using subject = await running({
    onHTTPRequest(_webServer, { uri }) {
      const start = performance.now();
      while (uri === "/block" && performance.now() - start < 1_700);
      return { statusCode: 200, data: uri === "/bytes" ? bytes : "fine" };
    },
    onWebSocketReceiveText: (webServer, client) => void webServer.webSocketSendBinary(client, bytes),
  }, { idleTimeout: 1, maxBufferedAmount: 64 * MiB });
  using reader = await stuck(subject.port, "/bytes");
  using socket = await RawWebSocket.connect(subject.port);
  await socket.send(TEXT, "send it");
  while (subject.server.rows()[1]![3] === "0") await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(await (await fetch(`${subject.url}block`)).text(), "fine");
  const buffer = new Uint8Array(MiB);
  let all = 1;
  while (all < LENGTH) all += (await reader.read(buffer))!;
  assertEquals((await socket.frame())!.payload.length, LENGTH);
  assertEquals(subject.server.info().warnings, 0);
});
