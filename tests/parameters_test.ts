/** Parameters: the values that each accepts, and how a change takes effect on a running server. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { WebServer, type WebServerParameters } from "../mod.ts";
import { connect, deferred, once, running } from "./helpers.ts";

const MiB = 1 << 20;

/** Values that each parameter accepts, and values that it refuses, with the kind of error. */
const VALUES: {
  readonly [Name in keyof WebServerParameters]: { good: unknown[]; mistyped: unknown[]; out: unknown[] };
} = {
  active: { good: [false], mistyped: [1, "true", null], out: [] },
  port: { good: [0, 1, 65535], mistyped: ["9980", null, 1n, {}], out: [-1, 65536, 80.5, NaN, Infinity] },
  localaddress: {
    good: ["", "127.0.0.1", "::1", "fe80::1%eth0", "localhost"],
    mistyped: [1, null],
    out: ["a b", "a/b", "x\n"],
  },
  secure: { good: [false], mistyped: [0, "yes"], out: [] },
  privatekey: {
    good: ["", "a/b.key", new URL("file:///a.key")],
    mistyped: [1, null],
    out: [new URL("https://x/a.key")],
  },
  certificate: { good: ["", "a/b.crt", new URL("file:///a.crt")], mistyped: [1, []], out: [new URL("data:,x")] },
  password: { good: ["", "secret"], mistyped: [1, null, ["secret"]], out: [] },
  callbacks: {
    good: [{}, { onHTTPRequest() {} }, "show.ts", new URL("file:///show.ts")],
    mistyped: [1, null, { onHTTPRequest: 5 }, { onWebSocketRequest: "x" }],
    out: [""],
  },
  language: { good: ["input", "node"], mistyped: [1], out: ["typescript", ""] },
  extension: { good: ["dat", "language", "custom"], mistyped: [1], out: ["ts"] },
  customext: { good: ["", "mts"], mistyped: [1], out: [".ts", "a/b", "x".repeat(17)] },
  wordwrap: { good: ["input", "on", "off"], mistyped: [true], out: ["auto"] },
  name: { good: ["webserver2"], mistyped: [1], out: ["", "../x", "a b"] },
  watch: { good: [true], mistyped: ["on"], out: [] },
  origins: {
    good: [
      "same",
      "any",
      [],
      ["http://a.example:8080", "null"],
      ["same", "file://", "capacitor://localhost", "http://a.example:80", "http://bühne.local"],
    ],
    mistyped: [1, [1], null],
    out: ["all", ["http://a.example/"], ["a.example"], ["HTTP://A.example"], ["*"]],
  },
  trustedProxies: {
    good: [[], ["127.0.0.1", "::1", "[2001:db8::1]"], ["10.0.0.0/8", "fd00::/8", "loopback"]],
    mistyped: ["127.0.0.1", [1]],
    out: [
      ["localhost"],
      ["1.2.3.400"],
      ["01.2.3.4"],
      ["192.168.0.02/24"],
      ["10.0.0.0/33"],
      ["10.0.0.0/"],
      ["10.0.0/8"],
      ["fd00::/129"],
      ["loopback/8"],
    ],
  },
  maxBodySize: { good: [0, MiB], mistyped: ["1", 1n], out: [-1, 1.5, NaN, Infinity] },
  maxBodyMemory: { good: [0, MiB], mistyped: ["1"], out: [-1] },
  maxFormFields: { good: [0, 5], mistyped: ["5"], out: [-1, 1.5] },
  compression: { good: [true, false], mistyped: [1, "br"], out: [] },
  body: { good: ["buffer", "stream"], mistyped: [1], out: ["none"] },
  requestTimeout: { good: [0, 0.5, 60], mistyped: ["60"], out: [-1, NaN, 86_401] },
  maxConnections: { good: [0, 5], mistyped: ["5"], out: [-1, 1.5] },
  maxMessageSize: { good: [0, MiB], mistyped: ["1"], out: [-1] },
  maxBufferedAmount: { good: [0, MiB], mistyped: ["1"], out: [-1] },
  idleTimeout: { good: [0, 1, 3600], mistyped: ["30"], out: [-1, 0.5, 3601] },
  shutdownTimeout: { good: [0, 0.5, 60], mistyped: ["5"], out: [-1, Infinity] },
};

