/** A text in fragments that is too long for a string of V8 (512 MiB): it ends no program that uses the package as a library. */

import { assert, assertEquals } from "@std/assert";
import { connect, disconnect, once } from "./helpers.ts";
import { startSource } from "./program.ts";
import { CONTINUATION, PONG, TEXT } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const MiB = 1 << 20;

/** The state of the socket, and whether other errors still end a process. */
const SERVER = `
let closed = 0;
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  idleTimeout: 8,
  callbacks: {
    onHTTPRequest: (webServer, { uri }) => {
      if (uri === "/reject") Promise.reject(new TypeError("failed to allocate string; but of the program's own"));
      return Response.json([webServer.webSocketConnections.length, closed, webServer.info().errors]);
    },
    onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
    onWebSocketClose: () => void closed++,
  },
});
await server.start();
console.log(server.address.port);
`;

Deno.test("a text of more than 512 MiB in fragments ends its own connection, and nothing else", async () => {
  await using program = await startSource(SERVER);
  const url = `http://127.0.0.1:${program.port}/`;
  const other = await connect(url);
  using client = await RawWebSocket.connect(program.port);
  // Masked by nothing: the same bytes again and again.
  const head = new Uint8Array([CONTINUATION, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  new DataView(head.buffer).setBigUint64(2, BigInt(32 * MiB));
  const payload = new Uint8Array(32 * MiB).fill(0x61);
  await client.send(TEXT, "", { fin: false });
  for (let count = 0; count < 17; count++) {
    if (count === 16) head[0] = 0x80 | CONTINUATION;
    await client.write(head);
    await client.write(payload);
    // A message that is not whole does not count as a sign of life.
    if (count < 16) await client.send(PONG);
  }
  // The other is served all the time, and the one is gone by idleTimeout.
  let connections = 2;
  while (connections > 1) {
    const echo = once(other, "message");
    other.send("still here");
    assertEquals((await echo).data, "still here");
    let closed, errors;
    [connections, closed, errors] = await (await fetch(url)).json();
    assertEquals([closed, errors], [2 - connections, 0]);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await disconnect(other);
  // A rejection of the program's own ends it as ever.
  await fetch(`${url}reject`).then((answer) => answer.text()).catch(() => {});
  const { code, stderr } = await program.ended();
  assertEquals(code, 1);
  assert(stderr.includes("but of the program's own"), stderr);
});
