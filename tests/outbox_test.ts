/** WebSocket clients that send and do not read: waiting messages are charged the memory that they cost, however small they are. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, deferred, disconnect, once, printed, running } from "./helpers.ts";
import { startSource } from "./program.ts";
import { TEXT } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const MiB = 1 << 20;

/** An echo, and a room in which each text goes to all. Over HTTP it reports its memory and its clients. */
const SERVER = `
let texts = 0;
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  maxBufferedAmount: ${MiB},
  callbacks: {
    onHTTPRequest: (webServer) =>
      Response.json([Deno.memoryUsage().rss, texts, webServer.info().warnings, webServer.rows().slice(1).map((row) => Number(row[3]))]),
    onWebSocketReceiveText(webServer, client, data) {
      texts++;
      if (data.startsWith("all")) webServer.webSocketBroadcast(data);
      else webServer.webSocketSendText(client, data);
    },
  },
});
await server.start();
console.log(server.address.port);
`;

/** The server's report. */
interface Look {
  /** In MiB. */
  readonly memory: number;
  /** How many it got. */
  readonly texts: number;
  readonly warnings: number;
  /** Bytes, for each client. */
  readonly waiting: number[];
}

async function look({ port }: { port: number }): Promise<Look> {
  const [rss, texts, warnings, waiting] = await (await fetch(`http://127.0.0.1:${port}/`)).json();
  return { memory: rss / MiB, texts, warnings, waiting };
}

/** Many frames of one short text. */
function frames(text: string, count: number): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const frame = new Uint8Array([0x80 | TEXT, 0x80 | payload.length, 0, 0, 0, 0, ...payload]);
  const all = new Uint8Array(frame.length * count);
  for (let index = 0; index < count; index++) all.set(frame, index * frame.length);
  return all;
}

Deno.test("a client that sends empty texts to an echo and reads nothing is sent only a limited number", async () => {
  await using program = await startSource(SERVER);
  using silent = await RawWebSocket.connect(program.port);
  for (let sent = 0; sent < 20_000; sent += 1000) await silent.write(frames("", 1000));
  // The socket does not count empty messages: all of these may be waiting.
  while ((await look(program)).texts < 20_000);
  assert((await look(program)).warnings > 15_000);
});

for (const [what, text] of [["empty texts", ""], ["texts of one letter", "x"]] as const) {
  Deno.test(`a client that sends ${what} to an echo and reads nothing costs little memory`, async () => {
    await using program = await startSource(SERVER);
    using silent = await RawWebSocket.connect(program.port);
    // Until the system's buffers are full.
    while ((await look(program)).waiting[0] === 0) await silent.send(TEXT, "x".repeat(100_000));
    const before = await look(program);
    const block = frames(text, 1000);
    for (let sent = 0; sent < 500_000; sent += 1000) await silent.write(block);
    const after = await look(program);
    // It would be half a gigabyte if only the data counted.
    assert(after.memory - before.memory < 200, `${after.memory - before.memory} MiB`);
    // Another client is served.
    const socket = await connect(`http://127.0.0.1:${program.port}/`);
    const echo = once(socket, "message");
    socket.send("still here");
    assertEquals((await echo).data, "still here");
    await disconnect(socket);
  });
}

Deno.test("members of a room that read nothing cost little memory, and the one that reads gets everything", async () => {
  await using program = await startSource(SERVER);
  const silent = await Promise.all(Array.from({ length: 50 }, () => RawWebSocket.connect(program.port)));
  try {
    using reader = await RawWebSocket.connect(program.port);
    using sender = await RawWebSocket.connect(program.port);
    const read = async (text: string) => {
      const { opcode, payload } = (await reader.frame())!;
      assertEquals([opcode, new TextDecoder().decode(payload)], [TEXT, text]);
    };
    const long = `all ${"x".repeat(100_000)}`;
    while ((await look(program)).waiting.filter((bytes) => bytes > 0).length < silent.length) {
      await sender.send(TEXT, long);
      await read(long);
      // The sender is a member too.
      await sender.frame();
    }
    const before = await look(program);
    const block = frames("all", 250);
    for (let sent = 0; sent < 10_000; sent += 250) {
      await sender.write(block);
      for (let received = 0; received < 250; received++) await read("all");
    }
    const after = await look(program);
    // It would be half a gigabyte if only the data counted.
    assert(after.memory - before.memory < 250, `${after.memory - before.memory} MiB`);
  } finally {
    for (const socket of silent) socket[Symbol.dispose]();
  }
});

Deno.test("a client whose messages wait for an async callback is charged their memory, and closed with 1008", async () => {
  const release = deferred();
  const warned = deferred();
  const closed = deferred<number>();
  await using subject = await running({
    onWebSocketReceiveText: () => release.promise,
    onWebSocketClose: (_webServer, _client, code) => closed.resolve(code),
  }, { maxBufferedAmount: MiB, maxMessageSize: 1000, idleTimeout: 1 });
  const lines = await printed("warn", async () => {
    const { warn } = console;
    console.warn = (...values) => (warn(...values), warned.resolve());
    using client = await RawWebSocket.connect(subject.port);
    // A kilobyte for each.
    await client.write(frames("", 1026));
    await warned.promise;
    release.resolve();
    assertEquals(await closed.promise, 1008);
  });
  assertStringIncludes(
    String(lines),
    'its messages arrive faster than they are handled: see parameter "maxBufferedAmount"',
  );
});

for (const [what, text] of [["empty", ""], ["short", "x"], ["long", "x".repeat(20_000)]] as const) {
  Deno.test(`a client that reads gets each ${what} message in order, even after it has been slow`, async () => {
    await using subject = await running({
      onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
    });
    using client = await RawWebSocket.connect(subject.port);
    for (let round = 0; round < 20; round++) {
      for (let count = 0; count < 100; count++) await client.send(TEXT, text);
      // Now it reads.
      for (let count = 0; count < 100; count++) assertEquals((await client.frame())!.payload.length, text.length);
    }
    assertEquals(subject.server.info().warnings, 0);
  });
}
