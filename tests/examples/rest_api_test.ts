/** The lights of examples/rest_api.ts, used like programs and web pages do. */

import { assertEquals, assertMatch } from "@std/assert";
import { rawRequest } from "../helpers.ts";
import { example } from "../support/example.ts";

/** Status and JSON of an answer. */
async function ask(url: string, init: RequestInit = {}): Promise<[number, unknown, Headers]> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  return [answer.status, text === "" ? undefined : JSON.parse(text), answer.headers];
}

const json = (value: unknown) => ({ body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });

Deno.test("examples/rest_api.ts lists, shows, adds, changes and deletes lights", async () => {
  await using api = await example("examples/rest_api.ts");
  const url = `${api.url}lights`;
  const stage = { id: "1", name: "Stage", level: 0 };
  const foyer = { id: "2", name: "Foyer", level: 0.3 };
  const door = { id: "3", name: "Door", level: 0.5 };

  const [status, list, headers] = await ask(url);
  assertEquals([status, list, headers.get("content-type")], [200, [stage, foyer], "application/json"]);

  const added = await ask(url, { method: "POST", ...json({ name: "Door", level: 0.5 }) });
  assertEquals([added[0], added[1], added[2].get("location")], [201, door, "/lights/3"]);
  assertEquals((await ask(`${url}/3`)).slice(0, 2), [200, door]);

  const changed = await ask(`${url}/1`, { method: "PUT", ...json({ name: "Stage", level: 1 }) });
  assertEquals(changed.slice(0, 2), [200, { ...stage, level: 1 }]);
  assertEquals((await ask(`${url}/2`, { method: "DELETE" })).slice(0, 2), [204, undefined]);
  assertEquals((await ask(`${url}/2`))[0], 404);
  assertEquals((await ask(url)).slice(0, 2), [200, [{ ...stage, level: 1 }, door]]);
});

Deno.test("examples/rest_api.ts answers 400 with the reason if the body is not valid JSON or not a light", async () => {
  await using api = await example("examples/rest_api.ts");
  const url = `${api.url}lights`;
  const post = async (body: string | Uint8Array<ArrayBuffer>) => (await ask(url, { method: "POST", body })).slice(0, 2);
  const noJSON = [400, { error: "The body is not valid JSON" }];
  assertEquals(await post("{ level: 1 }"), noJSON);
  assertEquals(await post(""), noJSON);
  assertEquals(await post(new Uint8Array([0xff, 0xfe, 0])), noJSON);
  for (const body of ["null", "[]", "3", '{"name":""}', '{"name":1,"level":1}']) {
    assertEquals(await post(body), [400, { error: '"name" must be a string and not empty' }]);
  }
  for (const level of ["2", "-0.1", '"1"', "null", "[1]", "1e999"]) {
    assertEquals(await post(`{"name":"Door","level":${level}}`), [400, {
      error: '"level" must be a number from 0 to 1',
    }]);
  }
  assertEquals((await ask(url))[1], [{ id: "1", name: "Stage", level: 0 }, { id: "2", name: "Foyer", level: 0.3 }]);
});

Deno.test("examples/rest_api.ts answers 400 to a name with more than 100 characters", async () => {
  await using api = await example("examples/rest_api.ts");
  const put = async (name: string) => {
    return (await ask(`${api.url}lights/1`, { method: "PUT", ...json({ name, level: 1 }) })).slice(0, 2);
  };
  assertEquals(await put("x".repeat(101)), [400, { error: '"name" must have 100 characters or fewer' }]);
  assertEquals(await put("x".repeat(100)), [200, { id: "1", name: "x".repeat(100), level: 1 }]);
});

Deno.test("examples/rest_api.ts answers 413 to a body above 4 KiB", async () => {
  await using api = await example("examples/rest_api.ts");
  const body = `{ "name": "Door", "level": 0${" ".repeat(4 * 1024)}}`;
  const answer = await fetch(`${api.url}lights`, { method: "POST", body });
  await answer.body?.cancel();
  assertEquals(answer.status, 413);
});

Deno.test("examples/rest_api.ts stores 100 lights, even if more are added at once, and another one when one is deleted", async () => {
  await using api = await example("examples/rest_api.ts");
  const url = `${api.url}lights`;
  const add = () => ask(url, { method: "POST", ...json({ name: "Door", level: 0 }) });
  // There are two at the start.
  const answers = await Promise.all(Array.from({ length: 110 }, add));
  const refused = answers.filter(([status]) => status !== 201);
  assertEquals(refused.length, 12);
  for (const [status, body] of refused) {
    assertEquals([status, body], [503, { error: "There are already 100 lights. Delete one first" }]);
  }
  assertEquals(((await ask(url))[1] as unknown[]).length, 100);
  assertEquals((await ask(`${url}/1`, { method: "DELETE" }))[0], 204);
  assertEquals((await add())[0], 201);
  assertEquals((await add())[0], 503);
});

Deno.test("examples/rest_api.ts answers / with the path of the lights", async () => {
  await using api = await example("examples/rest_api.ts");
  assertEquals((await ask(api.url)).slice(0, 2), [200, { lights: "/lights" }]);
});

Deno.test("examples/rest_api.ts answers the preflights and requests of pages from other hosts", async () => {
  await using api = await example("examples/rest_api.ts");
  // With raw TCP, since `fetch` does not send the headers of a browser's page.
  const page = ["Host: localhost", "Origin: https://panel.example"];
  const preflight = await rawRequest(api.port, "OPTIONS /lights/1", [
    ...page,
    "Access-Control-Request-Method: PUT",
    "Access-Control-Request-Headers: content-type",
  ]);
  assertMatch(preflight, /^HTTP\/1\.1 204 /);
  assertMatch(preflight, /\r\naccess-control-allow-origin: \*\r\n/i);
  assertMatch(preflight, /\r\naccess-control-allow-methods: [^\r]*PUT/i);
  assertMatch(preflight, /\r\naccess-control-allow-headers: [^\r]*Content-Type/i);
  const deleted = await rawRequest(api.port, "DELETE /lights/1", page);
  assertMatch(deleted, /^HTTP\/1\.1 204 /);
  assertMatch(deleted, /\r\naccess-control-allow-origin: \*\r\n/i);
  // The page must be able to read errors, too.
  assertMatch(
    await rawRequest(api.port, "GET /lights/1", page),
    /^HTTP\/1\.1 404 [^]*access-control-allow-origin: \*/i,
  );
});

Deno.test("examples/rest_api.ts names the allowed methods when it refuses one", async () => {
  await using api = await example("examples/rest_api.ts");
  const refused = async (path: string, method: string) => {
    const [status, , headers] = await ask(api.url + path, { method });
    return [status, headers.get("allow")];
  };
  assertEquals(await refused("lights", "DELETE"), [405, "GET, HEAD, POST, OPTIONS"]);
  assertEquals(await refused("lights/1", "POST"), [405, "GET, HEAD, PUT, DELETE, OPTIONS"]);
  for (const path of ["light", "lights/", "lights/9", "lights/1/level", "lights/__proto__"]) {
    assertEquals((await ask(api.url + path))[0], 404);
  }
});
