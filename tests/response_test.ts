/** The `response` dictionary, and other answers that `onHTTPRequest` may return. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Callbacks, type HTTPAnswer, type ResponseDictionary, WebServer } from "../mod.ts";
import { http2Exchange } from "../conformance/exchange.ts";
import { type Field, http2Request } from "../conformance/http2.ts";
import { connect, deferred, disconnect, printed, rawRequest, running } from "./helpers.ts";

/** A server that answers with what `answer` returns for the response dictionary. */
function answering(answer: (response: ResponseDictionary, uri: string) => HTTPAnswer | Promise<HTTPAnswer>) {
  return running({ onHTTPRequest: (_webServer, request, response) => answer(response, request.uri) });
}

async function get(url: string, init?: RequestInit) {
  const answer = await fetch(url, init);
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text(), answer };
}

Deno.test("response starts as 404, Not Found, with no data", async () => {
  await using subject = await answering((response) => {
    assertEquals(response, { statusCode: 404, statusReason: "Not Found", data: "" });
    return response;
  });
  const { status, text } = await get(subject.url);
  assertEquals([status, text, subject.errors], [404, "", []]);
});

Deno.test("status, data and further keys go out, whatever statusReason says", async () => {
  await using subject = await answering((response) => {
    response.statusCode = 418;
    response.statusReason = "Short And Stout";
    response.data = "tea";
    response["X-Pot"] = "blue";
    response["x-cups"] = 3;
    response["X-Off"] = undefined;
    return response;
  });
  const { status, text, answer } = await get(subject.url);
  assertEquals([status, text, answer.headers.get("x-pot"), answer.headers.get("x-cups")], [418, "tea", "blue", "3"]);
  assert(!answer.headers.has("x-off"));
  assertMatch(await rawRequest(subject.port, "GET /"), /^HTTP\/1.1 418 I'm a teapot\r\n/);
});

Deno.test("a string without a Content-Type is HTML if it starts with <, else plain text", async () => {
  const data = ["<b>x</b>", "\n  <!doctype html>", "hello <script>", '{"a":1}', "ö"];
  await using subject = await answering((_response, uri) => ({ statusCode: 200, data: data[Number(uri.slice(1))]! }));
  const types = [];
  for (const index of data.keys()) types.push((await get(`${subject.url}${index}`)).type);
  const [html, plain] = ["text/html; charset=utf-8", "text/plain; charset=utf-8"];
  assertEquals(types, [html, html, plain, plain, plain]);
});

Deno.test("a custom Content-Type is kept, in any letter case", async () => {
  const keys = ["Content-Type", "content-type", "CONTENT-TYPE", "headers"];
  await using subject = await answering((response, uri) => {
    const key = uri.slice(1);
    response[key] = key === "headers" ? { "Content-type": "text/css" } : "text/css";
    response.data = "<b>";
    return response;
  });
  for (const key of keys) assertEquals((await get(`${subject.url}${key}`)).type, "text/css", key);
});

Deno.test("of two Content-Types the later is sent, and a list may have one", async () => {
  const answers: Record<string, Partial<ResponseDictionary>> = {
    "/cases": { "Content-Type": "a/a", "CONTENT-TYPE": "text/css" },
    "/headers": { "Content-Type": "a/a", headers: { "content-type": "text/css" } },
    "/behind": { headers: { "content-type": "a/a" }, "Content-Type": "text/css" },
    "/list": { "Content-Type": ["text/css"] },
  };
  await using subject = await answering((_response, uri) => ({ statusCode: 200, data: "x", ...answers[uri] }));
  for (const uri of Object.keys(answers)) assertEquals((await get(subject.url + uri.slice(1))).type, "text/css", uri);
});

Deno.test("bytes and streams without a Content-Type are sent without one, a Blob with its own", async () => {
  await using subject = await answering((response, uri) => {
    const blob = new Blob(["data"], { type: "image/x-test" });
    const data: Record<string, ResponseDictionary["data"]> = {
      "/bytes": new TextEncoder().encode("data"),
      "/buffer": new TextEncoder().encode("data").buffer,
      "/blob": blob,
      "/stream": blob.stream(),
    };
    response.statusCode = 200;
    response.data = data[uri]!;
    return response;
  });
  const seen = [];
  for (const uri of ["bytes", "buffer", "blob", "stream"]) {
    const { text, type } = await get(`${subject.url}${uri}`);
    seen.push([text, type]);
  }
  assertEquals(seen, [["data", null], ["data", null], ["data", "image/x-test"], ["data", null]]);
});

Deno.test("a list sends a header several times", async () => {
  await using subject = await answering((response) => {
    response.statusCode = 200;
    response["Set-Cookie"] = ["a=1; Path=/", "b=2"];
    response["X-One"] = ["1"];
    return response;
  });
  const { answer } = await get(subject.url);
  assertEquals([answer.headers.getSetCookie(), answer.headers.get("x-one")], [["a=1; Path=/", "b=2"], "1"]);
});

Deno.test("`headers` is merged, as a dictionary or as Headers; the later key wins", async () => {
  const cookies = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "2"]]);
  await using subject = await answering((response, uri) => {
    response.statusCode = 200;
    response["X-A"] = "1";
    response["X-B"] = "1";
    response.headers = uri === "/plain" ? { "x-a": "2", "Set-Cookie": ["a=1", "b=2"] } : cookies;
    response["x-b"] = "2";
    return response;
  });
  for (const uri of ["plain", "headers"]) {
    const { headers } = (await get(`${subject.url}${uri}`)).answer;
    assertEquals([headers.get("x-a"), headers.get("x-b"), headers.getSetCookie()], ["2", "2", ["a=1", "b=2"]]);
  }
});

