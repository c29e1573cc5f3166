/** The `request` dictionary, as callbacks see it. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import http2 from "node:http2";
import { deferred, looking, raw, rawRequest, running } from "./helpers.ts";

Deno.test("request has the method, the uri without its query, and the decoded pars", async () => {
  await using subject = await looking(({ method, uri, pars }) => ({ method, uri, pars }));
  const answer = await fetch(`${subject.url}a%20b/c?x=1&name=J%C3%BCrgen+K&flag`, { method: "DELETE" });
  assertEquals(await answer.json(), {
    method: "DELETE",
    uri: "/a%20b/c",
    pars: { x: "1", name: "Jürgen K", flag: "" },
  });
});

Deno.test("pars has the last value of a repeated key, decoded or not", async () => {
  await using subject = await looking(({ pars }) => pars);
  assertEquals(await (await fetch(`${subject.url}?a=1&b=2&a=3`)).json(), { a: "3", b: "2" });
  assertEquals(await (await fetch(`${subject.url}?a=1&b=%32&a=3&=4`)).json(), { a: "3", b: "2", "": "4" });
});

Deno.test("pars reads a query alike whether it has something to decode or not", async () => {
  await using subject = await looking(({ pars }) => pars);
  for (const query of ["a=1&&b", "=x&y=", "a=b=c", "&", "?a=b", "a?b=c", "__proto__=1&toString=2", "a;b=1"]) {
    const plain = await (await fetch(`${subject.url}?${query}`)).json();
    const { z: _, ...decoded } = await (await fetch(`${subject.url}?${query}&z=%41`)).json();
    assertEquals(plain, Object.fromEntries(new URLSearchParams(`?${query}`)));
    assertEquals(decoded, plain);
  }
});

Deno.test("pars keeps invalid percent escapes unchanged", async () => {
  await using subject = await looking(({ pars }) => pars);
  const answer = await rawRequest(subject.port, "GET /?a=%&b=%zz&c=%ff");
  assertStringIncludes(answer, JSON.stringify({ a: "%", b: "%zz", c: "\ufffd" }));
});

Deno.test("pars is empty without a query, and has no inherited names", async () => {
  await using subject = await looking(({ pars }) => [pars, "toString" in pars, pars["constructor"] === undefined]);
  assertEquals(await (await fetch(subject.url)).json(), [{}, false, true]);
});

Deno.test("a header is there under its name in any letter case", async () => {
  await using subject = await looking((request) => [
    request["Authorization"],
    request["authorization"],
    request["AUTHORIZATION"],
    "AuthoriZation" in request,
    Object.hasOwn(request, "authorization"),
    request["X-Absent"] === undefined,
    "x-absent" in request,
    "not a header" in request,
  ]);
  const answer = await fetch(subject.url, { headers: { authorization: "Basic eDp5" } });
  const value = "Basic eDp5";
  assertEquals(await answer.json(), [value, value, value, true, true, true, false, false]);
});

Deno.test("a header that is sent twice is one value", async () => {
  await using subject = await looking((request) => request["x-a"]);
  const answer = await rawRequest(subject.port, "GET /", ["Host: localhost", "X-A: 1", "x-a: 2"]);
  assertStringIncludes(answer, '"1, 2"');
});

Deno.test("reserved keys win over headers of their names", async () => {
  const names = ["method", "uri", "pars", "clientAddress", "serverAddress", "data", "headers", "text", "raw", "signal"];
  await using subject = await looking((request) => [
    names.map((name) => typeof request[name]),
    names.some((name) => request[name] === "forged"),
    Object.keys(request).filter((key) => names.includes(key)),
  ]);
  const answer = await rawRequest(subject.port, "GET /", ["Host: a", ...names.map((name) => `${name}: forged`)]);
  assertStringIncludes(
    answer,
    JSON.stringify([
      ["string", "string", "object", "string", "string", "object", "object", "function", "object", "object"],
      false,
      ["method", "uri", "pars", "clientAddress", "serverAddress", "data"],
    ]),
  );
});

Deno.test("no header passes for a field in another letter case, nor for a method that every object has", async () => {
  await using subject = await looking((request) => [
    request["Method"],
    request["ClientAddress"],
    "clientaddress" in request,
    Object.keys(request).includes("clientaddress"),
    typeof request.hasOwnProperty,
    `${request}`,
  ]);
  const forged = ["Method", "ClientAddress", "hasOwnProperty", "toString", "valueOf"].map((name) => `${name}: forged`);
  const answer = await rawRequest(subject.port, "GET /", ["Host: a", ...forged]);
  assertStringIncludes(answer, JSON.stringify([null, null, false, false, "function", "[object Object]"]));
});

Deno.test("a header that is sent twice is one key", async () => {
  await using subject = await looking((request) => Object.keys(request).filter((key) => key.startsWith("set-")));
  assertStringIncludes(
    await rawRequest(subject.port, "GET /", ["Host: a", "Set-Cookie: a", "Set-Cookie: b"]),
    '["set-cookie"]',
  );
});

Deno.test("request behaves like a dictionary: keys, entries, spread, JSON and inspect", async () => {
  const { promise, resolve } = deferred<string>();
  await using subject = await looking((request) => {
    resolve(Deno.inspect(request));
    return [Object.keys(request), { ...request }, JSON.parse(JSON.stringify(request)), Object.entries(request).length];
  });
  const answer = await rawRequest(subject.port, "GET /p?q=1", ["Host: localhost", "X-B: 2", "Accept: */*"]);
  const [keys, spread, json, entries] = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  const names = ["accept", "connection", "host", "x-b"];
  assertEquals(keys, ["method", "uri", "pars", "clientAddress", "serverAddress", ...names, "data"]);
  assertEquals(Object.keys(spread), keys);
  assertEquals(entries, keys.length);
  assertEquals(json, spread);
  assertEquals({ ...json, clientAddress: "" }, {
    method: "GET",
    uri: "/p",
    pars: { q: "1" },
    clientAddress: "",
    serverAddress: `127.0.0.1:${subject.port}`,
    accept: "*/*",
    connection: "close",
    host: "localhost",
    "x-b": "2",
    data: {},
  });
  assertMatch(await promise, /method: "GET"[^]*"x-b": "2"/);
});

