/** The WebSocket handshake: which requests the server and `onWebSocketRequest` refuse, and with which answer. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import WS from "npm:ws@8.23.0";
import { connect, deferred, disconnect, printed, running } from "./helpers.ts";
import { testWith } from "./programs.ts";
import { HANDSHAKE, handshake } from "./support/handshake.ts";
import { RawWebSocket } from "./support/raw_websocket.ts";
import { reset } from "./support/reset.ts";

/** The answer to a handshake. */
async function outcome(port: number, headers: readonly string[], target?: string, method?: string) {
  using raw = await RawWebSocket.open(port, headers, target, method);
  return await raw.answer();
}

Deno.test("the tokens of Upgrade and Connection are recognised in any letter case and position", async () => {
  await using subject = await running();
  for (
    const headers of [
      handshake("Upgrade", "WEBSOCKET"),
      handshake("Upgrade", "h2c, websocket"),
      handshake("Connection", "UPGRADE"),
      handshake("Connection", "keep-alive,upgrade"),
      handshake("Connection", "Upgrade\t,\tkeep-alive"),
    ]
  ) assertEquals((await outcome(subject.port, headers)).status, 101);
});

Deno.test("an invalid handshake gets the right status and a one-line reason, and reaches no callback", async () => {
  await using subject = await running({ onWebSocketRequest() {}, onWebSocketOpen() {} });
  const refused: [method: string, headers: readonly string[], status: number, reason: RegExp][] = [
    ["GET", handshake("Connection", "keep-alive"), 400, /Connection/],
    ["GET", handshake("Connection", "upgrade\xa0"), 400, /Connection/],
    ["GET", handshake("Sec-WebSocket-Key"), 400, /Sec-WebSocket-Key/],
    ["GET", handshake("Sec-WebSocket-Key", "c2hvcnQ="), 400, /16 bytes/],
    ["GET", handshake("Sec-WebSocket-Version", "8"), 426, /only 13 is supported/],
    ["GET", handshake("Sec-WebSocket-Version"), 426, /only 13 is supported/],
    ["GET", [...HANDSHAKE, "Sec-WebSocket-Protocol: a b"], 400, /Sec-WebSocket-Protocol/],
    ["GET", handshake("Host", "x/admin?"), 400, /host/],
    ["POST", HANDSHAKE, 405, /GET/],
    ["DELETE", HANDSHAKE, 405, /GET/],
  ];
  for (const [method, headers, status, reason] of refused) {
    const answer = await outcome(subject.port, headers, "/", method);
    assertEquals(answer.status, status);
    assertMatch(answer.body, reason);
    assertEquals(answer.body.trimEnd().split("\n").length, 1);
    if (status === 426) assertStringIncludes(answer.head.toLowerCase(), "sec-websocket-version: 13");
  }
  assertEquals(subject.errors, []);
  assertEquals(subject.server.info().total_cooks, 0);
});

Deno.test("origins: a page can open a WebSocket to the host and port that it came from, and to no other", async () => {
  await using subject = await running({});
  const statusFor = async (origin: string, host: string) =>
    (await outcome(subject.port, [...handshake("Host", host), `Origin: ${origin}`])).status;
  const lines = await printed("warn", async () => {
    assertEquals(await statusFor("http://panel.local:9980", "panel.local:9980"), 101);
    assertEquals(await statusFor("http://PANEL.local", "panel.local:80"), 101);
    assertEquals(await statusFor("https://panel.local", "panel.local"), 101);
    assertEquals(await statusFor("http://[::1]:9980", "[::1]:9980"), 101);
    assertEquals(await statusFor("file://", "panel.local:9980"), 101);
    for (
      const origin of [
        "http://evil.example",
        "http://panel.local:9981",
        "https://panel.local",
        "null",
        "",
        "//",
        "http://panel.local:9980.evil.example",
        "http://panel.local:9980@evil.example",
      ]
    ) {
      assertEquals(await statusFor(origin, "panel.local:9980"), 403, origin);
    }
  });
  assertStringIncludes(String(lines[0]), 'set parameter "origins" to ["same","http://evil.example"]');
  assertEquals(subject.server.info().warnings, 8);
  assertEquals(subject.server.webSocketConnections.length <= 5, true);
});

Deno.test("origins: a list admits only its items, `any` admits all, and a client without an Origin is always admitted", async () => {
  await using subject = await running({}, { origins: ["http://panel.example", "null"] });
  const statusFor = async (...more: string[]) => (await outcome(subject.port, [...HANDSHAKE, ...more])).status;
  await printed("warn", async () => {
    assertEquals(await statusFor("Origin: http://panel.example"), 101);
    assertEquals(await statusFor("Origin: null"), 101);
    assertEquals(await statusFor("Origin: http://localhost"), 403);
    assertEquals(await statusFor("Origin: http://panel.example.evil"), 403);
    assertEquals(await statusFor(), 101);
  });
  await subject.server.set({ origins: "any" });
  assertEquals(await statusFor("Origin: http://evil.example"), 101);
});