for (const [name, { good, mistyped, out }] of Object.entries(VALUES)) {
  Deno.test(`parameter "${name}" accepts valid values, and refuses others in one sentence without changing anything`, async () => {
    for (const value of good) {
      const server = new WebServer(name === "active" ? {} : { [name]: value });
      assertEquals(server.parameters[name as keyof WebServerParameters], value);
    }
    const server = new WebServer({ callbacks: { onError() {} } });
    const before = server.parameters;
    for (const [values, kind] of [[mistyped, TypeError], [out, RangeError]] as const) {
      for (const value of values) {
        const parameters = { port: 1, [name]: value };
        const { message } = assertThrows(() => new WebServer(parameters), kind);
        assertMatch(message, new RegExp(`^Cannot set parameter "${name}"[^\\n]*[^.\\n]$`));
        assertEquals((await assertRejects(() => server.set(parameters), kind)).message, message);
        assert(server.parameters === before);
      }
    }
  });
}

Deno.test("an unknown parameter is a TypeError that says what was meant, or names all, without the value", () => {
  const cases = [
    [{ prot: 1 }, 'Cannot set parameter "prot": there is no such parameter; did you mean "port"?'],
    [{ pasword: "hunter2" }, 'Cannot set parameter "pasword": there is no such parameter; did you mean "password"?'],
    [{ onHTTPRequest() {} }, 'parameter "onHTTPRequest": it is a callback, so put it into parameter "callbacks"'],
    [
      { xyzzy: "hunter2" },
      'Cannot set parameter "xyzzy": there is no such parameter; the parameters are active, port, ',
    ],
  ] as const;
  for (const [parameters, sentence] of cases) {
    const { message } = assertThrows(() => new WebServer(parameters as object), TypeError);
    assertStringIncludes(message, sentence);
    assert(!message.includes("hunter2"));
  }
  assertThrows(() => new WebServer({ toString: 1 } as object), TypeError, '"toString"');
  assertThrows(() => new WebServer("9980" as never), TypeError, "an object");
  assertThrows(() => new WebServer({ active: true } as object), TypeError, "start()");
});

Deno.test("an object of callbacks with a misspelt name is a TypeError with the right name, also as a method of a class", async () => {
  class Panel {
    onServerStrat() {}
  }
  const server = new WebServer({ callbacks: { onError() {} } });
  for (
    const [callbacks, was, meant] of [
      [{ onHttpRequest() {} }, "onHttpRequest", "onHTTPRequest"],
      [{ on_web_socket_open() {} }, "on_web_socket_open", "onWebSocketOpen"],
      [new Panel(), "onServerStrat", "onServerStart"],
    ] as const
  ) {
    const sentence = `Cannot set parameter "callbacks": nothing ever calls its "${was}". Name it "${meant}"`;
    assertEquals(assertThrows(() => new WebServer({ callbacks: callbacks as object }), TypeError).message, sentence);
    assertEquals(
      (await assertRejects(() => server.set({ callbacks: callbacks as object }), TypeError)).message,
      sentence,
    );
  }
});

Deno.test("an object of callbacks may hold other things: helpers, state, a value that is nearly named as a callback", () => {
  const callbacks = { onHTTPRequest() {}, onHttpRequest: 5, helper() {}, on: () => {}, clients: new Map() };
  new WebServer({ callbacks });
});