Deno.test("request cannot be written to", async () => {
  await using subject = await looking((request) => {
    const attempts = [
      () => Object.assign(request, { uri: "/other" }),
      () => Object.defineProperty(request, "uri", { value: "/other" }),
      () => delete (request as Record<string, unknown>)["uri"],
      () => Object.freeze(request),
      () => Object.setPrototypeOf(request, null),
    ];
    return attempts.map((attempt) => {
      try {
        attempt();
        return "written";
      } catch (error) {
        return (error as Error).name;
      }
    });
  });
  assertEquals(await (await fetch(subject.url)).json(), Array(5).fill("TypeError"));
});

Deno.test("the error of an assignment to request names the field", async () => {
  await using subject = await running({
    onHTTPRequest(_webServer, request) {
      Object.assign(request, { uri: "/other" });
    },
  });
  await (await fetch(subject.url)).text();
  assertEquals(subject.errors[0]!.error.message, 'Cannot set "uri" of the request: it is read-only');
});

Deno.test("headers, signal and raw are those of the Fetch request", async () => {
  await using subject = await looking(({ headers, signal, raw }) => [
    headers.get("x-a"),
    signal instanceof AbortSignal,
    new URL(raw.url).pathname,
    raw instanceof Request,
  ]);
  assertEquals(await (await fetch(`${subject.url}p`, { headers: { "x-a": "1" } })).json(), ["1", true, "/p", true]);
});

Deno.test("data has the bytes of the body", async () => {
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  await using subject = await running({
    onHTTPRequest(_webServer, { data }, response) {
      response.statusCode = 200;
      response.data = data;
      return response;
    },
  });
  const answer = await fetch(subject.url, { method: "PUT", body: sent });
  assertEquals(await answer.bytes(), sent);
});

Deno.test("data of a chunked body is the body", async () => {
  await using subject = await looking(({ data }) => new TextDecoder().decode(data));
  const head = "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nConnection: close\n\n";
  assertStringIncludes(await raw(subject.port, `${head}2\nhi\n3\n you\n0\n\n`.replace("3\n", "4\n")), '"hi you"');
});

Deno.test("data of an HTTP/2 request is its body, announced or not", async () => {
  await using subject = await looking(({ data }) => new TextDecoder().decode(data));
  const session = http2.connect(subject.url);
  for (const headers of [{}, { host: "panel" }]) {
    const stream = session.request({ ":method": "POST", ":path": "/", ...headers });
    stream.end("hello");
    let answer = "";
    for await (const chunk of stream.setEncoding("utf8")) answer += chunk;
    assertEquals(answer, '"hello"');
  }
  await new Promise<void>((resolve) => session.close(resolve));
});

