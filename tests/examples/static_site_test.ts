/** The folder of examples/static_site, requested by browsers, players and attackers. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { server } from "../../examples/static_site/main.ts";
import { raw, rawRequest } from "../helpers.ts";
import { example } from "../support/example.ts";
import { LINUX, testWith } from "../programs.ts";

const FILE = "examples/static_site/main.ts";
const site = new URL("../../examples/static_site/site/", import.meta.url);
const style = await Deno.readTextFile(new URL("style.css", site));

Deno.test("examples/static_site serves files with their types, and index.html for a folder", async () => {
  await using files = await example(FILE);
  const seen = async (path: string) => {
    const answer = await fetch(files.url + path);
    return [answer.status, answer.headers.get("content-type"), await answer.text()];
  };
  const text = (path: string) => Deno.readTextFile(new URL(path, site));
  assertEquals(await seen(""), [200, "text/html; charset=utf-8", await text("index.html")]);
  assertEquals(await seen("about/"), [200, "text/html; charset=utf-8", await text("about/index.html")]);
  assertEquals(await seen("style.css?v=1"), [200, "text/css; charset=utf-8", style]);
  assertEquals(await seen("lamp.svg"), [200, "image/svg+xml", await text("lamp.svg")]);
  assertEquals((await seen("nothing.html"))[0], 404);
});

Deno.test("examples/static_site answers 304 to a browser that has the current file", async () => {
  await using files = await example(FILE);
  const first = await fetch(`${files.url}style.css`);
  await first.text();
  const etag = first.headers.get("etag")!;
  assertEquals(first.headers.get("cache-control"), "no-cache");
  const second = await fetch(`${files.url}style.css`, { headers: { "If-None-Match": etag } });
  assertEquals([second.status, second.headers.get("etag"), await second.text()], [304, etag, ""]);
  const other = await fetch(`${files.url}style.css`, { headers: { "If-None-Match": '"other"' } });
  assertEquals([other.status, await other.text()], [200, style]);
});

Deno.test("examples/static_site sends parts of a file, as video players request them", async () => {
  await using files = await example(FILE);
  const part = async (range: string, more: Record<string, string> = {}) => {
    const answer = await fetch(`${files.url}style.css`, { headers: { Range: range, ...more } });
    return [answer.status, answer.headers.get("content-range"), await answer.text()];
  };
  const size = style.length;
  assertEquals(await part("bytes=0-4"), [206, `bytes 0-4/${size}`, style.slice(0, 5)]);
  assertEquals(await part("bytes=10-"), [206, `bytes 10-${size - 1}/${size}`, style.slice(10)]);
  assertEquals(await part("bytes=-3"), [206, `bytes ${size - 3}-${size - 1}/${size}`, style.slice(-3)]);
  assertEquals((await part(`bytes=${size}-`)).slice(0, 2), [416, `bytes */${size}`]);
  // A part of a changed file would not fit the parts that the player has.
  assertEquals(await part("bytes=0-4", { "If-Range": '"other"' }), [200, null, style]);
});

Deno.test("examples/static_site ignores a Range header that is too long", async () => {
  await using files = await example(FILE);
  // The worst case for the package, which reads all digits again for each comma.
  const range = `bytes=${"1".repeat(30_000)}${",".repeat(30_000)}`;
  const answer = await fetch(`${files.url}style.css`, { headers: { Range: range } });
  assertEquals([answer.status, await answer.text()], [200, style]);
});

Deno.test("examples/static_site answers HEAD with the size and no body, and refuses other methods", async () => {
  await using files = await example(FILE);
  const head = await rawRequest(files.port, "HEAD /style.css");
  assertMatch(head, new RegExp(`^HTTP/1\\.1 200 OK\r\n[^]*content-length: ${style.length}\r\n[^]*\r\n\r\n$`, "i"));
  const put = await rawRequest(files.port, "PUT /style.css", ["Host: localhost", "Content-Length: 0"]);
  assertMatch(put, /^HTTP\/1\.1 405 [^]*\r\nallow: GET, HEAD\r\n/i);
});

Deno.test("examples/static_site redirects a folder to its path with a slash, and never to another host", async () => {
  await using files = await example(FILE);
  const location = async (path: string) =>
    /\r\nlocation: ([^\r]*)/i.exec(await rawRequest(files.port, `GET ${path}`))?.[1];
  assertEquals(await location("/about"), "/about/");
  assertEquals(await location("/%61bout"), "/%61bout/");
  assertEquals(await location("//about"), "/about/");
  assertEquals(await location("//evil.example/%2e%2e/about"), "/evil.example/%2e%2e/about/");
});

Deno.test("examples/static_site serves nothing outside of its folder", async () => {
  await using files = await example(FILE);
  const attacks = [
    "/../main.ts",
    "/../../../deno.json",
    "/..%2fmain.ts",
    "/%2e%2e/main.ts",
    "/%2e%2e%2fmain.ts",
    "/about/../../main.ts",
    "/about/%2e%2e/%2e%2e/main.ts",
    "/..\\main.ts",
    "/..%5cmain.ts",
    "/%252e%252e/main.ts",
    "/%c0%ae%c0%ae/main.ts",
    "//etc/passwd",
    "/etc/passwd",
    "/..;/main.ts",
    "/....//main.ts",
    "/style.css%00.html",
    "/style.css/",
    "/style.css/../../main.ts",
    "/%ff",
    "/%",
    "/.hidden",
    `/${"a".repeat(5000)}`,
    `/${"../".repeat(1000)}etc/passwd`,
  ];
  await Deno.writeTextFile(new URL(".hidden", site), "WebServer root:");
  try {
    for (const path of attacks) {
      const answer = await rawRequest(files.port, `GET ${path}`);
      assertMatch(answer, /^HTTP\/1\.1 40[034] /, path);
      assert(!/WebServer|root:|imports/.test(answer), path);
    }
    const absolute = await raw(files.port, "GET file:///etc/passwd HTTP/1.1\nHost: localhost\nConnection: close\n\n");
    assertMatch(absolute, /^HTTP\/1\.1 4\d\d /);
  } finally {
    await Deno.remove(new URL(".hidden", site));
  }
});

/** How often this process has a file open, as Linux tells. */
function timesOpen(name: string): number {
  const links = Array.from(Deno.readDirSync("/proc/self/fd"), (descriptor) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${descriptor.name}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.endsWith(name)).length;
}

testWith([LINUX], "examples/static_site closes the file when a client leaves in the middle of it", async () => {
  const name = `${crypto.randomUUID()}.bin`;
  const path = new URL(name, site);
  await Deno.writeFile(path, new Uint8Array(32 * 1024 * 1024));
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  try {
    const visits = await Promise.all(Array.from({ length: 5 }, async () => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.address!.port });
      await connection.write(new TextEncoder().encode(`GET /${name} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
      // The file is open once some of it has come: the head is shorter than this.
      for (let size = 0; size < 4000;) size += (await connection.read(new Uint8Array(4000)))!;
      return connection;
    }));
    // There may be more, since a read in progress has a separate descriptor.
    assert(timesOpen(name) >= 5);
    for (const connection of visits) connection.close();
    while (timesOpen(name) > 0) await (await fetch(`${server.address!.url}style.css`)).text();
  } finally {
    await server.stop();
    await Deno.remove(path);
  }
});
