/** File descriptors run out: `Deno.serve` stops accepting, and the server listens again. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { testWith } from "./programs.ts";
import { CONFIG, PACKAGE } from "./support/deno.ts";
import { Program } from "./support/program.ts";

/** A server with few descriptors left. */
const PROGRAM = `
import { WebServer } from ${JSON.stringify(PACKAGE)};
let starts = 0;
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  callbacks: {
    onServerStart: () => void starts++,
    onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
    onHTTPRequest: (webServer) => Response.json([starts, webServer.info().errors, webServer.webSocketConnections.length]),
  },
});
await server.start();
console.log(server.address.port);
for await (const _ of Deno.stdin.readable);
await server.stop();
console.log("stopped");
`;

testWith(
  ["sh"],
  "a server that runs out of file descriptors says so, keeps its connections, and accepts again when some are free",
  async () => {
    const program = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(program, PROGRAM);
    await using server = new Program("sh", [
      "-c",
      `ulimit -n 80 && exec "$0" run --quiet --allow-net --config "$1" "$2"`,
      Deno.execPath(),
      CONFIG,
      program,
    ]);
    const port = Number(await server.next());

    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve) => socket.onopen = resolve);
    // Deno itself would not survive this in the first second of a process.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const flood: Deno.TcpConn[] = [];
    for (let count = 0; count < 100; count++) {
      const connection = await Deno.connect({ port, hostname: "127.0.0.1" }).catch(() => undefined);
      if (connection) flood.push(connection);
    }
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    for (const connection of flood) connection.close();
    let answer;
    while (answer === undefined) {
      server.check();
      answer = await fetch(`http://127.0.0.1:${port}/`, { client }).then(
        (response) => response.json(),
        () => undefined,
      );
    }
    const [starts, errors, connections] = answer;
    assertEquals([starts, errors > 0, connections], [1, true, 1]);
    const echoed = new Promise<MessageEvent>((resolve) => socket.onmessage = resolve);
    socket.send("still here");
    assertEquals((await echoed).data, "still here");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    await server.endInput();
    await closed;
    assertEquals(await server.next(), "stopped");
    const { code, stderr } = await server.ended();
    assertEquals(code, 0);
    assertStringIncludes(stderr, "The listener stopped unexpectedly; reopening it");
    client.close();
    await Deno.remove(program);
  },
);
