/** Parameter `compression`, as clients see it. */

import { assertEquals } from "@std/assert";
import type { Callbacks } from "../mod.ts";
import { raw, running } from "./helpers.ts";

const TEXT = "to the stage, and back again. ".repeat(200);

const callbacks: Callbacks = {
  onHTTPRequest(_webServer, { uri }, response) {
    response.statusCode = 200;
    response.data = TEXT;
    if (uri === "/varies") response["Vary"] = "Origin";
    if (uri === "/tagged") response["ETag"] = '"v1"';
    if (uri === "/encoded") response["Content-Encoding"] = "identity";
    if (uri === "/untouched") response["Cache-Control"] = "no-transform";
    if (uri === "/picture") response["Content-Type"] = "image/png";
    if (uri === "/json") response.data = { text: TEXT };
    if (uri === "/large") response.data = TEXT.repeat(50);
    if (uri === "/stream") {
      return new Response(new Blob([TEXT]).stream(), { headers: { "content-type": "text/plain" } });
    }
    return response;
  },
};

/** The head of an answer, in lines of lower case. */
async function head(port: number, path: string, ...headers: string[]): Promise<string[]> {
  const answer = await raw(
    port,
    ["GET " + path + " HTTP/1.1", "Host: x", "Connection: close", ...headers, "", ""].join("\n"),
  );
  return answer.slice(0, answer.indexOf("\r\n\r\n")).toLowerCase().split("\r\n");
}

const GZIP = "Accept-Encoding: gzip";

Deno.test("compression: what compresses well arrives compressed and whole", async () => {
  await using subject = await running(callbacks, { compression: true });
  for (const [path, length] of [["", 1], ["json", 1], ["large", 50], ["stream", 1]] as const) {
    const { port } = subject;
    assertEquals((await head(port, `/${path}`, GZIP)).includes("content-encoding: gzip"), true, path);
    const answer = await fetch(subject.url + path);
    const text = await answer.text();
    assertEquals(path === "json" ? JSON.parse(text).text : text, TEXT.repeat(length));
  }
});

Deno.test("compression: a compressed answer says what it depends on, and has a weak tag", async () => {
  await using subject = await running(callbacks, { compression: true });
  const lines = await head(subject.port, "/varies", GZIP);
  const vary = lines.filter((line) => line.startsWith("vary:")).flatMap((line) => line.slice(5).split(",")).map((
    item,
  ) => item.trim());
  assertEquals(vary.sort(), ["accept-encoding", "origin"]);
  assertEquals((await head(subject.port, "/tagged", GZIP)).includes('etag: w/"v1"'), true);
});

Deno.test("compression: what is encoded, may not be changed or would gain nothing is sent as it is", async () => {
  await using subject = await running(callbacks, { compression: true });
  for (const path of ["/encoded", "/untouched", "/picture"]) {
    const lines = await head(subject.port, path, GZIP);
    assertEquals(lines.includes(`content-length: ${TEXT.length}`), true, path);
  }
  for (const accepts of ["Accept-Encoding: identity", "Accept-Encoding: gzip;q=0", "X-Nothing: 1"]) {
    assertEquals((await head(subject.port, "/", accepts)).some((line) => line.startsWith("content-encoding")), false);
  }
});

Deno.test("compression: a part of an answer is sent as it is", async () => {
  await using subject = await running(callbacks, { compression: true });
  const lines = await head(subject.port, "/", GZIP, "Range: bytes=0-4999");
  assertEquals([lines[0], lines.includes("content-length: 5000")], ["http/1.1 206 partial content", true]);
});

Deno.test("compression: a download that began compressed is not continued by its date", async () => {
  const date = "Sun, 29 Nov 2026 12:00:00 GMT";
  const dated: Callbacks = {
    onHTTPRequest: (_webServer, _request, response) => ({
      ...response,
      statusCode: 200,
      data: TEXT,
      "Last-Modified": date,
    }),
  };
  for (const [compression, status] of [[true, "200 ok"], [false, "206 partial content"]] as const) {
    await using subject = await running(dated, { compression });
    const [first] = await head(subject.port, "/", GZIP, "Range: bytes=1-", `If-Range: ${date}`);
    assertEquals(first, `http/1.1 ${status}`);
  }
});

Deno.test("compression is off unless it is set, and set on a running server keeps its port", async () => {
  await using subject = await running(callbacks);
  const isCompressed = async () => (await head(subject.port, "/", GZIP)).includes("content-encoding: gzip");
  assertEquals(await isCompressed(), false);
  await subject.server.set({ compression: true });
  assertEquals([subject.server.address!.port, await isCompressed()], [subject.port, true]);
  await subject.server.set({ compression: false });
  assertEquals(await isCompressed(), false);
});
