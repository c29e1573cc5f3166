/** Requests that no browser sends, over raw TCP: each is answered or dropped, and none hangs, crashes or deceives a callback. */

import { assertEquals } from "@std/assert";
import { running } from "./helpers.ts";

/** The request as a callback saw it: method, uri, pars, host, length of data. */
type Seen = [method: string, uri: string, pars: Record<string, string>, host: string | undefined, data: number];

/** The connection ends without an answer. */
const DROPPED = 0;

/** The answer: a status, and with 200 the request as the callback saw it. */
type Expected = number | Seen;

const head = (line: string, ...headers: string[]) => [line, "Connection: close", ...headers, "", ""].join("\n");
const get = (target: string, ...headers: string[]) => head(`GET ${target} HTTP/1.1`, "Host: panel", ...headers);
const post = (body: string, ...headers: string[]) => head("POST / HTTP/1.1", "Host: panel", ...headers) + body;
const seen = (uri: string, pars = {}, host: string | undefined = "panel"): Seen => ["GET", uri, pars, host, 0];

const TABLE: Record<string, [request: string, expected: Expected]> = {
  "Host with a path and a query": [head("GET /real HTTP/1.1", "Host: x/admin?"), 400],
  "Host with a fragment": [head("GET /real HTTP/1.1", "Host: x#"), 400],
  "Host with a user": [head("GET /real HTTP/1.1", "Host: user@x"), 400],
  "Host with a backslash": [head("GET /real HTTP/1.1", "Host: x\\admin"), 400],
  "Host with white space": [head("GET /real HTTP/1.1", "Host: x /admin"), 400],
  "Host with an invalid port": [head("GET /real HTTP/1.1", "Host: x:y"), 400],
  "Host with a port that is too large": [head("GET /real HTTP/1.1", "Host: x:65536"), 400],
  "an empty Host": [head("GET /real HTTP/1.1", "Host:"), ["GET", "/real", {}, "", 0]],
  "no Host": [head("GET /real HTTP/1.1"), ["GET", "/real", {}, undefined, 0]],
  "two Hosts": [head("GET /real HTTP/1.1", "Host: a", "Host: b"), 400],
  "an absolute target": [get("http://panel/x?y=1"), seen("/x", { y: "1" })],
  "an absolute target of another host": [get("http://other/x"), seen("/x")],
  "an absolute target of an invalid host": [get("http://a b/x"), 400],
  "an absolute target with a user": [get("http://user@panel/x"), 400],
  "both Content-Length and Transfer-Encoding": [post("0\n\n", "Content-Length: 3", "Transfer-Encoding: chunked"), 400],
  "two lengths that differ": [post("abc", "Content-Length: 3", "Content-Length: 4"), 400],
  "a negative length": [post("", "Content-Length: -1"), 400],
  "a length that is none": [post("", "Content-Length: 3x"), 400],
  "a length with a sign": [post("abc", "Content-Length: +3"), 400],
  "a length beyond all numbers": [post("", "Content-Length: 99999999999999999999999"), 400],
  "chunks with hexadecimal sizes": [post("A\n0123456789\n0\n\n", "Transfer-Encoding: chunked"), [
    "POST",
    "/",
    {},
    "panel",
    10,
  ]],
  "chunks with an extension": [post("3;a=b\nabc\n0\n\n", "Transfer-Encoding: chunked"), ["POST", "/", {}, "panel", 3]],
  "an invalid chunk size": [post("x\nabc\n0\n\n", "Transfer-Encoding: chunked"), DROPPED],
  "a negative chunk size": [post("-3\nabc\n0\n\n", "Transfer-Encoding: chunked"), DROPPED],
  "a chunk size beyond all numbers": [post("ffffffffffffffffff\nabc\n0\n\n", "Transfer-Encoding: chunked"), DROPPED],
  "a chunk longer than its size": [post("3\nabcdef\n0\n\n", "Transfer-Encoding: chunked"), DROPPED],
  "a transfer coding that is not undone": [post("3\nabc\n0\n\n", "Transfer-Encoding: gzip, chunked"), 501],
  "a folded header": [get("/", "X-A: 1", " 2"), 400],
  "a header without a colon": [get("/", "X-A"), 400],
  "a header with a space before the colon": [get("/", "X-A : 1"), 400],
  "a header of an empty name": [get("/", ": 1"), 400],
  "200 headers": [get("/", ...Array.from({ length: 200 }, (_, index) => `X-${index}: 1`)), 400],
  "1 MiB of header": [get("/", `X-A: ${"a".repeat(1 << 20)}`), 400],
  "a target of 1 MiB": [get(`/${"a".repeat(1 << 20)}`), 400],
  "a path that starts with two slashes": [get("//evil/x"), seen("//evil/x")],
  "a path with dots": [get("/a/../../etc/passwd"), seen("/a/../../etc/passwd")],
  "a path with dots escaped": [get("/%2e%2e/%2E%2E/x"), seen("/%2e%2e/%2E%2E/x")],
  "invalid escapes in path and query": [get("/%zz%?a=%zz&b=%&c=%41"), seen("/%zz%", { a: "%zz", b: "%", c: "A" })],
  "an escaped NUL in path and query": [get("/%00?a=%00"), seen("/%00", { a: "\0" })],
  "a query of many kinds": [
    get("/?&&=&a&b=&=c&a=1&__proto__=2&constructor=3"),
    seen("/", { "": "c", a: "1", b: "", ["__proto__"]: "2", constructor: "3" }),
  ],
  "a query alone": [get("?a=1"), 400],
  "HTTP/1.0": [head("GET /old HTTP/1.0"), ["GET", "/old", {}, undefined, 0]],
  "HTTP/3.0": [head("GET / HTTP/3.0", "Host: panel"), 400],
  "no version": ["GET /\n\n", 400],
  "a method that nobody knows": [head("BREW /pot HTTP/1.1", "Host: panel"), ["BREW", "/pot", {}, "panel", 0]],
  "a method in small letters": [head("get / HTTP/1.1", "Host: panel"), ["get", "/", {}, "panel", 0]],
  "a method that is not a token": [head("G(T / HTTP/1.1", "Host: panel"), 400],
  TRACE: [head("TRACE / HTTP/1.1", "Host: panel"), ["TRACE", "/", {}, "panel", 0]],
  CONNECT: [head("CONNECT panel:443 HTTP/1.1", "Host: panel:443"), ["CONNECT", "/", {}, "panel:443", 0]],
  "OPTIONS *": [head("OPTIONS * HTTP/1.1", "Host: panel"), ["OPTIONS", "/*", {}, "panel", 0]],
  "headers named like fields": [
    get(
      "/",
      "Method: POST",
      "Uri: /forged",
      "Pars: x",
      "Data: x",
      "ClientAddress: 6.6.6.6:6",
      "__proto__: x",
      "toString: x",
    ),
    seen("/"),
  ],
  "the greeting of TLS": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  "the preface of HTTP/2 with nothing behind it": ["PRI * HTTP/2.0\n\nSM\n\nGARBAGE THAT IS NO FRAME AT ALL", DROPPED],
  "nothing but line ends": ["\n\n\n\nGET / HTTP/1.1\nHost: panel\nConnection: close\n\n", seen("/")],
};

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Sends bytes, ends the sending side unless `open` says otherwise, and reads until the server ends the connection. */
async function send(port: number, text: string, { leave = true } = {}): Promise<string> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const bytes = bytesOf(text);
  const writing = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    if (leave) await connection.closeWrite();
  })().catch(() => {});
  let answer = "";
  const chunk = new Uint8Array(65536);
  for (;;) {
    const read = await connection.read(chunk).catch(() => null);
    if (read === null) break;
    answer += String.fromCharCode(...chunk.subarray(0, read));
  }
  await writing;
  return answer;
}

