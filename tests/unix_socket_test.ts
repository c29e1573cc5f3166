/** `deno serve` on a Unix socket, whose clients have no addresses: each has a name of its own. */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { testWith, UNIX } from "./programs.ts";
import { deno, PACKAGE } from "./support/deno.ts";
import { TEXT } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const SERVER = `
import { WebServer } from ${JSON.stringify(PACKAGE)};
export default new WebServer({
  callbacks: {
    onHTTPRequest: (webServer, request) => Response.json([request.clientAddress, webServer.webSocketConnections]),
    onWebSocketOpen: (webServer, client) => void webServer.webSocketSendText(client, client),
    onWebSocketReceiveText: (webServer, client, data) => {
      if (data === "all") webServer.webSocketBroadcast("to all");
      else if (data === "close") webServer.webSocketClose(client, 4000, "asked");
      else webServer.webSocketSendText(client, \`\${client} \${data}\`);
    },
  },
});
`;

type Client = RawWebSocket<Deno.UnixConn>;

/** A WebSocket over a Unix socket. */
async function open(path: string): Promise<Client> {
  const client = await RawWebSocket.over(await Deno.connect({ transport: "unix", path }));
  await client.head();
  return client;
}

/** The next text that a client gets. */
async function next(client: Client): Promise<string> {
  const { opcode, payload } = (await client.frame())!;
  assertEquals(opcode, TEXT);
  return new TextDecoder().decode(payload);
}

/** The answer to a GET. */
async function get(path: string): Promise<[string, string[]]> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const text = await new Response(connection.readable).text();
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4));
}

testWith(
  [UNIX],
  "each client of `deno serve` on a Unix socket has a separate name, which sends to it and closes it",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${directory}/server.ts`, SERVER);
      const path = `${directory}/socket`;
      await using server = deno("serve", ["--allow-all", `${directory}/server.ts`], {
        env: { DENO_SERVE_ADDRESS: `unix:${path}` },
      });
      await server.line(/listens on a Unix socket/);
      using one = await open(path);
      using two = await open(path);
      const [first, second] = [await next(one), await next(two)];
      assertMatch(first, /^unix:\d+$/);
      assertNotEquals(first, second);
      await one.send(TEXT, "hello");
      await two.send(TEXT, "hello");
      assertEquals([await next(one), await next(two)], [`${first} hello`, `${second} hello`]);
      await one.send(TEXT, "all");
      assertEquals([await next(one), await next(two)], ["to all", "to all"]);
      const [asking, connections] = await get(path);
      assertEquals(connections, [first, second]);
      assert(!connections.includes(asking), asking);
      await one.send(TEXT, "close");
      assertEquals(await one.closed(), { code: 4000, reason: "asked" });
      await two.send(TEXT, "still here");
      assertEquals(await next(two), `${second} still here`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
