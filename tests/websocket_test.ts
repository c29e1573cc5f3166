/** WebSockets: the callbacks, the methods, the handshake, with Deno's own client, npm `ws` and raw TCP. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { connect, deferred, disconnect, once, rawRequest, running } from "./helpers.ts";
import { handshake } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

Deno.test("onWebSocketOpen gets the client's address and the uri with its query, on any path", async () => {
  const opened = deferred<string[]>();
  await using subject = await running({ onWebSocketOpen: (_webServer, client, uri) => opened.resolve([client, uri]) });
  const socket = await connect(subject.url, "rooms/a%20b?role=vj&role=dj");
  const [client, uri] = await opened.promise;
  assertMatch(client!, /^127\.0\.0\.1:\d+$/);
  assertEquals(uri, "/rooms/a%20b?role=vj&role=dj");
  assertEquals(subject.server.webSocketConnections, [client!]);
  assertEquals(subject.server.info().websocket_connections, 1);
  await disconnect(socket);
});

Deno.test("text and binary messages arrive unchanged in both directions", async () => {
  await using subject = await running({
    onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, data),
    onWebSocketReceiveBinary: (webServer, client, data) => {
      assert(data instanceof Uint8Array);
      webServer.webSocketSendBinary(client, data);
    },
  });
  const socket = await connect(subject.url);
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  for (const sent of ["", "grüß 🎛", "x".repeat(100_000), bytes, new Uint8Array(0)]) {
    const received = once(socket, "message");
    socket.send(sent);
    const { data } = await received;
    assertEquals(typeof sent === "string" ? data : new Uint8Array(data), sent);
  }
  await disconnect(socket);
  assertEquals(subject.errors, []);
});

Deno.test("onWebSocketClose has the peer's code and reason, once, and the client is gone by then", async () => {
  const closes: unknown[] = [];
  const closed = deferred();
  await using subject = await running({
    onWebSocketClose(webServer, client, code, reason) {
      closes.push([client, code, reason, webServer.webSocketConnections]);
      closed.resolve();
    },
  });
  const socket = await connect(subject.url);
  const [client] = subject.server.webSocketConnections;
  await disconnect(socket, 3001, "enough");
  await closed.promise;
  await subject.server.stop();
  assertEquals(closes, [[client, 3001, "enough", []]]);
});

Deno.test("a connection that breaks is closed with 1006", async () => {
  const opened = deferred();
  const closed = deferred<number>();
  await using subject = await running({
    onWebSocketOpen: () => opened.resolve(),
    onWebSocketClose: (_webServer, _client, code) => closed.resolve(code),
  });
  {
    using _raw = await RawWebSocket.connect(subject.port);
    await opened.promise;
  }
  assertEquals(await closed.promise, 1006);
});

Deno.test("webSocketClose closes with code and reason, and onWebSocketClose has the same", async () => {
  const closed = deferred<[number, string]>();
  await using subject = await running({
    onWebSocketReceiveText: (webServer, client) => webServer.webSocketClose(client, 4000, "over"),
    onWebSocketClose: (_webServer, _client, code, reason) => closed.resolve([code, reason]),
  });
  const socket = await connect(subject.url);
  const seen = once(socket, "close");
  socket.send("go");
  const { code, reason } = await seen;
  assertEquals([code, reason], [4000, "over"]);
  assertEquals(await closed.promise, [4000, "over"]);
});

Deno.test("if the server closes first, its code is reported, even if the peer never answers and leaves", async () => {
  const opened = deferred<string>();
  const closed = deferred<[number, string]>();
  await using subject = await running({
    onWebSocketOpen: (_webServer, client) => opened.resolve(client),
    onWebSocketClose: (_webServer, _client, code, reason) => closed.resolve([code, reason]),
  });
  {
    using raw = await RawWebSocket.connect(subject.port);
    subject.server.webSocketClose(await opened.promise, 4000, "over");
    assertEquals(await raw.closed(), { code: 4000, reason: "over" });
  }
  assertEquals(await closed.promise, [4000, "over"]);
});

Deno.test("webSocketClose may be called from onWebSocketOpen, and nothing is sent after it", async () => {
  const sent: boolean[] = [];
  await using subject = await running({
    onWebSocketOpen(webServer, client) {
      sent.push(webServer.webSocketSendText(client, "before"));
      webServer.webSocketClose(client);
      webServer.webSocketClose(client);
      sent.push(webServer.webSocketSendText(client, "behind"));
    },
  });
  const socket = new WebSocket(subject.url.replace("http", "ws"));
  const messages: string[] = [];
  socket.onmessage = ({ data }) => messages.push(data);
  const { code } = await once(socket, "close");
  assertEquals([code, messages, sent], [1000, ["before"], [true, false]]);
});

Deno.test("webSocketClose refuses codes that may not be sent and reasons that are too long", async () => {
  await using subject = await running();
  const client = "127.0.0.1:1";
  for (const code of [0, 999, 1002, 1004, 1005, 1006, 1015, 1016, 2999, 5000, NaN, 1000.5]) {
    assertThrows(() => subject.server.webSocketClose(client, code), RangeError, "code");
  }
  assertThrows(() => subject.server.webSocketClose(client, 1000, "é".repeat(62)), RangeError, "123 bytes");
  for (const code of [1000, 1001, 1003, 1007, 1014, 3000, 4999]) subject.server.webSocketClose(client, code);
});

Deno.test("sends to a client that is gone return false and throw nothing", async () => {
  const closed = deferred();
  await using subject = await running({ onWebSocketClose: () => closed.resolve() });
  const socket = await connect(subject.url);
  const [client] = subject.server.webSocketConnections as [string];
  assertEquals(subject.server.webSocketSendText(client, "x"), true);
  await disconnect(socket);
  await closed.promise;
  assertEquals(subject.server.webSocketSendText(client, "x"), false);
  assertEquals(subject.server.webSocketSendBinary(client, new Uint8Array(1)), false);
  subject.server.webSocketClose(client);
});

Deno.test("swapped arguments and data of the wrong type are a TypeError that says so", async () => {
  await using subject = await running();
  const { server } = subject;
  assertThrows(() => server.webSocketSendText("hello", "127.0.0.1:5000"), TypeError, "The client comes first");
  assertThrows(() => server.webSocketClose("hello"), TypeError, '"hello"');
  assertThrows(() => server.webSocketSendText("127.0.0.1:1", 5 as never), TypeError, "not a string, but a number");
  assertThrows(() => server.webSocketSendText("127.0.0.1:1", undefined as never), TypeError, "but undefined");
  assertThrows(() => server.webSocketSendBinary("127.0.0.1:1", "x" as never), TypeError, "not a Uint8Array");
  assertThrows(() => server.webSocketSendBinary("127.0.0.1:1", new Blob() as never), TypeError, "not a Uint8Array");
  assertEquals(server.webSocketSendText("[::1]:5000", "to nobody"), false);
});

Deno.test("callbacks of one client run in order and one at a time, open first and close last, even if they are async", async () => {
  const log: string[] = [];
  const closed = deferred();
  const step = async (name: string) => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    log.push(`${name} ends`);
  };
  await using subject = await running({
    onWebSocketOpen: () => step("open"),
    onWebSocketReceiveText: (_webServer, _client, data) => step(data),
    onWebSocketReceiveBinary: () => step("binary"),
    onWebSocketClose: async () => {
      await step("close");
      closed.resolve();
    },
  });
  const socket = await connect(subject.url);
  socket.send("1");
  socket.send(new Uint8Array(1));
  socket.send("2");
  await disconnect(socket);
  await closed.promise;
  assertEquals(log, ["open", "1", "binary", "2", "close"].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

Deno.test("a WebSocket callback that throws or rejects ends nothing, and each error is reported once", async () => {
  const closed = deferred();
  let reject = false;
  const fail = (name: string) => {
    if (reject) return Promise.reject(new Error(name));
    throw new Error(name);
  };
  await using subject = await running({
    onWebSocketOpen: () => fail("open"),
    onWebSocketReceiveText: () => fail("text"),
    onWebSocketReceiveBinary: () => fail("binary"),
    onWebSocketClose: () => {
      closed.resolve();
      return fail("close");
    },
    onHTTPRequest: () => new Response("alive"),
  });
  for (reject of [false, true]) {
    const socket = await connect(subject.url);
    socket.send("x");
    socket.send(new Uint8Array(1));
    await disconnect(socket);
  }
  await closed.promise;
  assertEquals(await (await fetch(subject.url)).text(), "alive");
  await subject.server.stop();
  assertEquals(subject.errors.map(({ error }) => error.message), [
    ...["open", "text", "binary", "close"],
    ...["open", "text", "binary", "close"],
  ]);
});

Deno.test("absent WebSocket callbacks do nothing", async () => {
  await using subject = await running({});
  const socket = await connect(subject.url);
  socket.send("x");
  await disconnect(socket);
  await subject.server.stop();
  assertEquals([subject.server.info().total_cooks, subject.errors], [0, []]);
});

Deno.test("an Upgrade to another protocol is answered over HTTP", async () => {
  await using subject = await running({ onHTTPRequest: () => new Response("plain") });
  assertMatch(await rawRequest(subject.port, "GET /", handshake("Upgrade", "h2c")), /^HTTP\/1.1 200 [^]*plain$/);
});

Deno.test("stop() closes WebSockets with 1001, and reports each close before onServerStop", async () => {
  const log: unknown[] = [];
  await using subject = await running({
    onWebSocketClose: async (_webServer, _client, code) => {
      await Promise.resolve();
      log.push(code);
    },
    onServerStop: () => log.push("stop"),
  });
  const sockets = await Promise.all([connect(subject.url), connect(subject.url)]);
  const codes = Promise.all(sockets.map((socket) => once(socket, "close")));
  await subject.server.stop();
  assertEquals((await codes).map(({ code }) => code), [1001, 1001]);
  assertEquals(log, [1001, 1001, "stop"]);
  assertEquals(subject.server.webSocketConnections, []);
});

Deno.test("stop() does not wait for long for a peer that never answers, and reports it closed with 1001", async () => {
  const opened = deferred();
  const codes: number[] = [];
  await using subject = await running({
    onWebSocketOpen: () => opened.resolve(),
    onWebSocketClose: (_webServer, _client, code) => codes.push(code),
  });
  using _raw = await RawWebSocket.connect(subject.port);
  await opened.promise;
  await subject.server.stop();
  assertEquals([codes, subject.server.webSocketConnections], [[1001], []]);
});