for (const [what, [request, expected]] of Object.entries(TABLE)) {
  Deno.test(`hostile request: ${what}`, async () => {
    const seenByCallback: Seen[] = [];
    await using subject = await running({
      onHTTPRequest(_webServer, request) {
        const { method, uri, pars, data } = request;
        const raw = new URL(request.raw.url).pathname;
        // If URL keeps the path unchanged, both agree.
        if (/^\/\w*$/.test(uri) && uri !== "/*") assertEquals(raw, uri);
        seenByCallback.push([method, uri, { ...pars }, request["Host"], data.length]);
        return new Response("seen");
      },
    });
    const answer = await send(subject.port, request.replaceAll("\n", "\r\n"));
    const status = Number(/^HTTP\/1\.[01] (\d+) /.exec(answer)?.[1] ?? DROPPED);
    if (typeof expected === "number") {
      assertEquals([status, seenByCallback], [expected, []]);
    } else {
      assertEquals(seenByCallback, [expected]);
      assertEquals(status, 200);
    }
    assertEquals(subject.errors, []);
    // It serves the next one.
    assertEquals(await (await fetch(subject.url)).text(), "seen");
  });
}

Deno.test("hostile request: lines that end in a bare LF are read as Deno reads them, and cannot forge a request", async () => {
  const uris: string[] = [];
  await using subject = await running({ onHTTPRequest: (_webServer, { uri }) => (uris.push(uri), new Response("x")) });
  await send(subject.port, "GET /a HTTP/1.1\nHost: panel\nConnection: close\n\n");
  assertEquals(uris.filter((uri) => uri !== "/a"), []);
});