Deno.test("origins: POST, PUT, PATCH and DELETE from a foreign page get 403, GET, HEAD and OPTIONS do not", async () => {
  await using subject = await running({ onHTTPRequest: () => new Response("done") });
  const ask = (method: string, origin: string) => fetch(subject.url, { method, headers: { origin } });
  await printed("warn", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const refused = await ask(method, "http://evil.example");
      assertEquals([refused.status, await refused.text()], [
        403,
        '403 Forbidden: A web page from "http://evil.example" is not allowed: to allow it, set parameter "origins" to ' +
        '["same","http://evil.example"]\n',
      ]);
      const admitted = await ask(method, subject.url.slice(0, -1));
      assertEquals([admitted.status, await admitted.text()], [200, "done"]);
    }
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      const answer = await ask(method, "http://evil.example");
      assertEquals(answer.status, 200);
      await answer.body?.cancel();
    }
  });
});

Deno.test("onWebSocketRequest sees the request, and accepts it by leaving status 101, whether it returns the response or not", async () => {
  const seen: unknown[] = [];
  await using subject = await running({
    onWebSocketRequest: (_webServer, request, response) => {
      seen.push([request.uri, { ...request.pars }, request["X-Token"], response.statusCode, response.statusReason]);
    },
  });
  assertEquals((await outcome(subject.port, [...HANDSHAKE, "X-Token: 7"], "/room/a?b=c")).status, 101);
  assertEquals(seen, [["/room/a", { b: "c" }, "7", 101, "Switching Protocols"]]);
});

Deno.test("onWebSocketRequest refuses by any other status, a Response, or by throwing, and nothing is opened", async () => {
  await using subject = await running({
    onWebSocketRequest: (_webServer, request, response) => {
      switch (request.uri) {
        case "/dictionary":
          response.statusCode = 401;
          response["WWW-Authenticate"] = 'Basic realm="x"';
          response.data = "who are you?";
          return;
        case "/returned":
          return { statusCode: 403, data: "no" };
        case "/response":
          return new Response("go away", { status: 429 });
        case "/wrong":
          return "yes" as unknown as undefined;
        case "/protocol":
          response["Sec-WebSocket-Protocol"] = "never-offered";
          return;
        case "/header":
          response["X-Bad"] = "a\x01b";
          return;
        case "/own":
          response["Sec-WebSocket-Accept"] = "forged";
          return;
        default:
          throw new Error("secret detail");
      }
    },
  });
  const expected: [target: string, status: number, line: string][] = [
    ["/dictionary", 401, "who are you?"],
    ["/returned", 403, "no"],
    ["/response", 429, "go away"],
    ["/wrong", 500, "500 Internal Server Error\n"],
    ["/protocol", 500, "500 Internal Server Error\n"],
    ["/header", 500, "500 Internal Server Error\n"],
    ["/own", 500, "500 Internal Server Error\n"],
    ["/throws", 500, "500 Internal Server Error\n"],
  ];
  for (const [target, status, line] of expected) {
    const answer = await outcome(subject.port, HANDSHAKE, target);
    assertEquals([answer.status, answer.body], [status, line]);
  }
  assertEquals(subject.errors.map(({ name }) => name), Array(5).fill("onWebSocketRequest"));
  assertEquals([subject.server.webSocketConnections, (await outcome(subject.port, HANDSHAKE)).status], [[], 500]);
});

Deno.test("onWebSocketRequest can pick a sub-protocol, offered with or without spaces, and set headers", async () => {
  await using subject = await running({
    onWebSocketRequest(_webServer, request, response) {
      const offers = request["Sec-WebSocket-Protocol"]!.split(",").map((offer) => offer.trim());
      response["Sec-WebSocket-Protocol"] = offers.at(-1)!;
      response["Set-Cookie"] = ["a=1", "b=2"];
      response.headers = { "X-Seat": 7 };
    },
  });
  for (const offer of ["v1,v2", "v1, v2", "v1 ,\tv2", "v2"]) {
    using raw = await RawWebSocket.open(subject.port, [...HANDSHAKE, `Sec-WebSocket-Protocol: ${offer}`]);
    const head = (await raw.head()).toLowerCase();
    for (
      const line of ["http/1.1 101 ", "sec-websocket-protocol: v2", "set-cookie: a=1", "set-cookie: b=2", "x-seat: 7"]
    ) {
      assertStringIncludes(head, line);
    }
  }
  const client = new WS(subject.url.replace("http", "ws"), ["v1", "v2"]);
  await new Promise((resolve) => client.once("open", resolve));
  assertEquals(client.protocol, "v2");
  await new Promise((resolve) => client.once("close", resolve).close());
});

