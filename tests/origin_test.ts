/** Which web pages are admitted: the parameter `origins` against `Origin` and `Host`, for WebSockets and for methods that change something. */

import { assertEquals, assertMatch } from "@std/assert";
import type { WebServerParameters } from "../mod.ts";
import { printed, rawRequest, running } from "./helpers.ts";
import { HANDSHAKE, RawWebSocket } from "./raw_websocket.ts";

const HOST = "panel.local:9980";

/** What a page of `origin` gets for a WebSocket and for a POST. */
async function statuses(port: number, origin: string, host: string): Promise<number[]> {
  const handshake = HANDSHAKE.filter((line) => !line.startsWith("Host:"));
  using socket = await RawWebSocket.open(port, [`Host: ${host}`, `Origin: ${origin}`, ...handshake]);
  const opened = Number((await socket.head()).slice(9, 12));
  const posted = await rawRequest(port, "POST /", [`Host: ${host}`, `Origin: ${origin}`, "Content-Length: 0"]);
  return [opened, Number(posted.slice(9, 12))];
}

type Case = readonly [origin: string, host: string, admitted: boolean];

const matrix: readonly [origins: WebServerParameters["origins"], cases: readonly Case[]][] = [
  ["same", [
    [`http://${HOST}`, HOST, true],
    // A proxy may have ended TLS.
    [`https://${HOST}`, HOST, true],
    ["http://panel.local", "panel.local", true],
    ["http://panel.local", "panel.local:80", true],
    ["http://panel.local:80", "panel.local", true],
    ["http://localhost:9980", "127.0.0.1:9980", true],
    ["http://127.0.0.1:9980", "localhost:9980", true],
    ["http://[::1]:9980", "localhost:9980", true],
    ["http://localhost:9980", "[::1]:9980", true],
    ["file://", HOST, true],
    ["http://localhost:9981", "127.0.0.1:9980", false],
    ["http://127.evil.example:9980", "127.0.0.1:9980", false],
    ["http://localhost.evil.example:9980", "localhost:9980", false],
    ["http://panel.local", HOST, false],
    ["http://evil.example", HOST, false],
    ["null", HOST, false],
    ["app://panel.local:9980", HOST, false],
    [`ws://${HOST}`, HOST, false],
    [`http://evil@${HOST}`, HOST, false],
    [`http://${HOST}\\evil`, HOST, false],
    [`http:${HOST}`, HOST, false],
    [`http://${HOST}/`, HOST, false],
    ["", HOST, false],
  ]],
  [["http://other.example:8080", "app://panel", "null"], [
    ["http://other.example:8080", HOST, true],
    ["app://panel", HOST, true],
    ["null", HOST, true],
    [`http://${HOST}`, HOST, false],
    ["file://", HOST, false],
    ["http://other.example", HOST, false],
  ]],
  [["same", "http://bühne.local", "http://other.example:80"], [
    [`http://${HOST}`, HOST, true],
    ["http://xn--bhne-0ra.local", HOST, true],
    ["http://other.example", HOST, true],
    ["file://", HOST, true],
    ["http://evil.example", HOST, false],
  ]],
  [[], [[`http://${HOST}`, HOST, false]]],
  ["any", [["http://evil.example", HOST, true], ["null", HOST, true]]],
];

for (const [origins, cases] of matrix) {
  Deno.test(`origins: ${JSON.stringify(origins)} admits some pages to WebSockets and POST, and no other`, async () => {
    await using subject = await running({ onHTTPRequest: () => ({ statusCode: 200 }) }, { origins });
    await printed("warn", async () => {
      for (const [origin, host, admitted] of cases) {
        const expected = admitted ? [101, 200] : [403, 403];
        assertEquals(await statuses(subject.port, origin, host), expected, `${origin} to ${host}`);
      }
    });
  });
}

Deno.test("origins: only GET, HEAD and OPTIONS of a foreign page are answered, in no other letter case", async () => {
  await using subject = await running({ onHTTPRequest: () => ({ statusCode: 200 }) });
  const ask = async (method: string) => {
    const headers = [`Host: ${HOST}`, "Origin: http://evil.example", "Content-Length: 0"];
    return Number((await rawRequest(subject.port, `${method} /`, headers)).slice(9, 12));
  };
  await printed("warn", async () => {
    for (const method of ["GET", "HEAD", "OPTIONS"]) assertEquals(await ask(method), 200, method);
    for (const method of ["POST", "PUT", "PATCH", "patch", "DELETE", "get", "TRACE", "PROPFIND", "MADE-UP"]) {
      assertEquals(await ask(method), 403, method);
    }
  });
});

Deno.test("origins: a refusal names the value that would admit the page, beside those that are admitted", async () => {
  await using subject = await running({}, { origins: ["same", "http://one.example"] });
  const refuse = (origin: string) =>
    rawRequest(subject.port, "POST /", [`Host: ${HOST}`, `Origin: ${origin}`, "Content-Length: 0"]);
  const lines = await printed("warn", async () => {
    assertMatch(
      await refuse("http://two.example"),
      /to admit it, set parameter "origins" to \["same","http:\/\/one\.example","http:\/\/two\.example"\]/,
    );
    assertMatch(await refuse("null"), /it is a file or a sandboxed frame; let this server serve it/);
  });
  assertEquals(lines.length, 2);
});