Deno.test("another dictionary than the one passed in may be returned; its absent fields have their defaults", async () => {
  await using subject = await answering((_response, uri) =>
    uri === "/full" ? { statusCode: 201, data: "made", "X-A": "1" } : { data: "none" }
  );
  const full = await get(`${subject.url}full`);
  assertEquals([full.status, full.text, full.answer.headers.get("x-a")], [201, "made", "1"]);
  const partial = await get(subject.url);
  assertEquals([partial.status, partial.text], [404, "none"]);
});

Deno.test("a Fetch Response may be returned", async () => {
  await using subject = await answering(() => Response.json({ a: 1 }, { status: 202, headers: { "x-a": "1" } }));
  const { status, type, text, answer } = await get(subject.url);
  assertEquals([status, type, text, answer.headers.get("x-a")], [202, "application/json", '{"a":1}', "1"]);
});

Deno.test("async callbacks answer too, while others are served", async () => {
  const gate = deferred();
  await using subject = await answering(async (response, uri) => {
    if (uri === "/slow") await gate.promise;
    response.statusCode = 200;
    response.data = uri;
    return response;
  });
  const slow = get(`${subject.url}slow`);
  assertEquals((await get(`${subject.url}fast`)).text, "/fast");
  gate.resolve();
  assertEquals((await slow).text, "/slow");
});

Deno.test("nothing returned is 404 and a warning, which is printed once", async () => {
  await using subject = await answering(() => {});
  const lines = await printed("warn", async () => {
    assertEquals((await get(subject.url)).status, 404);
    assertEquals((await get(subject.url)).status, 404);
  });
  assertEquals(lines.length, 1);
  assertStringIncludes(String(lines[0]), "return response");
  const { warnings, errors } = subject.server.info();
  assertEquals([warnings, errors, subject.errors], [2, 0, []]);
});

Deno.test("without onHTTPRequest every request is 404, without a warning", async () => {
  await using subject = await running({});
  assertEquals((await get(subject.url)).status, 404);
  assertEquals(subject.server.info().warnings, 0);
});

