/** The Hono app of examples/hono.ts, behind the server's limits. */

import { assertEquals } from "@std/assert";
import { example } from "../support/example.ts";
import { Inbox } from "./inbox.ts";

const FILE = "examples/hono.ts";

/** Status and text of a response. */
async function ask(url: string, init: RequestInit = {}): Promise<[number, string]> {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
}

Deno.test("hono.ts answers by the routes of the app", async () => {
  await using hono = await example(FILE);
  assertEquals(await ask(hono.url), [200, '{"lights":"/lights"}']);
  assertEquals(await ask(`${hono.url}lights`), [200, '{"stage":0,"foyer":0.3}']);
  assertEquals(await ask(`${hono.url}lights/stage`, { method: "PUT", body: "0.5" }), [200, '{"stage":0.5}']);
  assertEquals(await ask(`${hono.url}lights`), [200, '{"stage":0.5,"foyer":0.3}']);
  assertEquals((await ask(`${hono.url}nowhere`))[0], 404);
});

Deno.test("hono.ts sends every change to every WebSocket", async () => {
  await using hono = await example(FILE);
  await using one = await Inbox.open(hono.url);
  await using other = await Inbox.open(`${hono.url}any/path`);
  await ask(`${hono.url}lights/foyer`, { method: "PUT", body: "1" });
  for (const inbox of [one, other]) assertEquals(await inbox.json(), { foyer: 1 });
});

Deno.test("hono.ts refuses a level that is not a number from 0 to 1, and an unknown light", async () => {
  await using hono = await example(FILE);
  for (const body of ["", " ", "2", "-0.1", "loud", "NaN"]) {
    assertEquals(await ask(`${hono.url}lights/stage`, { method: "PUT", body }), [
      400,
      '{"error":"Send a number from 0 to 1"}',
    ]);
  }
  assertEquals((await ask(`${hono.url}lights/attic`, { method: "PUT", body: "1" }))[0], 404);
});

Deno.test("hono.ts answers 413 to a body above maxBodySize, whether its size is announced or not", async () => {
  await using hono = await example(FILE);
  const text = "0".repeat(1025);
  const streamed = () => ReadableStream.from([text]).pipeThrough(new TextEncoderStream());
  for (const body of [text, streamed()]) {
    assertEquals((await ask(`${hono.url}lights/stage`, { method: "PUT", body }))[0], 413);
  }
  assertEquals(await ask(`${hono.url}lights`), [200, '{"stage":0,"foyer":0.3}']);
});
