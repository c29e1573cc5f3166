/** What the program says while it runs: WebSockets of --log, files of --watch, clients that are dropped. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, disconnect, once, printed, rawRequest, running } from "./helpers.ts";
import { WebServer } from "../mod.ts";
import { startProgram, urlOf } from "./program.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

/** A callbacks file in a folder of its own. */
async function callbacksFile(text: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/show.ts`;
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

Deno.test("--log says when a WebSocket opens and closes, with client, path, code and reason", async () => {
  await using running = await startProgram(["--log"]);
  const socket = await connect(urlOf(running), "room?token=secret");
  const closed = once(socket, "close");
  socket.close(4001, "b\u001by");
  await closed;
  await running.printed("closes 4001");
  running.kill("SIGTERM");
  const { stdout } = await running.ended();
  const client = String.raw`127\.0\.0\.1:\d+`;
  assertMatch(stdout, new RegExp(`^${TIME} ${client} WebSocket /room opens$`, "m"));
  assertMatch(stdout, new RegExp(`^${TIME} ${client} WebSocket /room closes 4001 b%1By$`, "m"));
  assertEquals(stdout.includes("secret"), false);
});

Deno.test("--log says that a handshake was refused", async () => {
  await using running = await startProgram(["--log"]);
  const { port } = new URL(urlOf(running));
  await rawRequest(Number(port), "GET /room", [
    "Host: x",
    "Upgrade: websocket",
    "Origin: http://evil.example",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]);
  await running.printed("(a WebSocket was refused)\n");
});

Deno.test("--watch says in one line that saved callbacks are in use", async () => {
  await using file = await callbacksFile("export const onHTTPRequest = () => new Response('one');");
  await using running = await startProgram(["--callbacks", file.path, "--watch"], ["--allow-net", "--allow-read"]);
  await Deno.writeTextFile(file.path, "export const onHTTPRequest = () => new Response('two, longer');");
  await running.printed("webserver1: The saved callbacks are in use\n");
  assertEquals(await (await fetch(urlOf(running))).text(), "two, longer");
});

Deno.test("a watched callbacks file that is missing is reported once, and the server goes on", async () => {
  await using file = await callbacksFile("export const onHTTPRequest = () => new Response('one');");
  const lines: unknown[][] = [];
  const warnings = await printed("warn", async () => {
    await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: file.path, watch: true });
    await server.start();
    const says = async () => await (await fetch(server.address!.url)).text();
    lines.push(
      ...await printed("log", async () => {
        await Deno.remove(file.path);
        while (server.info().warnings === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        assertEquals(await says(), "one");
        await Deno.writeTextFile(file.path, "export const onHTTPRequest = () => new Response('again');");
        while (await says() !== "again");
      }),
    );
  });
  assertEquals(warnings.length, 1);
  assertMatch(String(warnings[0]), /^webserver1: ".*show\.ts" is missing: the server goes on with what it has read$/);
  assertEquals(lines.map(String), ["webserver1: The saved callbacks are in use"]);
});

Deno.test("a client that sends a message that is too large is named, with the parameter", async () => {
  await using subject = await running({}, { maxMessageSize: 10 });
  const warnings = await printed("warn", async () => {
    const socket = await connect(subject.url);
    const closed = once(socket, "close");
    socket.send("x".repeat(11));
    assertEquals((await closed).code, 1009);
  });
  assertEquals(warnings.length, 1);
  assertMatch(
    String(warnings[0]),
    /^webserver1: 127\.0\.0\.1:\d+ sent a message of more than 10 bytes, so it is dropped: see parameter "maxMessageSize"$/,
  );
});

Deno.test("a client that does not answer pings is named, with the parameter", async () => {
  const closed = Promise.withResolvers<number>();
  await using subject = await running({ onWebSocketClose: (_webServer, _client, code) => closed.resolve(code) }, {
    idleTimeout: 1,
  });
  const warnings = await printed("warn", async () => {
    using _client = await RawWebSocket.connect(subject.port);
    assertEquals(await closed.promise, 1006);
  });
  assertEquals(warnings.length, 1);
  assertMatch(
    String(warnings[0]),
    /^webserver1: 127\.0\.0\.1:\d+ does not answer pings, so it is dropped: see parameter "idleTimeout"$/,
  );
});

Deno.test("the stop says how many messages were not printed", async () => {
  const warnings = await printed("error", async () => {
    const lines = await printed("warn", async () => {
      await using subject = await running({
        onHTTPRequest() {
          throw new Error("always the same");
        },
        onError: undefined!,
      });
      for (let count = 0; count < 9; count++) await (await fetch(subject.url)).body?.cancel();
    });
    assertEquals(lines.map(String), ["webserver1: 4 more messages like those above were not printed"]);
  });
  assertEquals(warnings.length, 5);
  assertStringIncludes(String(warnings[0]), "onHTTPRequest threw");
});

Deno.test("the stop says nothing of messages when all were printed", async () => {
  const lines = await printed("warn", async () => {
    await using subject = await running();
    await disconnect(await connect(subject.url));
  });
  assertEquals(lines, []);
});

Deno.test("a body that meets a limit is one line, with the client and the parameter", async () => {
  await using subject = await running({}, { maxBodySize: 10, maxBodyMemory: 5 });
  const lines = await printed("warn", async () => {
    for (const length of [11, 6]) {
      const answer = await fetch(subject.url, { method: "POST", body: "x".repeat(length) });
      await answer.body?.cancel();
    }
  });
  assertEquals(lines.length, 2);
  const client = String.raw`^webserver1: 127\.0\.0\.1:\d+ was refused: `;
  assertMatch(String(lines[0]), new RegExp(`${client}The body is larger than 10 bytes. See parameter "maxBodySize"$`));
  assertMatch(
    String(lines[1]),
    new RegExp(`${client}Too many request bodies are in memory. See parameter "maxBodyMemory"$`),
  );
});