Deno.test("204, 205 and 304 drop the body", async () => {
  await using subject = await answering((response, uri) => {
    response.statusCode = Number(uri.slice(1, 4));
    response.data = uri.endsWith("stream") ? new Blob(["x"]).stream() : "x";
    return response;
  });
  for (const status of [204, 205, 304]) {
    for (const data of ["text", "stream"]) {
      const answer = await rawRequest(subject.port, `GET /${status}${data}`);
      assertMatch(answer, new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\n$`));
    }
  }
  assertEquals(subject.errors, []);
});

Deno.test("HEAD has the headers of GET, and no body; a stream that is not sent is cancelled", async () => {
  const cancelled = deferred();
  await using subject = await answering((response, uri) => {
    response.statusCode = 200;
    response.data = uri === "/stream" ? new ReadableStream({ cancel: () => cancelled.resolve() }) : "hello";
    return response;
  });
  const answer = await rawRequest(subject.port, "HEAD /");
  assertMatch(answer, /^HTTP\/1.1 200 OK\r\n[^]*content-length: 5\r\n[^]*\r\n\r\n$/);
  assertMatch(await rawRequest(subject.port, "HEAD /stream"), /^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
  await cancelled.promise;
});

Deno.test("the answer to HEAD over HTTP/2 ends and has no body, with or without a Host header, even if it is refused", async () => {
  await using subject = await running({
    onHTTPRequest(_webServer, { uri }) {
      switch (uri) {
        case "/text":
          return { statusCode: 200, data: "hello" };
        case "/stream":
          return { statusCode: 200, data: new Blob(["hello"]).stream() };
        case "/response":
          return new Response("hello");
        case "/response/stream":
          return new Response(new Blob(["hello"]).stream());
        case "/nothing":
          return undefined;
        default:
          throw new Error("a failure");
      }
    },
  });
  const expected = {
    "/text": 200,
    "/stream": 200,
    "/response": 200,
    "/response/stream": 200,
    "/nothing": 404,
    "/": 500,
  };
  await printed("warn", async () => {
    for (const [path, status] of Object.entries(expected)) {
      for (const host of [[], [["host", "panel"]]] as Field[][]) {
        const fields: Field[] = [[":method", "HEAD"], [":scheme", "http"], [":authority", "panel"], [":path", path]];
        const { answers, end } = await http2Exchange(
          { port: subject.port, heads: new Map() },
          http2Request([...fields, ...host]),
          { deadline: 40_000, quiet: 40_000 },
        );
        assertEquals([answers, end], [[{ id: 1, status, seen: undefined, text: "" }], "closed"]);
      }
    }
  });
});

Deno.test("HEAD has the length of a Response that is made of a text or bytes", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, { uri }) => new Response(uri === "/text" ? "gr\u00fcn" : new Uint8Array(5)),
  });
  for (const uri of ["/text", "/bytes"]) {
    assertMatch(
      await rawRequest(subject.port, `HEAD ${uri}`),
      /^HTTP\/1.1 200 OK\r\n[^]*content-length: 5\r\n[^]*\r\n\r\n$/,
    );
  }
});

Deno.test("a Response of a known length has that length, however large, and not one of the callback", async () => {
  await using subject = await running({
    onHTTPRequest: (_webServer, { uri }) =>
      new Response("x".repeat(Number(uri.slice(1))), { headers: { "content-length": "3" } }),
  });
  for (const size of [5, 100_000]) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await rawRequest(subject.port, `${method} /${size}`);
      assertMatch(answer, new RegExp(`^HTTP/1.1 200 OK\\r\\n(?:.*\\r\\n)*content-length: ${size}\\r\\n`, "i"));
      assertEquals(answer.split("\r\n\r\n")[1], method === "GET" ? "x".repeat(size) : "");
    }
  }
});

Deno.test("a long text arrives as UTF-8 whatever its characters are, with half ones replaced", async () => {
  const texts = [
    // Its characters of two units start at even offsets, then at odd ones, then behind half a character.
    ...["", "x", "\ud83c"].map((start) => start + "\ud83c\udf9b".repeat(100_000)),
    "\ud83c".repeat(100_000),
    "x".repeat(100_000) + "\u4e2d".repeat(100_000),
    "gr\u00fcn".repeat(50_000),
  ];
  await using subject = await answering((response, uri) => ({ ...response, data: texts[Number(uri.slice(1))]! }));
  for (const [index, text] of texts.entries()) {
    const answer = await fetch(`${subject.url}${index}`);
    const expected = new TextEncoder().encode(text);
    assertEquals(answer.headers.get("content-length"), String(expected.length));
    assert((await answer.bytes()).every((byte, at) => byte === expected[at]), `text ${index} arrives changed`);
  }
});

/** Answers that must never reach the wire: a description, the returned value, and a word of the error. */
const impossible: [what: string, answer: (response: ResponseDictionary) => unknown, word: string][] = [
  ["statusCode 0", () => ({ statusCode: 0 }), "statusCode"],
  ["statusCode 101", () => ({ statusCode: 101 }), "statusCode"],
  ["statusCode 600", () => ({ statusCode: 600 }), "statusCode"],
  ["statusCode 200.5", () => ({ statusCode: 200.5 }), "statusCode"],
  ["statusCode NaN", () => ({ statusCode: NaN }), "statusCode"],
  ["statusCode as text", () => ({ statusCode: "200" }), "statusCode"],
  ["statusCode undefined", () => ({ statusCode: undefined }), "statusCode"],
  ["a header name with a space", () => ({ "X Y": "1" }), "X Y".toLowerCase()],
  ["a header name with a line break", () => ({ "X\r\nY": "1" }), "name"],
  ["an empty header name", () => ({ "": "1" }), "name"],
  ["a header that is null", () => ({ "X-A": null }), "x-a"],
  ["a header that is an object", () => ({ "X-A": { b: 1 } }), "x-a"],
  ["a list with null", () => ({ "X-A": ["1", null] }), "x-a"],
  ["a Content-Type with a line break", () => ({ "Content-Type": "a\r\nX-B: 1", data: "x" }), "content-type"],
  ["headers that are a string", () => ({ headers: "X-A: 1" }), "headers"],
  ["headers that are a Map", () => ({ headers: new Map([["x-a", "1"]]) }), "headers"],
  ["headers that are a list", () => ({ headers: [["x-a", "1"]] }), "headers"],
  ["a Blob whose type has a control character", () => {
    const data = new Blob(["x"]);
    Object.defineProperty(data, "type", { value: "a\x01b" });
    return { statusCode: 200, data };
  }, "content-type"],
  ["data that is a number", () => ({ statusCode: 200, data: 5 }), "data"],
  ["data that is a Map", () => ({ statusCode: 200, data: new Map([["a", 1]]) }), "data"],
  ["data whose bytes were transferred", () => {
    const data = new Uint8Array(3);
    data.buffer.transfer();
    return { statusCode: 200, data };
  }, "its bytes were transferred"],
  ["data that is a promise", () => ({ statusCode: 200, data: Promise.resolve("x") }), "write `await` before it"],
  ["data that is a list with a loop", () => {
    const data: unknown[] = [];
    data.push(data);
    return { statusCode: 200, data };
  }, "JSON"],
  ["data that is an object with a BigInt", () => ({ statusCode: 200, data: { a: 1n } }), "JSON"],
  ["a stream whose length is not a number", () => {
    const data = new Blob(["x"]).stream();
    return { statusCode: 200, data, "Content-Length": "1x" };
  }, "content-length"],
  ["a locked stream", () => ({ statusCode: 200, data: locked() }), "locked"],
  ["a string", () => "hello", "string"],
  ["a number", () => 200, "number"],
  ["null", () => null, "null"],
  ["a list", () => [1], "list"],
  ["bytes", () => new Uint8Array(3), "Uint8Array"],
  ["a function", () => () => {}, "function"],
  ["Response.error()", () => Response.error(), "Response"],
  ["a Response that was read", () => read(), "body"],
  ["a dictionary with a getter that throws", () => ({
    get data() {
      throw new Error("getter");
    },
  }), "getter"],
  ...Array.from({ length: 0x21 }, (_, index) => index === 0x20 ? 0x7f : index).filter((code) => code !== 9).map((
    code,
  ): (typeof impossible)[number] => {
    const value = `a${String.fromCharCode(code)}b`;
    return [`control character ${code} in a header`, () => ({ statusCode: 200, "X-A": value }), "x-a"];
  }),
  ...[1, 0x0b, 0x1f, 0x7f].map((code): (typeof impossible)[number] => {
    const value = `a${String.fromCharCode(code)}b`;
    return [
      `control character ${code} in a header of a Response`,
      () => new Response("x", { headers: { "x-a": value } }),
      "x-a",
    ];
  }),
  ["a control character behind `headers` of a Response's own", () => {
    const response = new Response("x", { headers: { "x-a": "a\x01b" } });
    return Object.defineProperty(response, "headers", { value: new Headers({ "x-b": "1" }) });
  }, "x-a"],
];

Deno.test("headers and status that stand in front of those of a Response are not sent, with an event stream either", async () => {
  await using subject = await running({
    onHTTPRequest() {
      const response = new Response("data: 1\n\n", { headers: { "content-type": "text/event-stream" } });
      Object.defineProperty(response, "status", { value: 7 });
      return Object.defineProperty(response, "headers", { value: new Headers({ "x-a": "a\x01b" }) });
    },
  });
  const answer = await fetch(subject.url);
  assertEquals([answer.status, answer.headers.has("x-a"), await answer.text()], [200, false, "data: 1\n\n"]);
});

Deno.test("headers that a callback changes after its answer are never sent", async () => {
  await using subject = await running({
    async onHTTPRequest(_webServer, { pars }) {
      const response = await Promise.resolve(new Response("x", { headers: { "x-a": "1" } }));
      let later = Promise.resolve();
      for (let turn = 0; turn < Number(pars["turns"]); turn++) later = later.then(() => {});
      later.then(() => response.headers.set("x-a", "a\x01b"));
      return response;
    },
  });
  for (let turns = 0; turns < 12; turns++) {
    const answer = await fetch(`${subject.url}?turns=${turns}`);
    // Before the check it is a header that cannot be sent.
    assert(answer.status === 500 || answer.headers.get("x-a") === "1");
    await answer.text();
  }
});

function locked(): ReadableStream {
  const stream = new Blob(["x"]).stream();
  stream.getReader();
  return stream;
}

async function read(): Promise<Response> {
  const response = new Response("x");
  await response.text();
  return response;
}

Deno.test("an answer that cannot be sent becomes a 500 without details, counts one error, and is reported once", async (t) => {
  let answer: (response: ResponseDictionary) => unknown = () => {};
  await using subject = await answering((response) => answer(response) as HTTPAnswer);
  for (const [index, [what, made, word]] of impossible.entries()) {
    await t.step(what, async () => {
      answer = made;
      subject.errors.length = 0;
      const reply = await rawRequest(subject.port, "GET /");
      assertMatch(reply, /^HTTP\/1.1 500 /);
      assert(!reply.includes("x-a"), reply);
      assertEquals(subject.errors.map(({ name }) => name), ["onHTTPRequest"]);
      assertStringIncludes(subject.errors[0]!.error.message, word);
      assertEquals(subject.server.info().errors, index + 1);
    });
  }
  await t.step("and the server goes on", async () => {
    answer = () => ({ statusCode: 200, data: "fine" });
    assertEquals((await get(subject.url)).text, "fine");
  });
});

Deno.test("the stream of an answer that cannot be sent is cancelled, in a dictionary and in a Response", async () => {
  let cancelled = deferred();
  await using subject = await answering((_response, uri) => {
    const data = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() });
    return uri === "/dictionary" ? { data, "X-A": "\x01" } : new Response(data, { headers: { "x-a": "\x01" } });
  });
  for (const uri of ["dictionary", "response"]) {
    cancelled = deferred();
    assertEquals((await get(subject.url + uri)).status, 500);
    await cancelled.promise;
  }
});

Deno.test("errors that cannot be shown, and callbacks that cannot be read, end nothing", async () => {
  const cannotBeShown = {
    [Symbol.for("Deno.customInspect")]() {
      throw new Error("no");
    },
  };
  const callbacks = {
    onHTTPRequest() {
      throw cannotBeShown;
    },
    get onWebSocketOpen() {
      if (reading) throw cannotBeShown;
      return () => {};
    },
    onServerStart: () => Promise.reject(cannotBeShown),
  };
  let reading = false;
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks });
  reading = true;
  const lines = await printed("error", async () => {
    await server.start();
    assertEquals((await get(server.address!.url)).status, 500);
    await disconnect(await connect(server.address!.url));
  });
  // Counted even if `console.error` is the recorder of this test, which looks at nothing.
  assertEquals([server.info().errors, lines.length], [3, 3]);
});

Deno.test("a callback set to null is an absent one", async () => {
  const callbacks: Callbacks = { onHTTPRequest: () => new Response("x") };
  await using subject = await running(callbacks);
  await subject.server.set({ callbacks });
  callbacks.onHTTPRequest = null as never;
  assertEquals([(await get(subject.url)).status, subject.server.info().errors], [404, 0]);
});

Deno.test("a header value goes out as UTF-8, an address percent-encoded, and what comes from Headers as it is", async () => {
  await using subject = await answering(() => ({
    statusCode: 200,
    "X-A": "a\tb é ☃",
    "X-List": ["ü", 1],
    Location: "/größe und ☃?a=%20b",
    headers: new Headers({ "x-b": "\xe9" }),
  }));
  const { headers } = (await get(subject.url)).answer;
  // Fetch reads each byte as a character.
  const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  assertEquals(headers.get("x-a"), utf8("a\tb é ☃"));
  assertEquals(headers.get("x-list"), `${utf8("ü")}, 1`);
  assertEquals(headers.get("x-b"), "\xe9");
  assertEquals(headers.get("location"), "/gr%C3%B6%C3%9Fe%20und%20%E2%98%83?a=%20b");
});

Deno.test("a Response that was sent before answers 500", async () => {
  const response = new Response("once");
  await using subject = await answering(() => response);
  assertEquals([(await get(subject.url)).text, (await get(subject.url)).status], ["once", 500]);
  assertEquals(subject.errors.length, 1);
});

Deno.test("a callback that throws or rejects answers 500 without details", async () => {
  await using subject = await answering((_response, uri) => {
    if (uri === "/throws") throw new Error("secret");
    return Promise.reject(new Error("secret"));
  });
  for (const uri of ["throws", "rejects"]) {
    const { status, text } = await get(`${subject.url}${uri}`);
    assertEquals([status, text], [500, "500 Internal Server Error\n"]);
  }
  assertEquals(subject.errors.map(({ error }) => error.message), ["secret", "secret"]);
  assertEquals(subject.server.info().errors, 2);
});

Deno.test("a stream that fails or is not of bytes ends its connection and is reported, and other connections are unaffected", async () => {
  await using subject = await answering((response, uri) => {
    response.statusCode = 200;
    response.data = new ReadableStream({
      pull(controller) {
        if (uri === "/fails") controller.error(new Error("source lost"));
        else controller.enqueue("text" as unknown as Uint8Array);
      },
    });
    if (uri === "/fine") response.data = "fine";
    return response;
  });
  await rawRequest(subject.port, "GET /fails");
  await rawRequest(subject.port, "GET /text");
  assertEquals((await get(`${subject.url}fine`)).text, "fine");
  assertEquals([subject.errors.length, subject.errors[0]!.error.message], [2, "source lost"]);
});

Deno.test("without onError a callback's error goes to console.error, with the operator's name", async () => {
  await using subject = await running({
    onError: undefined,
    onHTTPRequest() {
      throw new Error("boom");
    },
  } as never);
  const lines = await printed("error", () => get(subject.url));
  assertEquals(lines.length, 1);
  assertStringIncludes(String(lines[0]![0]), "webserver1: onHTTPRequest");
  assertEquals((lines[0]![1] as Error).message, "boom");
});

Deno.test("an error in onError is printed, and the server goes on", async () => {
  await using subject = await running({
    onHTTPRequest() {
      throw new Error("first");
    },
    onError(_webServer, error) {
      if ((error as Error).message !== "first") return;
      if (subject.server.info().errors === 1) throw new Error("second");
      return Promise.reject(new Error("third"));
    },
  });
  const lines = await printed("error", async () => {
    assertEquals((await get(subject.url)).status, 500);
    assertEquals((await get(subject.url)).status, 500);
  });
  assertEquals(lines.map(([, error]) => (error as Error).message), ["second", "first", "third", "first"]);
  assertEquals(subject.server.info().errors, 2);
});

Deno.test("callbacks keep their this, and may be replaced in their object", async () => {
  class Panel {
    #greeting = "hello";
    onHTTPRequest(_webServer: unknown, _request: unknown, response: ResponseDictionary) {
      response.statusCode = 200;
      response.data = this.#greeting;
      return response;
    }
  }
  const panel = new Panel();
  await using subject = await running(panel);
  await subject.server.set({ callbacks: panel });
  assertEquals((await get(subject.url)).text, "hello");
  panel.onHTTPRequest = (_webServer, _request, response) => ({ ...response, statusCode: 200, data: "replaced" });
  assertEquals((await get(subject.url)).text, "replaced");
});

Deno.test("an answer that was fetched from elsewhere is passed on, without a body and its length too", async () => {
  await using upstream = await running({
    onHTTPRequest: (_webServer, { method }, response) => ({
      ...response,
      statusCode: method === "HEAD" ? 200 : 304,
      data: "12345",
      "X-From": "upstream",
    }),
  });
  const head = await fetch(upstream.url, { method: "HEAD" });
  const notModified = await fetch(upstream.url);
  for (const fetched of [head, notModified, new Response(null, { headers: { "content-length": "5" } })]) {
    await using subject = await running({ onHTTPRequest: () => fetched });
    const answer = await fetch(subject.url);
    assertEquals([answer.status, await answer.text()], [fetched.status, ""]);
    assertEquals(subject.errors, []);
  }
});
