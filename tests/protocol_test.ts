/** The sub-protocol of a client that offers some, as its clients see it. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import ws from "npm:ws@8.23.0";
import type { Callbacks } from "../mod.ts";
import { running } from "./helpers.ts";
import { HANDSHAKE } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

/** What `onWebSocketRequest` does, what the client offers, and what it gets; "" is no sub-protocol. */
const CASES: [what: string, Callbacks, offers: string[], expected: string][] = [
  ["no callback picks one, and none is offered", {}, [], ""],
  ["no callback picks one", {}, ["one", "two"], "one"],
  ["the callback does not look", { onWebSocketRequest() {} }, ["one", "two"], "one"],
  ["an async callback does not look", { async onWebSocketRequest() {} }, ["one", "two"], "one"],
  [
    "the callback returns another dictionary",
    { onWebSocketRequest: () => ({ statusCode: 101 }) },
    ["one", "two"],
    "one",
  ],
  [
    "the callback picks the second",
    {
      onWebSocketRequest(_webServer, _request, response) {
        response["Sec-WebSocket-Protocol"] = "two";
        return response;
      },
    },
    ["one", "two"],
    "two",
  ],
  [
    "the callback picks it in another letter case of the name",
    {
      onWebSocketRequest(_webServer, _request, response) {
        response["sec-websocket-protocol"] = "two";
      },
    },
    ["one", "two"],
    "two",
  ],
  [
    "another dictionary picks it",
    {
      onWebSocketRequest: () => ({ statusCode: 101, headers: { "Sec-WebSocket-Protocol": "two" } }),
    },
    ["one", "two"],
    "two",
  ],
];

/** What npm `ws` gets: its sub-protocol, or why it fails. */
function byPackage(url: string, offers: string[]): Promise<string> {
  const socket = new ws(url.replace("http", "ws"), offers);
  return new Promise((resolve) => {
    socket.on("open", () => {
      socket.on("close", () => resolve(socket.protocol));
      socket.close();
    });
    socket.on("error", (error: Error) => resolve(error.message));
  });
}

/** What Deno's WebSocket gets: its sub-protocol, or that it fails. */
function byDeno(url: string, offers: string[]): Promise<string> {
  const socket = new WebSocket(url.replace("http", "ws"), offers);
  return new Promise((resolve) => {
    socket.onopen = () => {
      socket.onclose = () => resolve(socket.protocol);
      socket.close();
    };
    socket.onerror = () => resolve("it fails");
  });
}

for (const [what, callbacks, offers, expected] of CASES) {
  Deno.test(`the sub-protocol if ${what}`, async () => {
    await using subject = await running(callbacks);
    assertEquals(await byPackage(subject.url, offers), expected);
    assertEquals(await byDeno(subject.url, offers), expected);
    assertEquals(subject.errors, []);
  });
}

Deno.test("a callback that deletes the sub-protocol answers without one, which clients refuse that want one", async () => {
  await using subject = await running({
    onWebSocketRequest(_webServer, _request, response) {
      delete response["Sec-WebSocket-Protocol"];
    },
  });
  using client = await RawWebSocket.open(subject.port, [...HANDSHAKE, "Sec-WebSocket-Protocol: one,two"]);
  const head = (await client.head()).toLowerCase();
  assertStringIncludes(head, "101 switching protocols");
  assertEquals(head.includes("sec-websocket-protocol"), false);
  assertEquals(await byPackage(subject.url, ["one"]), "Server sent no subprotocol");
});
