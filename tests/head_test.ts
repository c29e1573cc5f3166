/** HEAD over HTTP/1.1 and HTTP/2: the head of the answer to GET, and no body. */

import { assert, assertEquals } from "@std/assert";
import { deferred, printed, raw, running, type Subject } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { output } from "./support/program.ts";

const bytes = new TextEncoder().encode("hello");
const LARGE = 200_000;
let cancelled = 0;

function source(): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull: (controller) => sent++ < 3 ? controller.enqueue(bytes) : controller.close(),
    cancel: () => void cancelled++,
  }, { highWaterMark: 0 });
}

/** Answers, with the status, and whether the length may be absent from that to HEAD though GET has one. */
const ANSWERS: Record<string, [answer: () => unknown, status?: number]> = {
  "no data": [() => ({ statusCode: 200 })],
  "an empty string": [() => ({ statusCode: 200, data: "" })],
  "a string": [() => ({ statusCode: 200, data: "grüß" })],
  "a page": [() => ({ statusCode: 404, data: "<h1>Not here</h1>" }), 404],
  "a large string": [() => ({ statusCode: 200, data: "ü".repeat(LARGE) })],
  "bytes": [() => ({ statusCode: 200, data: bytes })],
  "large bytes": [() => ({ statusCode: 200, data: new Uint8Array(LARGE) })],
  "an ArrayBuffer": [() => ({ statusCode: 200, data: bytes.slice().buffer })],
  "a view": [() => ({ statusCode: 200, data: new DataView(new ArrayBuffer(7), 2) })],
  "a Blob": [() => ({ statusCode: 200, data: new Blob([bytes], { type: "text/a" }) })],
  "a large Blob": [() => ({ statusCode: 200, data: new Blob([new Uint8Array(LARGE)]) })],
  "an object": [() => ({ statusCode: 200, data: { a: "ü" } })],
  "a list": [() => ({ statusCode: 200, data: [1, 2, 3] })],
  "a stream": [() => ({ statusCode: 200, data: source() })],
  "a stream with a length": [() => ({ statusCode: 200, data: source(), "Content-Length": 15 })],
  "an event stream": [() => ({ statusCode: 200, data: source(), "Content-Type": "text/event-stream" })],
  "a wrong length": [() => ({ statusCode: 200, data: "hello", "Content-Length": 17 })],
  "a redirect": [() => ({ statusCode: 302, data: "elsewhere", Location: "/größe" }), 302],
  "204 with data": [() => ({ statusCode: 204, data: "none" }), 204],
  "304 with data": [() => ({ statusCode: 304, data: "none" }), 304],
  "a Response": [() => new Response("hello")],
  "a Response without a body": [() => new Response(null)],
  "a Response of bytes": [() => new Response(bytes, { status: 201 }), 201],
  "a large Response": [() => new Response("x".repeat(LARGE))],
  "a Response of a Blob": [() => new Response(new Blob([bytes]))],
  "a Response of a form": [() => new Response(new URLSearchParams("a=b"))],
  "a Response of JSON": [() => Response.json({ a: 1 })],
  "a Response of a stream": [() => new Response(source())],
  "a Response of a stream with a length": [() => new Response(source(), { headers: { "content-length": "15" } })],
  "a Response with a wrong length": [() => new Response("hello", { headers: { "content-length": "17" } })],
  "a large Response with a wrong length": [
    () => new Response("x".repeat(LARGE), { headers: { "Content-Length": "1" } }),
  ],
  "a Response without a body but with a length": [() => new Response(null, { headers: { "content-length": "15" } })],
  "a Response with 204": [() => new Response(null, { status: 204 }), 204],
  "a redirecting Response": [() => Response.redirect("http://x.example/"), 302],
  "nothing": [() => undefined, 404],
  "what throws": [() => {
    throw new Error("thrown");
  }, 500],
  "what rejects": [() => Promise.reject(new Error("rejected")), 500],
  "what cannot be sent": [() => ({ statusCode: 200, data: source(), "X-A": "\x01" }), 500],
  "what never settles": [() => new Promise(() => {}), 503],
};

