/** Parts of answers (RFC 9110, section 14), as players of video ask for them. */

import { assert, assertEquals } from "@std/assert";
import type { Callbacks, ResponseData, ResponseDictionary } from "../mod.ts";
import { running, type Subject } from "./helpers.ts";
import { startSource } from "./program.ts";
import { LINUX, testWith } from "./programs.ts";
import { residentMemory } from "./support/usage.ts";

const DIGITS = "0123456789";
const TEXT = `${DIGITS}äöü€𝄞`;
/** Larger than a piece, and no two pieces alike. */
const LARGE = Uint8Array.from({ length: 300_000 }, (_, index) => index * 31 % 251);

/** A server that answers with data, or with what is made for the answer. */
function serving(data: ResponseData | (() => Response), headers: Record<string, string> = {}): Promise<Subject> {
  return running({
    onHTTPRequest(_webServer, _request, response) {
      if (typeof data === "function") return data();
      return { ...response, ...headers, statusCode: 200, data } as ResponseDictionary;
    },
  });
}

interface Got {
  readonly status: number;
  readonly range: string | null;
  readonly body: string;
}

async function get(subject: Subject, headers: Record<string, string>, method = "GET"): Promise<Got> {
  const answer = await fetch(subject.url, { method, headers });
  const bytes = await answer.bytes();
  assertEquals(answer.headers.get("content-length"), String(method === "HEAD" ? TEXT_BYTES.length : bytes.length));
  return { status: answer.status, range: answer.headers.get("content-range"), body: new TextDecoder().decode(bytes) };
}

const TEXT_BYTES = new TextEncoder().encode(TEXT);

const PARTS: Record<string, [range: string, first: number, last: number]> = {
  "the first two bytes, as an iPhone asks at first": ["bytes=0-1", 0, 1],
  "one byte": ["bytes=3-3", 3, 3],
  "from a byte to the end": ["bytes=4-", 4, 22],
  "the last bytes": ["bytes=-4", 19, 22],
  "more last bytes than there are": ["bytes=-99", 0, 22],
  "up to behind the end": ["bytes=20-999999999999999999999999", 20, 22],
  "all of it": ["bytes=0-", 0, 22],
  "the middle of a character": ["bytes=11-12", 11, 12],
  "the unit in other letters": ["Bytes=0-0", 0, 0],
};

for (const [what, [range, first, last]] of Object.entries(PARTS)) {
  Deno.test(`range: ${what} of a string, of bytes, of a Blob and of a Response`, async () => {
    const body = new TextDecoder().decode(TEXT_BYTES.subarray(first, last + 1));
    const kinds = [
      TEXT,
      TEXT_BYTES,
      TEXT_BYTES.buffer,
      new Blob([TEXT_BYTES]),
      () => new Response(TEXT),
      () => new Response(TEXT_BYTES),
    ];
    for (const data of kinds) {
      await using subject = await serving(data);
      assertEquals(await get(subject, { range }), { status: 206, range: `bytes ${first}-${last}/23`, body });
    }
  });
}

const IGNORED: Record<string, string> = {
  "several parts": "bytes=0-1,4-5",
  "another unit": "lines=0-1",
  "no bounds": "bytes=-",
  "bounds in the wrong order": "bytes=5-4",
  "no numbers": "bytes=a-b",
  "a sign": "bytes=+1-2",
  "nothing": "",
};

for (const [what, range] of Object.entries(IGNORED)) {
  Deno.test(`range: a header with ${what} is ignored, as the RFC allows`, async () => {
    await using subject = await serving(TEXT);
    assertEquals(await get(subject, { range }), { status: 200, range: null, body: TEXT });
  });
}

Deno.test("range: a part behind the end is answered 416, with the length", async () => {
  await using subject = await serving(TEXT);
  for (const range of ["bytes=23-", "bytes=99999999999999999999-", "bytes=-0"]) {
    const { status, range: got } = await get(subject, { range });
    assertEquals([status, got], [416, "bytes */23"]);
  }
});

Deno.test("range: an empty answer is sent whole", async () => {
  await using empty = await serving("");
  assertEquals((await get(empty, { range: "bytes=0-" })).status, 200);
});

Deno.test("range: headers of the answer, such as those for pages of other origins, go with 416 too", async () => {
  await using subject = await serving(TEXT, { "Access-Control-Allow-Origin": "*", "Content-Type": "video/mp4" });
  const answer = await fetch(subject.url, { headers: { range: "bytes=99-" } });
  assertEquals(await answer.text(), "416 Range Not Satisfiable\n");
  assertEquals(
    ["access-control-allow-origin", "content-type"].map((name) => answer.headers.get(name)),
    ["*", "text/plain; charset=utf-8"],
  );
});

