/** Clients that leave at the worst moment, or stay and do nothing: they leave nothing behind, and do not keep a program running. */

import { assert, assertEquals } from "@std/assert";
import { connect, disconnect, once } from "./helpers.ts";
import { startProgram, startSource, urlOf } from "./program.ts";
import { LINUX, testWith } from "./programs.ts";
import { TEXT } from "./support/frame.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";
import { reset } from "./support/reset.ts";
import { openFiles } from "./support/usage.ts";

/** A server with few places, which asks its callback, or decides by itself. */
const server = (callbacks: string) => `
const server = new WebServer({
  port: 0,
  localaddress: "127.0.0.1",
  maxConnections: 5,
  idleTimeout: 2,
  callbacks: { onHTTPRequest: (webServer) => Response.json([webServer.webSocketConnections.length]), ${callbacks} },
});
await server.start();
console.log(server.address.port);
Deno.addSignalListener("SIGTERM", async () => {
  await server.stop();
  console.log("stopped", server.webSocketConnections.length);
  Deno.exit();
});
`;

/** A WebSocket, as soon as there is a place for it. */
async function connectSoon(url: string): Promise<WebSocket> {
  for (;;) {
    const socket = new WebSocket(url.replace("http", "ws"));
    if (await Promise.race([once(socket, "open"), once(socket, "error")]).then(({ type }) => type === "open")) {
      return socket;
    }
  }
}

const CASES: [what: string, count: number, callbacks: string][] = [
  ["1,000 handshakes", 1000, ""],
  [
    "300 handshakes for which a callback waits",
    300,
    "async onWebSocketRequest() { await new Promise((resolve) => setTimeout(resolve, 1)); },",
  ],
];
for (const [what, count, callbacks] of CASES) {
  testWith(
    [LINUX, "python3"],
    `${what} that are reset at once leave no descriptors open and use up no connections`,
    async () => {
      await using program = await startSource(server(callbacks));
      const url = `http://127.0.0.1:${program.port}/`;
      // Some descriptors are opened once, at the first connection.
      await disconnect(await connect(url));
      const before = openFiles(program.pid);
      await reset(program.port, "", count);
      const start = performance.now();
      const sockets = await Promise.all(Array.from({ length: 5 }, () => connectSoon(url)));
      // The callback may still run for the last ones. If dead clients kept counting, this would take ten seconds.
      assert(performance.now() - start < 5_000);
      const more = openFiles(program.pid) - sockets.length - before;
      await Promise.all(sockets.map((socket) => disconnect(socket)));
      // None or two as a rule: Deno leaks one for each reset that comes in the moment of the answer.
      assert(more <= count / 8, `${more} more descriptors`);
      program.kill("SIGTERM");
      const { code, stdout } = await program.ended();
      assertEquals([code, stdout], [0, `${program.port}\nstopped 0\n`]);
    },
  );
}

testWith(["python3"], "the program ends on SIGTERM after handshakes that were reset", async () => {
  await using running = await startProgram([]);
  const port = Number(new URL(urlOf(running)).port);
  await reset(port, "", 50);
  running.kill("SIGTERM");
  assertEquals((await running.ended()).code, 0);
});

Deno.test("clients that read nothing, of an answer or of a WebSocket, do not keep the program from its end", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    path,
    `const large = new Uint8Array(64 << 20);
     export const onHTTPRequest = (webServer, { uri }) => {
       if (uri === "/rows") return Response.json(webServer.rows());
       return uri === "/stream" ? new Response(new Blob([large]).stream()) : { statusCode: 200, data: large };
     };
     export const onWebSocketReceiveText = (webServer, client, data) => void webServer.webSocketSendText(client, data);`,
  );
  try {
    await using running = await startProgram(["--callbacks", path, "--shutdownTimeout", "0.5"], [
      "--allow-net",
      `--allow-read=${path}`,
    ]);
    const port = Number(new URL(urlOf(running)).port);
    const readers = await Promise.all(["/", "/stream"].map(async (target) => {
      const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
      await connection.write(new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`));
      // The answer has begun.
      await connection.read(new Uint8Array(1));
      return connection;
    }));
    using silent = await RawWebSocket.connect(port);
    // Until the system's buffers are full.
    const waiting = async () => (await (await fetch(`http://127.0.0.1:${port}/rows`)).json())[1][3];
    while (await waiting() === "0") await silent.send(TEXT, "x".repeat(100_000));
    running.kill("SIGTERM");
    assertEquals((await running.ended()).code, 0);
    for (const reader of readers) reader.close();
  } finally {
    await Deno.remove(path);
  }
});
