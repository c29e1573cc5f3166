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
    good: [[], ["127.0.0.1", "::1", "[2001:db8::1]"]],
    mistyped: ["127.0.0.1", [1]],
    out: [["localhost"], ["10.0.0.0/8"], ["1.2.3.400"]],
  },
  maxBodySize: { good: [0, MiB], mistyped: ["1", 1n], out: [-1, 1.5, NaN, Infinity] },
  maxBodyMemory: { good: [0, MiB], mistyped: ["1"], out: [-1] },
  maxFormFields: { good: [0, 5], mistyped: ["5"], out: [-1, 1.5] },
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

Deno.test("a parameter that is not there is a TypeError which lists those that are, with no value in it", () => {
  const { message } = assertThrows(() => new WebServer({ pasword: "hunter2" } as object), TypeError);
  assertStringIncludes(
    message,
    'Cannot set parameter "pasword": the parameters are active, port, localaddress, secure',
  );
  assert(!message.includes("hunter2"));
  assertThrows(() => new WebServer({ toString: 1 } as object), TypeError, '"toString"');
  assertThrows(() => new WebServer("9980" as never), TypeError, "an object");
  assertThrows(() => new WebServer({ active: true } as object), TypeError, "start()");
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