Deno.test("range: the parts of a large text, cut anywhere, are the text", async () => {
  const text = "grün, €, 𝄞; ".repeat(30_000);
  const bytes = new TextEncoder().encode(text);
  await using subject = await serving(text);
  for (const [first, last] of [[0, 0], [65_535, 65_537], [100_001, 300_002], [bytes.length - 3, bytes.length - 1]]) {
    const answer = await fetch(subject.url, { headers: { range: `bytes=${first}-${last}` } });
    assertEquals(answer.headers.get("content-length"), String(last! - first! + 1));
    assertEquals(await answer.bytes(), bytes.slice(first, last! + 1));
  }
});

testWith([LINUX], "range: a part of a large text that nobody reads costs a piece, not the text", async () => {
  await using program = await startSource(`
    const data = "x".repeat(32 * 1024 * 1024);
    const callbacks = { onHTTPRequest: (_webServer, _request, response) => ({ ...response, statusCode: 200, data }) };
    const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks });
    await server.start();
    console.log(server.address.port);
  `);
  const before = residentMemory(program.pid);
  const clients = await Promise.all(Array.from({ length: 20 }, async () => {
    const connection = await Deno.connect({ port: program.port, hostname: "127.0.0.1" });
    await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=1-\r\n\r\n"));
    await connection.read(new Uint8Array(1000));
    return connection;
  }));
  const grown = residentMemory(program.pid) - before;
  for (const client of clients) client.close();
  // 20 copies would be 640 MiB.
  assert(grown < 320 * 1024 * 1024, `memory grew by ${Math.round(grown / 1024 / 1024)} MiB`);
});

Deno.test("range: the parts of a large answer, put together, are the answer", async () => {
  for (const data of [LARGE, new Blob([LARGE])]) {
    await using subject = await serving(data, { "Content-Type": "video/mp4" });
    const whole = await fetch(subject.url);
    assertEquals(whole.headers.get("accept-ranges"), "bytes");
    assertEquals(await whole.bytes(), LARGE);
    const parts: number[] = [];
    for (let at = 0; at < LARGE.length; at += 100_000) {
      const answer = await fetch(subject.url, { headers: { range: `bytes=${at}-${at + 99_999}` } });
      assertEquals([answer.status, answer.headers.get("content-type")], [206, "video/mp4"]);
      parts.push(...await answer.bytes());
    }
    assertEquals(Uint8Array.from(parts), LARGE);
  }
});

Deno.test("range: with If-Range, a part is sent of the same answer only", async () => {
  const date = "Sun, 29 Nov 2026 12:00:00 GMT";
  await using subject = await serving(TEXT, { ETag: '"v1"', "Last-Modified": date });
  const status = async (ifRange: string) => (await get(subject, { range: "bytes=0-1", "if-range": ifRange })).status;
  assertEquals(await Promise.all(['"v1"', date].map(status)), [206, 206]);
  assertEquals(
    await Promise.all(['"v2"', 'W/"v1"', "v1", "Sun, 29 Nov 2026 12:00:01 GMT", "yesterday"].map(status)),
    [200, 200, 200, 200, 200],
  );
  await using untagged = await serving(TEXT);
  assertEquals((await get(untagged, { range: "bytes=0-1", "if-range": '"v1"' })).status, 200);
});

Deno.test("range: HEAD and other methods get the whole answer", async () => {
  await using subject = await serving(TEXT);
  assertEquals((await get(subject, { range: "bytes=0-1" }, "HEAD")).status, 200);
  assertEquals((await get(subject, { range: "bytes=0-1" }, "POST")).body, TEXT);
});

Deno.test("range: other statuses, streams, and answers that say no are sent whole", async () => {
  const callbacks: Callbacks = {
    onHTTPRequest(_webServer, { uri }, response) {
      if (uri === "/404") return { ...response, data: TEXT };
      if (uri === "/none") return { ...response, statusCode: 200, data: TEXT, "Accept-Ranges": "none" };
      if (uri === "/own") return { ...response, statusCode: 206, data: "01", "Content-Range": "bytes 0-1/23" };
      return { ...response, statusCode: 200, data: new Blob([TEXT]).stream() };
    },
  };
  await using subject = await running(callbacks);
  for (const [path, expected] of [["404", 404], ["none", 200], ["own", 206], ["stream", 200]] as const) {
    const answer = await fetch(`${subject.url}${path}`, { headers: { range: "bytes=0-1" } });
    assertEquals([path, answer.status, await answer.text()], [path, expected, path === "own" ? "01" : TEXT]);
  }
});

Deno.test("range: headers of the answer, cookies among them, go with its part", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, _request, response) => ({
      ...response,
      statusCode: 200,
      data: TEXT,
      "Set-Cookie": ["a=1", "b=2"],
      "X-Name": "stage",
    }),
  });
  const answer = await fetch(subject.url, { headers: { range: "bytes=0-1" } });
  await answer.body?.cancel();
  assertEquals([answer.headers.getSetCookie(), answer.headers.get("x-name")], [["a=1", "b=2"], "stage"]);
});
