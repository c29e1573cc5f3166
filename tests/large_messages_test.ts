/** Large messages for an async callback, of any size that is allowed: they wait, and arrive. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect, deferred, disconnect, printed, running } from "./helpers.ts";
import { BINARY } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const MiB = 1 << 20;

Deno.test("all messages reach an async callback one by one, in order, large or small", async () => {
  const sizes: number[] = [];
  await using subject = await running({
    async onWebSocketReceiveBinary(webServer, client, data) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      sizes.push(data.length);
      webServer.webSocketSendText(client, String(data.length));
    },
  });
  const socket = await connect(subject.url);
  const expected = [16 * MiB, 1, 0, 15 * MiB, MiB, 16 * MiB];
  const done = deferred();
  let answers = 0;
  socket.onmessage = () => {
    if (++answers === expected.length) done.resolve();
    else send();
  };
  // Two are under way: one is handled, one waits.
  let sent = 0;
  const send = () => void (sent < expected.length && socket.send(new Uint8Array(expected[sent++]!)));
  send();
  send();
  await done.promise;
  await disconnect(socket);
  assertEquals([sizes, subject.server.info().warnings, subject.errors], [expected, 0, []]);
});

Deno.test("one message of maxMessageSize may wait while another is handled; more closes with 1008, which names the parameter", async () => {
  const gate = deferred();
  const closed = deferred<number>();
  const warned = deferred();
  let handled = 0;
  await using subject = await running({
    async onWebSocketReceiveBinary() {
      handled++;
      await gate.promise;
    },
    onWebSocketClose: (_webServer, _client, code) => closed.resolve(code),
  }, { maxMessageSize: 3 * MiB, maxBufferedAmount: 1000, idleTimeout: 1 });
  const lines = await printed("warn", async () => {
    const { warn } = console;
    console.warn = (...values) => (warn(...values), warned.resolve());
    using client = await RawWebSocket.connect(subject.port);
    await client.send(BINARY, new Uint8Array(3 * MiB));
    await client.send(BINARY, new Uint8Array(3 * MiB));
    while (handled === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await client.send(BINARY, new Uint8Array(1));
    await warned.promise;
    gate.resolve();
    assertEquals(await closed.promise, 1008);
  });
  assertStringIncludes(
    String(lines[0]),
    'its messages arrive faster than they are handled: see parameter "maxBufferedAmount"',
  );
  // Messages that waited before the close are handled.
  assertEquals([lines.length, handled], [1, 2]);
});
