/** Request bodies as hostile or slow clients send them. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bytesOf } from "../conformance/bytes.ts";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  HEADERS,
  literal,
  PREFACE,
  SETTINGS,
} from "../conformance/http2.ts";
import { answerTo, deferred, looking, raw, running } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { output } from "./support/program.ts";

const MiB = 1 << 20;
const encoder = new TextEncoder();

/** A request whose body is sent piece by piece. */
class Upload implements Disposable {
  private constructor(readonly connection: Deno.TcpConn) {}

  static async open(port: number, ...headers: string[]): Promise<Upload> {
    const upload = new Upload(await Deno.connect({ port, hostname: "127.0.0.1" }));
    await upload.write(["POST / HTTP/1.1", "Host: x", ...headers, "", ""].join("\r\n"));
    return upload;
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.connection.write(bytes.subarray(sent));
  }

  /** All that the server sends until it ends the connection. */
  async end(): Promise<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65536);
    let text = "";
    for (;;) {
      const read = await this.connection.read(buffer).catch(() => null);
      if (read === null) return text;
      text += decoder.decode(buffer.subarray(0, read), { stream: true });
    }
  }

  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // It is closed already.
    }
  }
}

async function post(url: string, body: BodyInit): Promise<[number, string]> {
  const answer = await fetch(url, { method: "POST", body });
  return [answer.status, await answer.text()];
}