Deno.test("data is empty without a body, whatever the method", async () => {
  await using subject = await looking(({ data }) => [data instanceof Uint8Array, data.length]);
  for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
    assertEquals(await (await fetch(subject.url, { method })).json(), [true, 0]);
  }
  assertStringIncludes(await rawRequest(subject.port, "POST /"), "[true,0]");
});

Deno.test("text(), json() and formData() decode the body", async () => {
  await using subject = await looking(async (request) => {
    if (request.uri === "/text") return await request.text();
    if (request.uri === "/json") return await request.json();
    const form = await request.formData();
    return [form.get("a"), await (form.get("f") as File | null)?.text()];
  });
  const post = async (uri: string, body: BodyInit) =>
    await (await fetch(`${subject.url}${uri}`, { method: "POST", body })).json();
  assertEquals(await post("text", "grüß"), "grüß");
  assertEquals(await post("json", '{"a":[1]}'), { a: [1] });
  assertEquals(await post("form", new URLSearchParams({ a: "1" })), ["1", null]);
  const form = new FormData();
  form.set("a", "2");
  form.set("f", new File(["content"], "f.txt"));
  assertEquals(await post("form", form), ["2", "content"]);
});

Deno.test("json() rejects with a SyntaxError if the body is not JSON, which a callback may catch; otherwise the answer is 400", async () => {
  await using subject = await looking(async (request) => {
    if (request.uri === "/caught") return await request.json().catch((error: Error) => error.name);
    return await request.json();
  });
  const post = async (uri: string, body: string) => {
    const answer = await fetch(new URL(uri, subject.url), { method: "POST", body });
    return [answer.status, await answer.text()];
  };
  for (const body of ["{", "", "<b>"]) {
    assertEquals(await post("/", body), [400, "400 Bad Request: The body is not valid JSON\n"]);
  }
  assertEquals(await post("/caught", "{"), [200, '"SyntaxError"']);
  assertEquals(subject.errors, []);
});

