/** The code and figures in SECURITY.md, tested unchanged. */

import { pathToFileURL } from "node:url";
import { assertEquals } from "@std/assert";
import type { WebServer } from "../mod.ts";
import { rawRequest } from "./helpers.ts";
import { handshake } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";

const page = await Deno.readTextFile(new URL("../SECURITY.md", import.meta.url));

/** The status of the answer to a WebSocket handshake by a page of the very host that is asked. */
async function opening(port: number, host: string): Promise<number> {
  const headers = [...handshake("Host", `${host}:${port}`), `Origin: http://${host}:${port}`];
  using client = await RawWebSocket.open(port, headers);
  return Number((await client.head()).split(" ")[1]);
}

Deno.test("the look at the name in SECURITY.md admits the panel's own names only, for pages and WebSockets", async () => {
  const shown = /```ts\n([^]*?)```/.exec(page)![1]!;
  const module = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(module, `${shown}\nexport { server };\n`);
  const { server } = await import(pathToFileURL(module).href) as { server: WebServer };
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  try {
    const { port } = server.address!;
    const status = async (host: string) => Number((await rawRequest(port, "GET /", [`Host: ${host}`])).split(" ")[1]);
    for (const host of [`panel.local:${port}`, "PANEL.local", `192.168.0.7:${port}`, "localhost"]) {
      assertEquals(await status(host), 200, host);
    }
    for (const host of [`evil.example:${port}`, "evil.panel.local", "127.0.0.1", "panel.local.evil.example"]) {
      assertEquals(await status(host), 421, host);
    }
    // To `origins` both are a page of the same origin.
    assertEquals(await opening(port, "panel.local"), 101);
    assertEquals(await opening(port, "evil.example"), 421);
  } finally {
    await server.stop();
    await Deno.remove(module);
  }
});

Deno.test("the times and numbers in SECURITY.md are those of the proxy's configuration", async () => {
  const config = await Deno.readTextFile(new URL("../examples/proxy/haproxy.cfg", import.meta.url));
  const stated = (client: string) => new RegExp(`^\\| ${client}.*\\|(.*)\\|$`, "m").exec(page)![1]!.match(/\d+/g)!;
  const value = (pattern: RegExp) => pattern.exec(config)![1]!;
  assertEquals(stated("sends its request head slowly"), [value(/timeout http-request (\d+)s/)]);
  assertEquals(stated("stops in the middle of its TLS"), [value(/timeout client (\d+)s/)]);
  assertEquals(stated("stays connected"), [value(/timeout http-keep-alive (\d+)s/)]);
  assertEquals(stated("reads nothing of its answer"), [value(/timeout client (\d+)s/)]);
  assertEquals(stated("reads nothing of its WebSocket"), [value(/timeout tunnel (\d+)s/)]);
  assertEquals(stated("opens many"), [
    value(/conn_cur gt (\d+)/),
    value(/conn_rate gt (\d+)/),
    value(/conn_rate\((\d+)s\)/),
  ]);
  assertEquals(stated("sends endless requests"), [value(/req_rate gt (\d+)/), value(/req_rate\((\d+)s\)/), "429"]);
});