function subject(): Promise<Subject> {
  return running({
    onHTTPRequest: (_webServer, request) =>
      request.uri === "/fine"
        ? new Response("fine")
        : ANSWERS[decodeURIComponent(request.uri.slice(1))]![0]() as Response,
  }, { requestTimeout: 0.2 });
}

/** Runs curl; its exit code, the status, the headers by name, and the size of the body. */
async function curl(url: string, ...args: string[]) {
  const { code, stdout } = await output("curl", [
    ...["--silent", "--max-time", "20", "--output", "/dev/null", "--dump-header", "-"],
    ...["--write-out", "%{size_download}", ...args, url],
  ]);
  const [head, size] = stdout.split("\r\n\r\n");
  const [line, ...lines] = head!.split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => /^(.*?): (.*)$/.exec(line.replace(/^[^:]*/, (name) => name.toLowerCase()))!.slice(1)),
  );
  delete headers.date;
  return { code, status: Number(line!.split(" ")[1]), headers, size };
}

for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
  testWith(["curl"], `HEAD has the status and headers of GET, and ends well: curl ${version}`, async () => {
    await using server = await subject();
    await printed("warn", async () => {
      for (const [what, [, status = 200]] of Object.entries(ANSWERS)) {
        const url = server.url + encodeURIComponent(what);
        const [get, head] = await Promise.all([curl(url, version), curl(url, version, "--head")]);
        assertEquals([get.code, get.status, head.code, head.status], [0, status, 0, status], what);
        const { "content-length": length, ...others } = head.headers;
        const { "content-length": expected, "transfer-encoding": _, ...same } = get.headers;
        delete others["transfer-encoding"];
        assertEquals(others, same, what);
        if (what === "a Response without a body but with a length") {
          // A callback may set the length that GET would have.
          assertEquals([length, get.size], ["15", "0"]);
          continue;
        }
        // The bytes of the answer to GET, or nothing.
        assert(length === undefined || length === (expected ?? get.size), `${what}: ${length}`);
        // That of a dictionary is known.
        if (!/Response|nothing|what|stream$|20|30/.test(what)) assertEquals(length, get.size, what);
      }
    });
    assertEquals(new Set(server.errors.map(({ name }) => name)), new Set(["onHTTPRequest"]));
  });
}

Deno.test("the answer to HEAD over HTTP/1.1 has no body, and the connection can be used again", async () => {
  await using server = await subject();
  await printed("warn", async () => {
    for (const [what, [, status = 200]] of Object.entries(ANSWERS)) {
      cancelled = 0;
      const answer = await raw(
        server.port,
        `HEAD /${encodeURIComponent(what)} HTTP/1.1\nHost: x\n\nGET /fine HTTP/1.1\nHost: x\nConnection: close\n\n`,
      );
      const [head, next, body, ...more] = answer.split("\r\n\r\n");
      assertEquals(head!.slice(0, 12), `HTTP/1.1 ${status}`, what);
      assertEquals([next!.slice(0, 12), body, more], ["HTTP/1.1 200", "fine", []], what);
      // A stream that is not sent is let go, once.
      assertEquals(cancelled, /stream|cannot/.test(what) ? 1 : 0, what);
    }
  });
});

testWith(
  ["curl"],
  "a HEAD that is refused before a callback ends well over HTTP/2, as it does over HTTP/1.1",
  async () => {
    const gate = deferred();
    await using server = await running({
      async onHTTPRequest() {
        await gate.promise;
        return new Response("late");
      },
    });
    // Over HTTP/2 Deno drops such a header.
    const handshake = await curl(server.url, "--http1.1", "--head", "--header", "Upgrade: websocket");
    assertEquals([handshake.code, handshake.status], [0, 405]);
    const waiting = fetch(server.url);
    while (server.server.info().total_cooks === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const stopped = server.server.stop();
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const { code, status } = await curl(server.url, version, "--head");
      assertEquals([code, status], [0, 503], version);
    }
    gate.resolve();
    assertEquals(await (await waiting).text(), "late");
    await stopped;
  },
);