/** Runs curl; what it printed, and its exit code. */
async function curl(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout } = await output("curl", ["--silent", "--max-time", "20", ...args]);
  return { code, text: stdout };
}

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`body: "${body}": a Content-Length that is sent twice with the same number is read as one`, async () => {
    await using subject = await looking((request) => request.text(), { body });
    const answer = await raw(
      subject.port,
      "POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 1\nContent-Length: 1\n\nx",
    );
    assert(answer.endsWith('"x"'), answer);
    for (let round = 0; round < 3; round++) assertEquals(await post(subject.url, "hello"), [200, '"hello"']);
  });

  testWith(
    ["curl"],
    `body: "${body}": an HTTP/2 request with different lengths is answered 400, and other requests are unaffected`,
    async () => {
      await using subject = await looking((request) => request.text(), { body, maxBodySize: 1000 });
      const send = (...headers: string[]) =>
        curl("--http2-prior-knowledge", ...headers.flatMap((header) => ["-H", header]), "-d", "x", subject.url);
      assertEquals((await send("Content-Length: 1", "content-length: 1")).text, '"x"');
      for (const other of ["2", "01", "1001", "99999999999999999999"]) {
        const { text } = await send("Content-Length: 1", `content-length: ${other}`);
        assertEquals(text, "400 Bad Request: The Content-Length header is not a single number\n");
      }
      assertEquals(await post(subject.url, "hello"), [200, '"hello"']);
      assertEquals((await post(subject.url, "x".repeat(1001)))[0], 413);
    },
  );

  Deno.test(`body: "${body}": connections that announce a body and send none or a little of it do not use up the memory of others`, async () => {
    await using subject = await looking((request) => request.text(), { body, maxBodyMemory: 16 * MiB });
    const uploads = await Promise.all(
      Array.from({ length: 16 }, () => Upload.open(subject.port, `Content-Length: ${16 * MiB}`)),
    );
    for (const upload of uploads.slice(8)) await upload.write("x".repeat(1000));
    // All of them have been seen once some later connections are answered.
    for (let count = 0; count < 5; count++) assertEquals((await post(subject.url, "x".repeat(MiB)))[0], 200);
    for (const upload of uploads) upload[Symbol.dispose]();
  });

  Deno.test(`body: "${body}": a body in chunks of one byte is refused, and other requests are answered in the meantime`, async () => {
    await using subject = await looking(async (request) => (await request.text()).length, { body });
    using upload = await Upload.open(subject.port, "Transfer-Encoding: chunked");
    const answer = upload.end();
    let done = false;
    const sending = upload.write("1\r\nx\r\n".repeat(150_000) + "0\r\n\r\n").catch(() => {});
    answer.then(() => done = true);
    let slowest = 0;
    while (!done) {
      const start = performance.now();
      assertEquals(await post(subject.url, "hello"), [200, "5"]);
      slowest = Math.max(slowest, performance.now() - start);
    }
    assertStringIncludes(await answer, "413 Content Too Large: The body arrives in chunks of less than 256 bytes");
    await sending;
    // Without the turns of the event loop it is as long as the whole attack, ten seconds and more.
    assert(slowest < 3_000, `${slowest} ms`);
  });

  Deno.test(`body: "${body}": a body in small chunks arrives whole, as long as there are not too many`, async () => {
    await using subject = await looking((request) => request.text(), { body });
    const text = "hello, ".repeat(140);
    using upload = await Upload.open(subject.port, "Transfer-Encoding: chunked", "Connection: close");
    const answer = upload.end();
    await upload.write([...text].map((letter) => `1\r\n${letter}\r\n`).join("") + "0\r\n\r\n");
    assert((await answer).endsWith(JSON.stringify(text)));
  });

  Deno.test(`body: "${body}": an upload that is slow but moves arrives, though it takes longer than requestTimeout`, async () => {
    await using subject = await looking((request) => request.text(), { body, requestTimeout: 1 });
    using upload = await Upload.open(subject.port, "Content-Length: 16384", "Connection: close");
    const answer = upload.end();
    const start = performance.now();
    for (let sent = 0; sent < 8; sent++) {
      await upload.write("x".repeat(2048));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert(performance.now() - start > 1_000);
    assert((await answer).endsWith(JSON.stringify("x".repeat(16384))));
    assertEquals(subject.errors, []);
  });

  Deno.test(`body: "${body}": an upload that drips is dropped, whether it is announced or chunked`, async () => {
    await using subject = await looking((request) => request.text(), { body, requestTimeout: 0.5 });
    for (const [head, drop] of [["Content-Length: 100000", "x"], ["Transfer-Encoding: chunked", "1\r\nx\r\n"]]) {
      using upload = await Upload.open(subject.port, head!);
      let ended = false;
      const answer = upload.end().finally(() => ended = true);
      while (!ended) {
        await upload.write(drop!).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertStringIncludes(await answer, "408 Request Timeout: The body arrives at less than 512 bytes a second");
    }
    assertEquals(subject.errors, []);
  });

  Deno.test(`body: "${body}": an upload that stops is answered 408, which its client can read whole`, async () => {
    await using subject = await looking((request) => request.text(), { body, requestTimeout: 0.3 });
    for (const head of ["Content-Length: 1000", "Transfer-Encoding: chunked"]) {
      const answer = await answerTo(subject.port, `POST / HTTP/1.1\nHost: x\n${head}\n\n5\nhello\n`);
      assertMatch(answer, /^HTTP\/1.1 408 [^]*\r\n\r\n408 Request Timeout: The body did not arrive in time\n$/);
    }
    assertEquals(subject.errors, []);
  });

  testWith(
    ["curl"],
    `body: "${body}": the 413 of a body that is too large can be read, over HTTP/1.1 and HTTP/2`,
    async () => {
      await using subject = await looking((request) => request.text(), { body, maxBodySize: MiB });
      const file = await Deno.makeTempFile();
      await Deno.truncate(file, 3 * MiB);
      for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
        const { code, text } = await curl(version, "--data-binary", `@${file}`, "-H", "Expect:", subject.url);
        assertEquals([code, text], [0, "413 Content Too Large: The body is larger than 1048576 bytes\n"], version);
      }
      // In chunks: the little that is too much is read on.
      await Deno.truncate(file, MiB + 1000);
      const { code, text } = await curl(
        "-T",
        file,
        "-X",
        "POST",
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Expect:",
        subject.url,
      );
      assertEquals([code, text], [0, "413 Content Too Large: The body is larger than 1048576 bytes\n"]);
      await Deno.remove(file);
    },
  );
}

Deno.test('body: "stream": the request is the same as with "buffer": any method, any URL, and a signal', async () => {
  const aborted = deferred();
  const waiting = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, request) {
      if (request.uri === "/wait") {
        request.raw.signal.addEventListener("abort", () => aborted.resolve());
        waiting.resolve();
        await aborted.promise;
      }
      return Response.json([request.method, request.raw.method, request.raw.url, await request.text()]);
    },
  }, { body: "stream", shutdownTimeout: 0.2 });
  for (const method of ["TRACE", "post", "PATCH", "PROPFIND"]) {
    const answer = await raw(
      subject.port,
      `${method} /a/../b HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n`,
    );
    assertStringIncludes(answer, JSON.stringify([method, method, "http://x/a/../b", "hi"]));
  }
  const connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
  await connection.write(encoder.encode("POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  await waiting.promise;
  connection.close();
  // Deno looks at the connection when the body is read; a stop ends it in any case.
  await subject.server.stop();
  await aborted.promise;
});

