/** Limits of request bodies and of time, tested by going over them. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { answerTo, deferred, looking, printed, raw, running } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { output } from "./support/program.ts";

const MiB = 1 << 20;

/** Sends the head of a request, then body until the server ends the connection; returns how much was sent, and the answer. */
async function flood(
  port: number,
  headers: string[],
  chunk: Uint8Array,
  most: number,
): Promise<{ sent: number; answer: string }> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(["POST / HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n")));
  let sent = 0;
  const sending = (async () => {
    try {
      while (sent < most) sent += await connection.write(chunk);
    } catch {
      // The server has dropped the connection.
    }
  })();
  const answer = await new Response(connection.readable).text().catch(() => "");
  await sending;
  return { sent, answer };
}

/** One chunk of a chunked body. */
function chunkOf(size: number): Uint8Array {
  return new TextEncoder().encode(`${size.toString(16)}\r\n${"x".repeat(size)}\r\n`);
}

Deno.test("maxBodySize: a body announced larger gets 413 unread, one as large as the limit arrives", async () => {
  await using subject = await looking((request) => request.data.length, { maxBodySize: 1000 });
  const fits = await fetch(subject.url, { method: "POST", body: new Uint8Array(1000) });
  assertEquals(await fits.json(), 1000);
  const answer = await answerTo(subject.port, "POST / HTTP/1.1\nHost: x\nContent-Length: 1001\n\n");
  assertMatch(answer, /^HTTP\/1.1 413 [^]*\r\n413 Content Too Large: The body is larger than 1000 bytes\n$/);
  assertEquals(subject.server.info().total_cooks, 1);
});

Deno.test("maxBodySize: the connection of an endless upload is dropped, announced or chunked", async () => {
  await using subject = await looking((request) => request.data.length, { maxBodySize: 1000 });
  for (
    const [headers, chunk] of [
      [["Content-Length: 1000000000000"], new Uint8Array(65536)],
      [["Transfer-Encoding: chunked"], chunkOf(65536)],
    ] as const
  ) {
    const { sent } = await flood(subject.port, [...headers], chunk, 512 * MiB);
    assert(sent < 64 * MiB, `${sent} bytes were taken`);
  }
  assertEquals(subject.server.info().total_cooks, 0);
});

Deno.test("maxBodySize: a chunked body within the limit arrives whole, a larger one gets 413", async () => {
  await using subject = await looking((request) => request.data.length, { maxBodySize: 1000 });
  const send = (size: number) =>
    raw(
      subject.port,
      `POST / HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n${size.toString(16)}\n${
        "x".repeat(size)
      }\n0\n\n`,
    );
  assert((await send(1000)).endsWith("\r\n\r\n1000"));
  assertMatch(await send(1001), /^HTTP\/1.1 413 /);
});

Deno.test("maxBodyMemory: bodies held at once that would go over it get 503, and memory is given back", async () => {
  const gate = deferred();
  const held = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, request) {
      if (request.uri === "/hold") {
        held.resolve();
        await gate.promise;
      }
      return Response.json(request.data.length);
    },
  }, { maxBodyMemory: 1500 });
  const post = (uri: string, size: number) =>
    fetch(new URL(uri, subject.url), { method: "POST", body: new Uint8Array(size) });
  const first = post("/hold", 1000);
  await held.promise;
  const refused = await post("/", 501);
  assertEquals(refused.status, 503);
  await refused.body?.cancel().catch(() => {});
  assertEquals(await (await post("/", 500)).json(), 500);
  const chunked = await raw(
    subject.port,
    `POST / HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n${(501).toString(16)}\n${
      "x".repeat(501)
    }\n0\n\n`,
  );
  assertMatch(chunked, /^HTTP\/1.1 503 /);
  gate.resolve();
  assertEquals(await (await first).json(), 1000);
  for (let round = 0; round < 5; round++) assertEquals(await (await post("/", 1500)).json(), 1500);
});

Deno.test("maxBodyMemory: a body that a callback gives away, to a worker, is given back", async () => {
  await using subject = await running({
    onHTTPRequest(_webServer, { data }) {
      const { length } = structuredClone(data, { transfer: [data.buffer] });
      return Response.json(length);
    },
  }, { maxBodyMemory: 1000 });
  for (let round = 0; round < 3; round++) {
    const answer = await fetch(subject.url, { method: "POST", body: new Uint8Array(600) });
    assertEquals([answer.status, await answer.json()], [200, 600]);
  }
});

