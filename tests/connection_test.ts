/** The life of a WebSocket connection: frames that no browser sends, peers that fall silent, limits, and how each one ends. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Callbacks, WebServerParameters } from "../mod.ts";
import { connect, deferred, disconnect, once, running, type Subject } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from "./support/frame.ts";
import { handshakeRequest } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";
import { reset } from "./support/reset.ts";
import { Program } from "./support/program.ts";

/** A server that echoes, and records its callbacks: `open`, messages, and closes with code and reason. */
async function echoing(
  parameters: Partial<WebServerParameters> = {},
  callbacks: Callbacks = {},
): Promise<Subject & { log: unknown[]; closed: Promise<unknown[]> }> {
  const log: unknown[] = [];
  const closed = deferred<unknown[]>();
  const { active: _active, callbacks: _callbacks, ...others } = parameters as WebServerParameters;
  const subject = await running({
    onWebSocketOpen: () => void log.push("open"),
    onWebSocketReceiveText(webServer, client, data) {
      log.push(data.slice(0, 10));
      webServer.webSocketSendText(client, data);
    },
    onWebSocketReceiveBinary(webServer, client, data) {
      log.push(data.length);
      webServer.webSocketSendBinary(client, data);
    },
    onWebSocketClose(_webServer, _client, code, reason) {
      log.push([code, reason]);
      closed.resolve([code, reason]);
    },
    ...callbacks,
  }, others);
  return { ...subject, log, closed: closed.promise, [Symbol.asyncDispose]: () => subject.server.stop() };
}

Deno.test("fragments with a ping between them arrive as one message", async () => {
  await using subject = await echoing();
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "gr\u00fc".slice(0, 2), { fin: false });
  await raw.send(PING, "now");
  await raw.send(CONTINUATION, "\u00fc\u00df", { fin: false });
  await raw.send(CONTINUATION, "!");
  const first = await raw.frame();
  assertEquals([first!.opcode, new TextDecoder().decode(first!.payload)], [PONG, "now"]);
  const second = await raw.frame();
  assertEquals([second!.opcode, new TextDecoder().decode(second!.payload)], [TEXT, "grüß!"]);
});

Deno.test("an unmasked frame is accepted, as Deno does", async () => {
  await using subject = await echoing();
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(BINARY, new Uint8Array([1, 2]), { masked: false });
  assertEquals((await raw.frame())?.payload, new Uint8Array([1, 2]));
});

for (
  const [what, attack] of Object.entries<(raw: RawWebSocket) => Promise<void>>({
    "text that is not UTF-8": (raw) => raw.send(TEXT, new Uint8Array([0xff, 0xfe])),
    "a frame of a reserved kind": (raw) => raw.send(3, "x"),
    "reserved bits": (raw) => raw.send(0x40 | TEXT, "x"),
    "a continuation of nothing": (raw) => raw.send(CONTINUATION, "x"),
    "a ping in fragments": (raw) => raw.send(PING, "x", { fin: false }),
    "a close of one byte": (raw) => raw.send(CLOSE, "x"),
    "a close with an illegal code": (raw) => raw.close(1005),
    "a close with a reason that is not UTF-8": (raw) => raw.send(CLOSE, new Uint8Array([3, 232, 0xff])),
    "a frame that is announced with 2^62 bytes": (raw) =>
      raw.write(new Uint8Array([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])),
  })
) {
  Deno.test(`${what} ends its connection with one close, and other connections are unaffected`, async () => {
    await using subject = await echoing();
    const bystander = await connect(subject.url);
    using raw = await RawWebSocket.connect(subject.port);
    await attack(raw);
    await subject.closed;
    const echoed = once(bystander, "message");
    bystander.send("still here");
    assertEquals((await echoed).data, "still here");
    assertEquals(subject.log.filter(Array.isArray).length, 1);
    assertEquals(subject.server.webSocketConnections.length, 1);
    await disconnect(bystander);
  });
}

testWith(["python3"], "a reset in the middle of a frame is reported once, with 1006", async () => {
  await using subject = await echoing();
  await reset(subject.port, "\x81\xfe\x01\x00\x01\x02\x03\x04half");
  assertEquals(await subject.closed, [1006, ""]);
  assertEquals(subject.log, ["open", [1006, ""]]);
});