Deno.test("onWebSocketRequest may be async: the socket opens when it has settled", async () => {
  const gate = deferred();
  await using subject = await running({
    onWebSocketRequest: () => gate.promise,
    onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, data),
  });
  const socket = connect(subject.url);
  gate.resolve();
  await disconnect(await socket);
});

Deno.test("maxConnections: one more gets 503, handshakes that wait for a callback count, and a client that leaves makes room", async () => {
  const gate = deferred();
  const closed = deferred();
  const asked = deferred();
  await using subject = await running({
    onWebSocketRequest: (_webServer, { uri }) => uri === "/slow" ? (asked.resolve(), gate.promise) : undefined,
    onWebSocketClose: () => closed.resolve(),
  }, { maxConnections: 2 });
  const first = await connect(subject.url);
  const slow = connect(subject.url, "slow");
  await asked.promise;
  const [line] = await printed("warn", async () => {
    const { status, body } = await outcome(subject.port, HANDSHAKE);
    assertEquals([status, body], [503, "503 Service Unavailable: Too many WebSockets are open\n"]);
  });
  assertStringIncludes(String(line), 'parameter "maxConnections"');
  await disconnect(first);
  await closed.promise;
  const third = await connect(subject.url);
  gate.resolve();
  await Promise.all([disconnect(third), disconnect(await slow)]);
});

Deno.test("a restart refuses a handshake whose callback is still running, and does not wait for it", async () => {
  const gate = deferred();
  const asked = deferred();
  await using subject = await running({ onWebSocketRequest: () => (asked.resolve(), gate.promise) }, {
    shutdownTimeout: 0.2,
  });
  const answer = outcome(subject.port, HANDSHAKE).catch(() => undefined);
  await asked.promise;
  await subject.server.restart();
  gate.resolve();
  assert([undefined, 0, 503].includes((await answer)?.status));
  assertEquals(subject.server.webSocketConnections, []);
});

testWith(
  ["python3"],
  "clients that leave during onWebSocketRequest, or before the answer, leave nothing behind",
  async () => {
    let asked = 0;
    const opened = new Set<string>();
    let left = 0;
    const allAsked = deferred();
    const allLeft = deferred();
    const gate = deferred();
    const leave = () => void (++left === 20 && allLeft.resolve());
    await using subject = await running({
      async onWebSocketRequest(_webServer, { uri, signal }) {
        if (uri === "/ask") return;
        if (signal.aborted) leave();
        else signal.addEventListener("abort", leave, { once: true });
        if (++asked === 20) allAsked.resolve();
        await gate.promise;
      },
      onWebSocketOpen: (_webServer, client) => void opened.add(client),
      onWebSocketClose: (_webServer, client) => void opened.delete(client),
    }, { maxConnections: 20, idleTimeout: 1 });
    await reset(subject.port, "", 20);
    await Promise.all([allAsked.promise, allLeft.promise]);
    gate.resolve();
    // All 20 places have to be free again.
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => connect(subject.url, "ask").catch(() => undefined)),
    );
    assertEquals(sockets.filter(Boolean).length, 20);
    await Promise.all(sockets.map((socket) => disconnect(socket!)));
    assertEquals([subject.server.webSocketConnections, opened.size, subject.errors], [[], 0, []]);
  },
);

testWith(["python3"], "a client that leaves before the answer does not count after a restart", async () => {
  const answered = deferred();
  const left = deferred();
  await using subject = await running({
    onWebSocketRequest() {
      answered.resolve();
    },
  }, { maxConnections: 1 });
  reset(subject.port).then(left.resolve, left.reject);
  await Promise.all([answered.promise, left.promise]);
  await subject.server.restart();
  await disconnect(await connect(subject.url));
  // Deno never ends the upgrade of a connection that is reset before the answer.
}, { sanitizeOps: false });

Deno.test("a refused handshake has no header that belongs to an accepted one", async () => {
  await using subject = await running({
    onWebSocketRequest(_webServer, _request, response) {
      response.statusCode = 401;
      response["X-Why"] = "no password";
    },
  });
  using client = await RawWebSocket.open(subject.port, [...HANDSHAKE, "Sec-WebSocket-Protocol: a, b"]);
  const answer = await client.head();
  assertMatch(answer, /^HTTP\/1\.1 401 Unauthorized\r\n/);
  assertMatch(answer, /x-why: no password/);
  assert(!/sec-websocket-protocol/i.test(answer), answer);
});