Deno.test("maxBodyMemory: the memory that an upload had announced is released when it breaks off", async () => {
  await using subject = await looking((request) => request.data.length, { maxBodyMemory: 1000 });
  for (let round = 0; round < 3; round++) {
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    await connection.write(
      new TextEncoder().encode("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + "x".repeat(500)),
    );
  }
  let answer;
  do {
    answer = await fetch(subject.url, { method: "POST", body: new Uint8Array(1000) });
    await answer.body?.cancel().catch(() => {});
  } while (answer.status === 503);
  assertEquals(answer.status, 200);
});

testWith(
  ["curl"],
  "50 parallel uploads of 100 MiB stay within maxBodyMemory, and the server answers in the meantime",
  async () => {
    await using subject = await looking((request) => request.data.length, {
      maxBodySize: 128 * MiB,
      maxBodyMemory: 200 * MiB,
      requestTimeout: 0,
    });
    const file = await Deno.makeTempFile();
    await Deno.truncate(file, 100 * MiB);
    const before = Deno.memoryUsage().rss;
    const uploads = Promise.all(Array.from({ length: 50 }, async (_, index) => {
      const coding = index % 2 === 0 ? "X-Coding: none" : "Transfer-Encoding: chunked";
      const args = [
        "--silent",
        // It would send its body unasked after one second.
        "--expect100-timeout",
        "600",
        "--output",
        "-",
        "--write-out",
        "\n%{http_code}",
        "--header",
        coding,
        "--upload-file",
        file,
      ];
      return (await output("curl", [...args, subject.url])).stdout.split("\n").at(-1);
    }));
    let done = false;
    uploads.finally(() => done = true);
    let peak = 0;
    while (!done) {
      assertEquals(await (await fetch(subject.url)).json(), 0);
      peak = Math.max(peak, Deno.memoryUsage().rss - before);
    }
    const statuses = new Set(await uploads);
    await Deno.remove(file);
    // 100 is what curl says where its connection was dropped behind "continue".
    statuses.delete("100");
    assertEquals(statuses, new Set(["200", "503"]));
    // The bodies, a second copy while they are joined, and Deno's buffers of each connection.
    assert(peak < 1000 * MiB, `${peak / MiB} MiB`);
  },
);

Deno.test("requestTimeout: a body that does not arrive in time gets 408, and its memory is given back", async () => {
  await using subject = await looking((request) => request.data.length, { requestTimeout: 0.2, maxBodyMemory: 1000 });
  for (const head of ["Content-Length: 1000", "Transfer-Encoding: chunked"]) {
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    const write = (text: string) => connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
    await write(`POST / HTTP/1.1\nHost: x\n${head}\n\n5\nhello\n`);
    const reader = connection.readable.pipeThrough(new TextDecoderStream()).getReader();
    let answer = "";
    while (!answer.endsWith("in time\n")) answer += (await reader.read()).value;
    assertMatch(answer, /^HTTP\/1.1 408 /);
    assertEquals(await (await fetch(subject.url, { method: "POST", body: new Uint8Array(1000) })).json(), 1000);
    await reader.cancel();
  }
  assertEquals(subject.server.info().total_cooks, 2);
});

Deno.test("requestTimeout: a callback that does not settle in time is answered 503 and reported; 0 waits", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, { uri }) =>
      uri === "/hang"
        ? new Promise<void>(() => {})
        : new Promise((resolve) => setTimeout(() => resolve(new Response("late")), 400)),
  }, { requestTimeout: 0.2 });
  const answer = await fetch(new URL("/hang", subject.url));
  assertEquals([answer.status, await answer.text()], [503, "503 Service Unavailable: It took too long\n"]);
  assertEquals(
    subject.errors[0]!.error.message,
    'onHTTPRequest did not finish within 0.2 s: see parameter "requestTimeout"',
  );
  await subject.server.set({ requestTimeout: 0 });
  assertEquals(await (await fetch(subject.url)).text(), "late");
  assertEquals(subject.errors.length, 1);
});

Deno.test("a callback that does not settle in time is printed in one line, without a stack", async () => {
  const lines = await printed("error", async () => {
    await using subject = await running(
      { onHTTPRequest: () => new Promise<void>(() => {}), onError: undefined! },
      { requestTimeout: 0.05 },
    );
    await (await fetch(subject.url)).text();
  });
  assertEquals(lines, [['webserver1: onHTTPRequest did not finish within 0.05 s: see parameter "requestTimeout"']]);
});

