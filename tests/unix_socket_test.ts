/** `deno serve` on a Unix socket, whose clients have no addresses: each has a name of its own. */

import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { program } from "./program.ts";
import { HANDSHAKE } from "./raw_websocket.ts";

const CONFIG = `${import.meta.dirname}/../deno.json`;
const SERVER = `
import { WebServer } from ${JSON.stringify(program)};
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

/** A WebSocket over a Unix socket, for short texts. */
class Client implements Disposable {
  #bytes = new Uint8Array(0);

  private constructor(readonly connection: Deno.UnixConn) {}

  static async open(path: string): Promise<Client> {
    const client = new Client(await Deno.connect({ transport: "unix", path }));
    await client.connection.write(new TextEncoder().encode(["GET / HTTP/1.1", ...HANDSHAKE, "", ""].join("\r\n")));
    for (;;) {
      const end = new TextDecoder("latin1").decode(client.#bytes).indexOf("\r\n\r\n");
      if (end >= 0) {
        client.#bytes = client.#bytes.slice(end + 4);
        return client;
      }
      await client.#read();
    }
  }

  async send(text: string): Promise<void> {
    const payload = new TextEncoder().encode(text);
    await this.connection.write(new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]));
  }

  /** The payload of the next frame. */
  async next(): Promise<string> {
    while (this.#bytes.length < 2 || this.#bytes.length < 2 + this.#bytes[1]!) await this.#read();
    const end = 2 + this.#bytes[1]!;
    const text = new TextDecoder("latin1").decode(this.#bytes.subarray(2, end));
    this.#bytes = this.#bytes.slice(end);
    return text;
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(4096);
    const read = await this.connection.read(chunk);
    if (read === null) throw new Error("The connection has ended");
    this.#bytes = new Uint8Array([...this.#bytes, ...chunk.subarray(0, read)]);
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

/** The answer to a GET. */
async function get(path: string): Promise<[string, string[]]> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const text = await new Response(connection.readable).text();
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4));
}

if (Deno.build.os !== "windows") {
  Deno.test("deno serve on a Unix socket: each client has a name of its own, by which it is sent to and closed", async () => {
    const directory = await Deno.makeTempDir();
    await Deno.writeTextFile(`${directory}/server.ts`, SERVER);
    const path = `${directory}/socket`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["serve", "--quiet", "--allow-all", "--config", CONFIG, `${directory}/server.ts`],
      env: { NO_COLOR: "1", DENO_SERVE_ADDRESS: `unix:${path}` },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    try {
      assertMatch((await output.read()).value!, /listens on a Unix socket/);
      using one = await Client.open(path);
      using two = await Client.open(path);
      const [first, second] = [await one.next(), await two.next()];
      assertMatch(first, /^unix:\d+$/);
      assertNotEquals(first, second);
      await one.send("hello");
      await two.send("hello");
      assertEquals([await one.next(), await two.next()], [`${first} hello`, `${second} hello`]);
      await one.send("all");
      assertEquals([await one.next(), await two.next()], ["to all", "to all"]);
      const [asking, connections] = await get(path);
      assertEquals(connections, [first, second]);
      assert(!connections.includes(asking), asking);
      await one.send("close");
      assertEquals((await one.next()).slice(2), "asked");
      await two.send("still here");
      assertEquals(await two.next(), `${second} still here`);
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await output.cancel();
      await Deno.remove(directory, { recursive: true });
    }
  });
}