Deno.test("a body that does not arrive whole reaches no callback", async () => {
  let calls = 0;
  await using subject = await running({ onHTTPRequest: () => void calls++ });
  {
    using connection = await Deno.connect({ port: subject.port, hostname: "127.0.0.1" });
    await connection.write(new TextEncoder().encode("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
  }
  await subject.server.stop();
  assertEquals([calls, subject.errors], [0, []]);
});

Deno.test("clientAddress and serverAddress are ip:port on an IPv4 listener", async () => {
  await using subject = await looking(({ clientAddress, serverAddress }) => [clientAddress, serverAddress]);
  const [client, server] = await (await fetch(subject.url)).json();
  assertMatch(client, /^127\.0\.0\.1:\d+$/);
  assertEquals(server, `127.0.0.1:${subject.port}`);
});

Deno.test("clientAddress and serverAddress have brackets on an IPv6 listener", async () => {
  await using subject = await looking(({ clientAddress, serverAddress }) => [clientAddress, serverAddress], {
    localaddress: "::1",
  });
  assertEquals(subject.url, `http://[::1]:${subject.port}/`);
  const [client, server] = await (await fetch(subject.url)).json();
  assertMatch(client, /^\[::1\]:\d+$/);
  assertEquals(server, `[::1]:${subject.port}`);
});

Deno.test("on all interfaces an IPv4 client is written as IPv4, and serverAddress is as precise as it can be", async () => {
  await using subject = await looking(({ clientAddress, serverAddress }) => ({ clientAddress, serverAddress }), {
    localaddress: "",
  });
  const ask = async (host: string, hostname: string) => {
    const answer = await rawRequest(subject.port, "GET /", [`Host: ${host}`], hostname);
    return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  };
  const byName = await ask("panel.local", "127.0.0.1");
  assertMatch(byName.clientAddress, /^127\.0\.0\.1:\d+$/);
  assertEquals(byName.serverAddress, `127.0.0.1:${subject.port}`);
  assertEquals((await ask("10.1.2.3:80", "127.0.0.1")).serverAddress, `10.1.2.3:${subject.port}`);
  for (const host of ["999.1.2.3", "[::::]", "[1.2.3.4:]"]) {
    assertEquals((await ask(host, "127.0.0.1")).serverAddress, `127.0.0.1:${subject.port}`);
  }
  if (subject.server.address!.hostname === "::") {
    const byIPv6 = await ask("[fe80::1]:80", "::1");
    assertMatch(byIPv6.clientAddress, /^\[::1\]:\d+$/);
    assertEquals(byIPv6.serverAddress, `[fe80::1]:${subject.port}`);
    assertEquals((await ask("panel", "::1")).serverAddress, `[::1]:${subject.port}`);
  }
});

Deno.test("an invalid Host is answered 400 as soon as uri, pars or raw is used, and no callback error is counted", async () => {
  const keys = ["uri", "pars", "raw"] as const;
  let turn = 0;
  await using subject = await running({
    onHTTPRequest: (_webServer, request) => Response.json(String(request[keys[turn]!])),
  });
  for (; turn < keys.length; turn++) {
    for (
      const host of [
        "x/admin?",
        "x/admin",
        "a b",
        "x#y",
        "user@x",
        "x\\y",
        "é",
        "a:b:c",
        "[::1",
        "<x>",
        ":80",
        "a:99999",
        "[::::]",
        "%zz",
        "1.2.3.4.5",
      ]
    ) {
      assertMatch(await rawRequest(subject.port, "GET /real", [`Host: ${host}`]), /^HTTP\/1.1 400 /, `${host} ${turn}`);
    }
  }
  assertEquals([subject.errors, subject.server.info().errors], [[], 0]);
});

Deno.test("an absolute target with an invalid host is answered 400", async () => {
  await using subject = await looking(({ uri }) => uri);
  for (const target of ["http://a\\b/x", "http://user@a/x", "http://a:b/x", "http://<a>/x"]) {
    assertMatch(await rawRequest(subject.port, `GET ${target}`, ["Host: a"]), /^HTTP\/1.1 400 /, target);
  }
});

Deno.test("an invalid Host answers 400 from an async callback too", async () => {
  await using subject = await looking(async (request) => {
    await Promise.resolve();
    return request.uri;
  });
  assertMatch(await rawRequest(subject.port, "GET /real", ["Host: x/admin?"]), /^HTTP\/1.1 400 /);
  assertEquals(subject.errors, []);
});

Deno.test("an invalid Host does no harm if the path is not used", async () => {
  await using subject = await looking(({ method }) => method);
  assertStringIncludes(await rawRequest(subject.port, "GET /real", ["Host: x/admin?"]), '"GET"');
});

Deno.test("uri is the path as sent, with every usual Host and target", async () => {
  await using subject = await looking(({ uri, pars }) => [uri, pars]);
  const uriOf = async (target: string, ...headers: string[]) => {
    const answer = await rawRequest(subject.port, `GET ${target}`, headers);
    return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  };
  for (const host of ["localhost", "a.b:80", "127.0.0.1:9980", "[::1]:9980", "under_score", ""]) {
    assertEquals(await uriOf("/x//y/../z?q=/?", `Host: ${host}`), ["/x//y/../z", { q: "/?" }]);
  }
  assertEquals(await uriOf("/x"), ["/x", {}]);
  assertEquals(await uriOf("//evil/x", "Host: a"), ["//evil/x", {}]);
  assertEquals(await uriOf("http://other/x?y=1", "Host: a"), ["/x", { y: "1" }]);
  assertEquals(await uriOf("http://other?x/y=1", "Host: a"), ["/", { "x/y": "1" }]);
  assertEquals(await uriOf("http://other", "Host: a"), ["/", {}]);
});

Deno.test("headers can be read for as long as an async callback runs", async () => {
  await using subject = await looking(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return [request["x-a"], request.uri, request.headers.get("x-a"), request.clientAddress !== ""];
  });
  const answer = await fetch(`${subject.url}late`, { headers: { "x-a": "1" } });
  assertEquals(await answer.json(), ["1", "/late", "1", true]);
});

Deno.test("fetch() of the server answers a Request made by hand", async () => {
  await using subject = await looking((request) => [request.uri, request["X-A"], request.clientAddress]);
  const answer = await subject.server.fetch(new Request("http://panel/x?y", { headers: { "x-a": "1" } }));
  assertEquals(await answer.json(), ["/x", "1", ""]);
});