Deno.test('body: "stream" runs the callback at once, with the body to be read from raw.body, text() or json()', async () => {
  const started = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, request) {
      started.resolve();
      assertEquals(request.data.length, 0);
      if (request.uri === "/text") return Response.json(await request.text());
      if (request.uri === "/json") return Response.json(await request.json());
      let size = 0;
      for await (const chunk of request.raw.body!) size += chunk.length;
      return Response.json(size);
    },
  }, { body: "stream" });
  using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
  const send = (text: string) => connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
  await send("POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 10\n\n12345");
  await started.promise;
  await send("67890");
  assert((await new Response(connection.readable).text()).endsWith("\r\n\r\n10"));
  const post = async (uri: string, body: string) =>
    await (await fetch(new URL(uri, subject.url), { method: "POST", body })).json();
  assertEquals(await post("/text", "grüß"), "grüß");
  assertEquals(await post("/json", '{"a":1}'), { a: 1 });
  assertEquals(await (await fetch(subject.url, { method: "DELETE" })).json(), 0);
});

Deno.test('body: "stream" keeps maxBodySize: announced bodies get 413 at once, chunked ones fail when they go over it', async () => {
  await using subject = await running({
    onHTTPRequest: async (_webServer, request) => Response.json((await request.raw.bytes()).length),
  }, { body: "stream", maxBodySize: 1000 });
  assertMatch(await answerTo(subject.port, "POST / HTTP/1.1\nHost: x\nContent-Length: 1001\n\n"), /^HTTP\/1.1 413 /);
  const chunked = (size: number) =>
    raw(
      subject.port,
      `POST / HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n${size.toString(16)}\n${
        "x".repeat(size)
      }\n0\n\n`,
    );
  assert((await chunked(1000)).endsWith("1000"));
  assertMatch(await chunked(1001), /^HTTP\/1.1 413 /);
  const { sent } = await flood(subject.port, ["Transfer-Encoding: chunked"], chunkOf(65536), 512 * MiB);
  assert(sent < 64 * MiB, `${sent} bytes were taken`);
  assertEquals(subject.errors, []);
});

Deno.test("trustedProxies: X-Forwarded-For is believed of these alone, from the right, with the connection's port", async () => {
  await using subject = await looking((request) => request.clientAddress);
  const ask = async (forwarded: string) => {
    const answer = await raw(
      subject.port,
      `GET / HTTP/1.1\nHost: x\nConnection: close\nX-Forwarded-For: ${forwarded}\n\n`,
    );
    return JSON.parse(answer.split("\r\n\r\n")[1]!).replace(/\d+$/, "PORT");
  };
  assertEquals(await ask("203.0.113.7"), "127.0.0.1:PORT");
  await subject.server.set({ trustedProxies: ["127.0.0.1", "10.0.0.1", "2001:DB8::1"] });
  for (
    const [forwarded, expected] of [
      ["203.0.113.7", "203.0.113.7:PORT"],
      ["6.6.6.6, 203.0.113.7", "203.0.113.7:PORT"],
      ["6.6.6.6,203.0.113.7 ,10.0.0.1", "203.0.113.7:PORT"],
      ["203.0.113.7:1234", "203.0.113.7:PORT"],
      ["[2001:db8::7]:1234", "[2001:db8::7]:PORT"],
      ["2001:db8:0::7, 2001:0db8::1", "[2001:db8::7]:PORT"],
      ["::ffff:203.0.113.7", "203.0.113.7:PORT"],
      ["10.0.0.1", "10.0.0.1:PORT"],
      ["", "127.0.0.1:PORT"],
      ["203.0.113.7, <script>", "127.0.0.1:PORT"],
      ["unknown", "127.0.0.1:PORT"],
      ["203.0.113.999", "127.0.0.1:PORT"],
    ]
  ) assertEquals(await ask(forwarded!), expected, forwarded);
});

Deno.test("a limit of 0 means no limit of time, and no body at all for a size", async () => {
  await using subject = await looking((request) => request.clientAddress, { maxBodySize: 0, requestTimeout: 0 });
  assertStringIncludes(await (await fetch(subject.url)).json(), "127.0.0.1:");
  assertMatch(await answerTo(subject.port, "POST / HTTP/1.1\nHost: x\nContent-Length: 1\n\nx"), /^HTTP\/1.1 413 /);
  await assertRejects(() => subject.server.set({ maxBodySize: -1 }), RangeError, '"maxBodySize"');
});