Deno.test("hostile request: non-ASCII bytes in the target and in a header arrive unchanged, or not at all", async () => {
  const seen: unknown[] = [];
  await using subject = await running({
    onHTTPRequest: (_webServer, request) => (seen.push([request.uri, request["X-Name"]]), new Response("x")),
  });
  await send(subject.port, "GET / HTTP/1.1\r\nHost: panel\r\nX-Name: gr\xfc\xdf\r\nConnection: close\r\n\r\n");
  const answer = await send(subject.port, "GET /gr\xc3\xbc HTTP/1.1\r\nHost: panel\r\nConnection: close\r\n\r\n");
  assertEquals(seen[0], ["/", "gr\xfc\xdf"]);
  if (answer.startsWith("HTTP/1.1 200")) assertEquals(seen[1], ["/gr\xfc", undefined]);
  else assertEquals([answer.slice(9, 12), seen.length], ["400", 1]);
});

Deno.test("pipelined requests are answered in order, even if the first one takes longer", async () => {
  await using subject = await running({
    async onHTTPRequest(_webServer, { uri }) {
      if (uri === "/1") await new Promise((resolve) => setTimeout(resolve, 20));
      return new Response(`<${uri}>`);
    },
  });
  const answer = await send(
    subject.port,
    ["/1", "/2", "/3"].map((uri) =>
      `GET ${uri} HTTP/1.1\r\nHost: panel\r\n${uri === "/3" ? "Connection: close\r\n" : ""}\r\n`
    ).join(""),
    { leave: false },
  );
  assertEquals(answer.match(/<.*?>/g), ["</1>", "</2>", "</3>"]);
});

Deno.test("a request that follows a refused handshake with a body is answered", async () => {
  await using subject = await running({ onHTTPRequest: () => new Response("<next>") });
  const answer = await send(
    subject.port,
    `OPTIONS / HTTP/1.1\r\nHost: panel\r\nUpgrade: websocket\r\nContent-Length: 65536\r\n\r\n${
      "x".repeat(65536)
    }GET / HTTP/1.1\r\nHost: panel\r\nConnection: close\r\n\r\n`,
    { leave: false },
  );
  assertEquals([answer.slice(0, 12), answer.endsWith("<next>")], ["HTTP/1.1 405", true]);
});

Deno.test("Expect: 100-continue is continued, and the body arrives", async () => {
  await using subject = await running({
    onHTTPRequest: async (_webServer, request) => new Response(await request.text()),
  });
  const answer = await send(
    subject.port,
    "POST / HTTP/1.1\r\nHost: panel\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
  );
  assertEquals([answer.startsWith("HTTP/1.1 100 Continue"), answer.endsWith("\r\n\r\nhello")], [true, true]);
});