Deno.test('body: "stream": every way to read the body is within the limits, and a second one is refused', async () => {
  const log: unknown[] = [];
  await using subject = await running({
    async onHTTPRequest(_webServer, { uri, raw: request }) {
      switch (uri) {
        case "/bytes":
          return Response.json((await request.bytes()).length);
        case "/arrayBuffer":
          return Response.json((await request.arrayBuffer()).byteLength);
        case "/blob":
          return Response.json([(await request.blob()).size, (await request.blob()).type]);
        case "/twice":
          await request.body!.cancel();
          await request.text().catch((error: Error) => log.push(error.name));
          return Response.json(request.bodyUsed);
        default:
          return Response.json(await Promise.resolve().then(() => request.clone()).catch((error: Error) => error.name));
      }
    },
  }, { body: "stream", maxBodySize: 1000 });
  const send = async (uri: string, size: number) => {
    const chunk = "x".repeat(size);
    const answer = await raw(
      subject.port,
      `POST ${uri} HTTP/1.1\nHost: x\nConnection: close\nContent-Type: text/a\nTransfer-Encoding: chunked\n\n` +
        `${size.toString(16)}\n${chunk}\n0\n\n`,
    );
    return [Number(answer.slice(9, 12)), answer.split("\r\n\r\n")[1]];
  };
  for (const uri of ["/bytes", "/arrayBuffer"]) {
    assertEquals(await send(uri, 1000), [200, "1000"]);
    assertEquals((await send(uri, 1001))[0], 413);
  }
  assertEquals(await send("/blob", 1000), [200, '[1000,"text/a"]']);
  assertEquals((await send("/blob", 1001))[0], 413);
  assertEquals(await send("/twice", 10), [200, "true"]);
  assertEquals(log, ["TypeError"]);
  assertEquals(await send("/clone", 10), [200, '"TypeError"']);
});

for (const body of ["buffer", "stream"] as const) {
  Deno.test(`body: "${body}": the memory of a body that is read after the answer is released`, async () => {
    const late: Promise<unknown>[] = [];
    await using subject = await running({
      onHTTPRequest(_webServer, request) {
        late.push(request.json());
        return { statusCode: 202 };
      },
    }, { body, maxBodyMemory: 4 * MiB });
    const json = JSON.stringify({ text: "x".repeat(MiB) });
    for (let round = 0; round < 8; round++) {
      assertEquals((await post(subject.url, json))[0], 202);
      await Promise.allSettled(late);
    }
  });
}

Deno.test('body: "stream": a callback that took too long gets an error, and not the start of a body that ends well', async () => {
  const ended = deferred<unknown>();
  const refused = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, { raw: request }) {
      const reader = request.body!.getReader();
      await reader.read();
      await refused.promise;
      try {
        while (!(await reader.read()).done);
        ended.resolve("whole");
      } catch (error) {
        ended.resolve(error);
      }
    },
  }, { body: "stream", requestTimeout: 0.2 });
  const [status] = await post(subject.url, "x".repeat(3 * MiB));
  refused.resolve();
  assertEquals(status, 503);
  assertMatch(String(await ended.promise), /the rest of its body is not read/);
});

Deno.test('body: "stream": a body that is streamed back is cut at maxBodySize, and no callback error is counted', async () => {
  await using subject = await running(
    { onHTTPRequest: (_webServer, request) => new Response(request.raw.body) },
    { body: "stream", maxBodySize: 100_000 },
  );
  using upload = await Upload.open(subject.port, "Transfer-Encoding: chunked");
  const answer = upload.end();
  for (let sent = 0; sent < 20; sent++) {
    await upload.write(`2000\r\n${"x".repeat(8192)}\r\n`).catch(() => {});
  }
  await answer;
  assertEquals(subject.errors, []);
});

Deno.test('body: "stream": an HTTP/2 body that is announced as empty, but is not, is not counted as a callback error', async () => {
  let asked = deferred();
  await using subject = await running({
    async onHTTPRequest(_webServer, request) {
      asked.resolve();
      return Response.json((await request.raw.bytes()).length);
    },
  }, { body: "stream" });
  const fields: Field[] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "panel"],
    [":path", "/"],
    ["content-length", "0"],
  ];
  const block = fields.map((field) => literal(field)).join("");
  // With data, and without an end.
  for (const body of [frame(DATA, END_STREAM, 1, "hello"), ""]) {
    asked = deferred();
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    await connection.write(bytesOf(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, block)));
    await asked.promise;
    await connection.write(bytesOf(body));
    await connection.closeWrite();
    const buffer = new Uint8Array(1024);
    while (await connection.read(buffer).catch(() => null) !== null);
  }
  await subject.server.stop();
  assertEquals([subject.errors, subject.server.info().errors], [[], 0]);
});