Deno.test("a connection that ends without a close, even in the middle of a frame, is reported with 1006", async () => {
  await using subject = await echoing();
  {
    using raw = await RawWebSocket.connect(subject.port);
    await raw.write(new Uint8Array([0x81, 0xfe, 1, 0, 1, 2, 3]));
  }
  assertEquals(((await subject.closed) as number[])[0], 1006);
});

Deno.test("half a handshake does not count as a connection, and does not delay a stop", async () => {
  await using subject = await echoing();
  using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConn"));
  assertEquals(subject.server.info().websocket_connections, 0);
  await subject.server.stop();
});

Deno.test("a close without a code is reported with 1005, any other with its code and reason", async () => {
  for (const [code, reason, expected] of [[undefined, "", 1005], [1000, "bye", 1000], [4321, "grüß", 4321]] as const) {
    await using subject = await echoing();
    using raw = await RawWebSocket.connect(subject.port);
    await raw.close(code, reason);
    assertEquals(await subject.closed, [expected, reason]);
  }
});

Deno.test("maxMessageSize: a larger message, in bytes, closes with 1009 and reaches no callback", async () => {
  await using subject = await echoing({ maxMessageSize: 10 });
  for (const message of ["x".repeat(11), "ü".repeat(6), new Uint8Array(11)]) {
    const socket = await connect(subject.url);
    for (const fits of ["x".repeat(10), "ü".repeat(5), new Uint8Array(10)]) {
      const echoed = once(socket, "message");
      socket.send(fits);
      await echoed;
    }
    const closed = once(socket, "close");
    socket.send(message);
    assertEquals((await closed).code, 1009);
  }
  assertEquals(subject.log.filter((entry) => typeof entry === "string" && entry !== "open").length, 6);
  assertEquals(subject.errors, []);
});

Deno.test("maxMessageSize counts a message in fragments as one", async () => {
  await using subject = await echoing({ maxMessageSize: 10, idleTimeout: 1 });
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "123456", { fin: false });
  await raw.send(CONTINUATION, "789012");
  assertEquals((await raw.closed())?.code, 1009);
  await subject.closed;
  assertEquals(subject.log, ["open", [1009, "Messages are limited to 10 bytes"]]);
});

Deno.test("maxBufferedAmount: messages that come faster than an async callback handles them close with 1008", async () => {
  const gate = deferred();
  let handled = 0;
  await using subject = await echoing({ maxBufferedAmount: 5000, maxMessageSize: 200, idleTimeout: 1 }, {
    async onWebSocketReceiveText() {
      await gate.promise;
      handled++;
    },
  });
  using raw = await RawWebSocket.connect(subject.port);
  for (let sent = 0; sent < 20; sent++) await raw.send(TEXT, "x".repeat(100));
  // With more on its way, Deno drops the connection before the close is sent.
  await raw.closed();
  raw[Symbol.dispose]();
  gate.resolve();
  assertEquals(await subject.closed, [1008, "Messages arrive faster than they are handled"]);
  // The message that was being handled, and those that still fitted.
  assertEquals(handled, 1 + 4);
});

Deno.test("a callback that never settles is abandoned after requestTimeout, and the next one runs", async () => {
  const second = deferred();
  await using subject = await echoing({ requestTimeout: 0.2 }, {
    onWebSocketReceiveText: (_webServer, _client, data) => data === "hang" ? new Promise(() => {}) : second.resolve(),
  });
  const socket = await connect(subject.url);
  socket.send("hang");
  socket.send("go on");
  await second.promise;
  assertEquals(
    subject.errors.map(({ error }) => error.message),
    ['onWebSocketReceiveText did not finish within 0.2 s: see parameter "requestTimeout"'],
  );
  await disconnect(socket);
});

Deno.test("a stop abandons callbacks that never settle, and still reports each close", async () => {
  const busy = deferred();
  await using subject = await echoing({ shutdownTimeout: 0.2, requestTimeout: 0 }, {
    onWebSocketReceiveText: () => (busy.resolve(), new Promise(() => {})),
  });
  const socket = await connect(subject.url);
  for (let sent = 0; sent < 5; sent++) socket.send("hang");
  await busy.promise;
  await subject.server.stop();
  assertEquals(subject.log, ["open", [1001, "The server is stopping"]]);
  assertEquals(subject.errors.length, 1);
});