Deno.test("a wrong value is shown on one line, however large it is", () => {
  const large = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, "x\ny"]));
  for (const parameters of [{ port: large }, { callbacks: { onHTTPRequest: large } }, { name: new Error("x\ny") }]) {
    const { message } = assertThrows(() => new WebServer(parameters as object), TypeError);
    assertMatch(message, /^[^\n]{1,250}$/);
  }
});

Deno.test("undefined is absent, and the snapshot of the parameters is frozen with its lists", async () => {
  const server = new WebServer({ port: undefined, origins: ["http://a.example"], trustedProxies: ["::1"] });
  await server.set({ port: undefined, name: "other" });
  const { parameters } = server;
  assertEquals([parameters.port, parameters.name], [9980, "other"]);
  for (const frozen of [parameters, parameters.origins, parameters.trustedProxies]) assert(Object.isFrozen(frozen));
});

Deno.test("limits, origins, name and callbacks change in place: sockets and requests under way are undisturbed", async () => {
  const gate = deferred();
  const asked = deferred();
  let starts = 0;
  await using subject = await running({
    onServerStart: () => void starts++,
    async onHTTPRequest() {
      asked.resolve();
      await gate.promise;
      return new Response("old");
    },
  });
  const socket = await connect(subject.url);
  const pending = fetch(subject.url);
  await asked.promise;
  await subject.server.set({
    name: "other",
    origins: "any",
    trustedProxies: ["127.0.0.1"],
    maxBodySize: 5,
    maxBodyMemory: 10,
    requestTimeout: 0,
    maxConnections: 1,
    maxMessageSize: 7,
    maxBufferedAmount: 9,
    idleTimeout: 0,
    shutdownTimeout: 1,
    watch: false,
    wordwrap: "on",
    extension: "dat",
    customext: "x",
    language: "input",
    callbacks: {
      onHTTPRequest: (webServer, request) => Response.json([webServer.name, request.clientAddress]),
      onWebSocketReceiveText: (webServer, client, data) => void webServer.webSocketSendText(client, `new ${data}`),
    },
  });
  const echoed = once(socket, "message");
  socket.send("x");
  assertEquals((await echoed).data, "new x");
  const headers = { "x-forwarded-for": "203.0.113.7", origin: "http://evil.example" };
  const answer = await fetch(subject.url, { method: "POST", body: "12345", headers });
  const [name, client] = await answer.json();
  assertEquals([name, client.split(":")[0]], ["other", "203.0.113.7"]);
  gate.resolve();
  assertEquals(await (await pending).text(), "old");
  const closed = once(socket, "close");
  socket.send("12345678");
  assertEquals((await closed).code, 1009);
  assertEquals(starts, 1);
});

Deno.test("a change of several parameters at once is all or nothing", async () => {
  await using subject = await running();
  const before = subject.server.parameters;
  await assertRejects(() => subject.server.set({ name: "other", secure: true }), TypeError, '"privatekey"');
  await assertRejects(
    () => subject.server.set({ name: "other", callbacks: "not/there.ts" }),
    Deno.errors.NotFound,
    "not/there.ts",
  );
  await assertRejects(
    () => subject.server.set({ name: "other", localaddress: "192.0.2.1" }),
    Deno.errors.AddrNotAvailable,
  );
  assert(subject.server.parameters === before);
  assertEquals(await (await fetch(subject.url)).text(), "404 Not Found\n");
});

Deno.test("a list that is changed after the call of set() counts as it was", async () => {
  const server = new WebServer();
  const origins = ["same"];
  const set = server.set({ origins });
  origins.push("http://evil.example");
  await set;
  assertEquals(server.parameters.origins, ["same"]);
});

Deno.test("only names that begin like a callback's are taken for a misspelt one", () => {
  class Show {
    onHTTPRequest() {}
    error() {}
    close() {}
  }
  new WebServer({ callbacks: new Show() });
  assertThrows(
    () => new WebServer({ callbacks: { onHttpRequest() {} } as object }),
    TypeError,
    'Name it "onHTTPRequest"',
  );
});
