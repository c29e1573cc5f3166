/** Other people's WebSocket clients: Chromium, npm `ws`, Python's `websockets`. */

import { assertEquals } from "@std/assert";
import WS from "npm:ws@8.23.0";
import type { Callbacks } from "../mod.ts";
import { pageTest } from "./examples/browser.ts";
import { deferred, running } from "./helpers.ts";
import { type Need, testWith } from "./programs.ts";
import { output } from "./support/program.ts";

/** A server that picks a sub-protocol, greets, echoes, and records closes. */
function greeting(): { callbacks: Callbacks; closed: Promise<[code: number, reason: string]> } {
  const closed = deferred<[number, string]>();
  const callbacks: Callbacks = {
    onHTTPRequest: (_webServer, _request, response) => ({ ...response, statusCode: 200, data: "<title>page</title>" }),
    onWebSocketRequest(_webServer, request, response) {
      if (request["Sec-WebSocket-Protocol"]) response["Sec-WebSocket-Protocol"] = "panel.v2";
    },
    onWebSocketOpen: (webServer, client, uri) => void webServer.webSocketSendText(client, `hello ${uri}`),
    onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
    onWebSocketReceiveBinary: (webServer, client, data) => void webServer.webSocketSendBinary(client, data),
    onWebSocketClose: (_webServer, _client, code, reason) => closed.resolve([code, reason]),
  };
  return { callbacks, closed: closed.promise };
}

pageTest(
  "Chromium agrees on a sub-protocol, exchanges text and a megabyte of bytes, and closes with code and reason",
  async (chromium) => {
    const { callbacks, closed } = greeting();
    await using subject = await running(callbacks);
    const { page } = await chromium.visit(subject.url);
    const seen = await page.evaluate(async () => {
      const socket = new WebSocket(location.href.replace("http", "ws") + "room?a=b", ["panel.v1", "panel.v2"]);
      socket.binaryType = "arraybuffer";
      const next = () =>
        new Promise<MessageEvent>((resolve) => socket.addEventListener("message", resolve, { once: true }));
      const hello = (await next()).data;
      const sent = ["gr\u00fc\u00df \u{1f39b}", "x".repeat(100_000), new Uint8Array(1 << 20).fill(7)];
      const same = [];
      for (const message of sent) {
        const echo = next();
        socket.send(message);
        const { data } = await echo;
        same.push(typeof message === "string" ? data === message : new Uint8Array(data).every((byte) => byte === 7));
      }
      const end = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
      socket.close(4000, "bye");
      const { code, wasClean } = await end;
      return { hello, protocol: socket.protocol, same, code, wasClean };
    });
    assertEquals(seen, {
      hello: "hello /room?a=b",
      protocol: "panel.v2",
      same: [true, true, true],
      code: 4000,
      wasClean: true,
    });
    assertEquals(await closed, [4000, "bye"]);
  },
);

Deno.test("npm's ws agrees on a sub-protocol, exchanges text, bytes and a ping, and closes with code and reason", async () => {
  const { callbacks, closed } = greeting();
  await using subject = await running(callbacks);
  const socket = new WS(subject.url.replace("http", "ws") + "room", ["panel.v1", "panel.v2"]);
  const messages: (string | Uint8Array)[] = [];
  const three = deferred();
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    messages.push(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
    if (messages.length === 3) three.resolve();
  });
  await new Promise((resolve) => socket.once("open", resolve));
  const pong = new Promise<Uint8Array>((resolve) => socket.once("pong", resolve));
  socket.ping("are you there?");
  socket.send("gr\u00fc\u00df");
  socket.send(new Uint8Array([1, 2, 3]));
  await three.promise;
  assertEquals([socket.protocol, ...messages], [
    "panel.v2",
    "hello /room",
    "gr\u00fc\u00df",
    new Uint8Array([1, 2, 3]),
  ]);
  assertEquals(new TextDecoder().decode(await pong), "are you there?");
  const end = new Promise((resolve) => socket.once("close", resolve));
  socket.close(4000, "bye");
  assertEquals([await end, await closed], [4000, [4000, "bye"]]);
});

/** Debian's Python, which has Debian's package python3-websockets. */
const PYTHON = "/usr/bin/python3";
const WEBSOCKETS: Need = {
  name: "python3-websockets",
  isThere: await output(PYTHON, ["-c", "import websockets"]).then(({ code }) => code === 0, () => false),
};

const SCRIPT = `
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], subprotocols=["panel.v1", "panel.v2"]) as socket:
        seen = [socket.subprotocol, await socket.recv()]
        for message in ["gr\\u00fc\\u00df", "x" * 100000, bytes([1, 2, 3]), bytes(1000000), ["in ", "two ", "fragments"]]:
            await socket.send(message)
            seen.append(await socket.recv() == ("".join(message) if isinstance(message, list) else message))
        await (await socket.ping(b"are you there?"))
        await socket.close(4000, "bye")
        print(seen, socket.close_code)
asyncio.run(main())
`;

testWith(
  [WEBSOCKETS],
  "Python's websockets agrees on a sub-protocol, exchanges text, bytes, fragments and a ping, and closes with a code",
  async () => {
    const { callbacks, closed } = greeting();
    await using subject = await running(callbacks);
    const args = ["-c", SCRIPT, subject.url.replace("http", "ws") + "room"];
    const { stdout, stderr } = await output(PYTHON, args);
    assertEquals(
      [stdout.trim(), stderr],
      ["['panel.v2', 'hello /room', True, True, True, True, True] 4000", ""],
    );
    assertEquals(await closed, [4000, "bye"]);
  },
);