Deno.test("webSocketClose forgets a peer that never answers: its close is reported once, with the server's code, and it still counts", async () => {
  await using subject = await echoing({ idleTimeout: 1, maxConnections: 1 });
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "hello");
  await raw.frame();
  const [client] = subject.server.webSocketConnections;
  subject.server.webSocketClose(client!, 4000, "off you go");
  assertEquals(subject.server.webSocketSendText(client!, "x"), false);
  assertEquals(await subject.closed, [4000, "off you go"]);
  assertEquals(subject.server.webSocketConnections, []);
  using second = await RawWebSocket.open(subject.port);
  assertEquals((await second.answer()).status, 503);
  assertEquals(subject.log, ["open", "hello", [4000, "off you go"]]);
});

Deno.test("a peer that answers no ping is dropped after idleTimeout and reported once, with 1006", async () => {
  await using subject = await echoing({ idleTimeout: 1 });
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "hello");
  assertEquals(((await subject.closed) as number[])[0], 1006);
  assertEquals(subject.server.webSocketConnections, []);
  // Deno reports a second close when the connection has ended, which must not be passed on.
  await raw.closed();
  await subject.server.stop();
  assertEquals(subject.log.filter(Array.isArray).length, 1);
});

Deno.test("a peer that answers pings stays, whatever idleTimeout is", async () => {
  await using subject = await echoing({ idleTimeout: 3 });
  using raw = await RawWebSocket.connect(subject.port);
  for (let pings = 0; pings < 3;) {
    const frame = await raw.frame();
    assertEquals(frame?.opcode, PING);
    await raw.send(PONG, frame!.payload);
    pings++;
  }
  assertEquals(subject.server.webSocketConnections.length, 1);
});

Deno.test("sends to a peer that stops reading are refused above maxBufferedAmount, and it is dropped once without disturbing others", async () => {
  const maxBufferedAmount = 16 << 20;
  await using subject = await echoing({ idleTimeout: 3, maxBufferedAmount, maxConnections: 2 });
  const bystander = await connect(subject.url);
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "hello");
  await raw.frame();
  const message = new Uint8Array(4 << 20);
  const client = raw.client;
  let taken = 0;
  while (subject.server.webSocketSendBinary(client, message)) taken++;
  // Bytes in the kernel's buffers do not count; those that wait are bounded by the parameter plus one message.
  const [, ...rows] = subject.server.rows();
  const buffered = Number(rows.find(([name]) => name === client)![3]);
  assert(taken > 0 && Math.abs(buffered - maxBufferedAmount) <= message.length, `${buffered}`);
  assertEquals(await subject.closed, [1006, "The client stopped reading"]);
  assertEquals(subject.server.webSocketSendBinary(client, message), false);
  assertEquals(subject.server.webSocketConnections.length, 1);
  using third = await RawWebSocket.open(subject.port);
  assertEquals((await third.answer()).status, 503);
  const echoed = once(bystander, "message");
  bystander.send("hi");
  assertEquals((await echoed).data, "hi");
  await disconnect(bystander);
});

