/** File descriptors run out: the runtime stops to accept, and the server listens again. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { testWith } from "./programs.ts";

const ROOT = new URL("../", import.meta.url);

/** A server with few descriptors left, which says what it is told on standard error. */
const PROGRAM = `
import { WebServer } from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
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
    const process = new Deno.Command("sh", {
      args: [
        "-c",
        `ulimit -n 80 && exec "$0" run --quiet --allow-net --config deno.json --lock tests/deno.lock "$1"`,
        Deno.execPath(),
        program,
      ],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stderr = new Response(process.stderr).text();
    const stdout = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number((await stdout.read()).value);

    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve) => socket.onopen = resolve);
    // The runtime itself does not survive it in the first second of a process.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const flood: Deno.TcpConn[] = [];
    for (let count = 0; count < 100; count++) {
      const connection = await Deno.connect({ port, hostname: "127.0.0.1" }).catch(() => undefined);
      if (connection) flood.push(connection);
    }
    const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    for (const connection of flood) connection.close();
    let ended = false;
    process.status.then(() => ended = true);
    let answer;
    while (answer === undefined) {
      if (ended) throw new Error(`The server has ended: ${await stderr}`);
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
    await process.stdin.close();
    await closed;
    assertEquals((await stdout.read()).value, "stopped\n");
    await stdout.cancel();
    assertEquals((await process.status).code, 0);
    assertStringIncludes(await stderr, "The listener stopped unexpectedly; reopening it");
    client.close();
    await Deno.remove(program);
  },
);