Deno.test("a peer that reads slowly is not dropped", async () => {
  await using subject = await echoing({ idleTimeout: 2, maxBufferedAmount: 64 << 20 });
  using raw = await RawWebSocket.connect(subject.port);
  await raw.send(TEXT, "hello");
  await raw.frame();
  const client = raw.client;
  const message = new Uint8Array(1 << 20);
  for (let sent = 0; sent < 48; sent++) subject.server.webSocketSendBinary(client, message);
  const start = performance.now();
  // Longer than idleTimeout, with data always waiting, and the pings waiting behind it.
  while (performance.now() - start < 2500) {
    assertEquals((await raw.frame())?.opcode, BINARY);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assertEquals(subject.server.webSocketConnections, [client]);
});

Deno.test("webSocketBroadcast sends text and bytes to every open client, and returns how many took it", async () => {
  await using subject = await echoing();
  const sockets = await Promise.all(Array.from({ length: 3 }, () => connect(subject.url)));
  const text = Promise.all(sockets.map((socket) => once(socket, "message")));
  assertEquals(subject.server.webSocketBroadcast("grüß"), 3);
  assertEquals((await text).map(({ data }) => data), ["grüß", "grüß", "grüß"]);
  const bytes = Promise.all(sockets.map((socket) => once(socket, "message")));
  assertEquals(subject.server.webSocketBroadcast(new Uint8Array([1, 2])), 3);
  for (const { data } of await bytes) assertEquals(new Uint8Array(data), new Uint8Array([1, 2]));
  await disconnect(sockets[0]!);
  await subject.closed;
  assertEquals(subject.server.webSocketBroadcast("x"), 2);
  await Promise.all(sockets.slice(1).map((socket) => disconnect(socket)));
});

Deno.test("text and bytes can be sent, even from memory shared with a worker; a Blob is a clear TypeError", async () => {
  await using subject = await echoing();
  const socket = await connect(subject.url);
  const [client] = subject.server.webSocketConnections;
  const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(7);
  for (
    const bytes of [
      shared,
      new Uint8Array(3).fill(7),
      new Uint8Array(3).fill(7).buffer,
      new DataView(new Uint8Array(3).fill(7).buffer),
    ]
  ) {
    const received = once(socket, "message");
    assertEquals(subject.server.webSocketSendBinary(client!, bytes), true);
    assertEquals(new Uint8Array((await received).data), new Uint8Array([7, 7, 7]));
  }
  const wrong = new Blob(["x"]) as unknown as ArrayBuffer;
  assertThrows(() => subject.server.webSocketSendBinary(client!, wrong), TypeError, "not a Uint8Array, but Blob");
  assertThrows(() => subject.server.webSocketBroadcast(wrong), TypeError, "not a Uint8Array, but Blob");
  // Also when nobody is there to get it.
  assertThrows(() => subject.server.webSocketSendBinary("127.0.0.1:1", wrong), TypeError, "not a Uint8Array");
  await disconnect(socket);
});

testWith(
  ["python3"],
  "a client that reuses an address is opened only after the close of the one before it has been reported",
  async () => {
    const working = deferred();
    const gate = deferred();
    const log: string[] = [];
    const both = deferred();
    await using subject = await running({
      onWebSocketOpen: (_webServer, _client, uri) => void log.push(`open ${uri}`),
      onWebSocketReceiveText: () => (working.resolve(), gate.promise),
      onWebSocketClose() {
        log.push("close");
        if (log.filter((entry) => entry === "close").length === 2) both.resolve();
      },
    });
    // Connects twice from one port: the first connection is reset while a callback runs, and the second opens before that has settled.
    const script = `import socket,struct
def connect(request,port):
  s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(("127.0.0.1",port)); s.connect(("127.0.0.1",${subject.port}))
  s.sendall(request.encode()); s.recv(4096)
  return s
first=connect(${JSON.stringify(handshakeRequest("/1"))},0); port=first.getsockname()[1]
first.sendall(bytes([0x81,0x82,0,0,0,0])+b"hi")
input()
first.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack("ii",1,0)); first.close()
second=connect(${JSON.stringify(handshakeRequest("/2"))},port); print("open",flush=True)
input(); second.close()
`;
    await using client = new Program("python3", ["-c", script]);
    await working.promise;
    await client.ask("");
    assertEquals(log, ["open /1"]);
    gate.resolve();
    await client.write("");
    await both.promise;
    assertEquals(log, ["open /1", "close", "open /2", "close"]);
  },
);

Deno.test("idleTimeout: a client that reads a large message slowly is kept until it has it", async () => {
  const size = 24 * 1024 * 1024;
  const closed: unknown[] = [];
  await using subject = await running({
    onWebSocketOpen: (webServer, client) => void webServer.webSocketSendBinary(client, new Uint8Array(size)),
    onWebSocketClose: (_webServer, _client, code) => closed.push(code),
  }, { idleTimeout: 1, maxBufferedAmount: size });
  using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(handshakeRequest()));
  const buffer = new Uint8Array(size / 6);
  for (let read = 0; read < size;) {
    // The socket shows no progress during this time.
    if (read < size / 2) await new Promise((resolve) => setTimeout(resolve, 500));
    for (const end = read + size / 6; read < end;) read += await connection.read(buffer.subarray(0, end - read)) ?? NaN;
    assertEquals(closed, []);
  }
});
