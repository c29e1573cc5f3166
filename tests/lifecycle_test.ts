/** Starting, stopping, restarting and moving a server. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Callbacks, WebServer } from "../mod.ts";
import { connect, deferred, disconnect, once, printed, rawRequest, running } from "./helpers.ts";
import { freePort } from "./support/free_port.ts";

const local = { port: 0, localaddress: "127.0.0.1" };

/** A loopback port that something else has. */
function takenPort(): Disposable & { port: number } {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return { port: (listener.addr as Deno.NetAddr).port, [Symbol.dispose]: () => listener.close() };
}

/** Callbacks that record each start and stop. */
function recording(): { log: string[]; callbacks: Callbacks } {
  const log: string[] = [];
  const callbacks: Callbacks = {
    onServerStart: () => log.push("start"),
    onServerStop: async () => {
      await Promise.resolve();
      log.push("stop");
    },
  };
  return { log, callbacks };
}

/** A callback that answers with a text once `gate` is resolved; `arrived` is resolved when the first request is there. */
function held(text: string) {
  const gate = deferred();
  const arrived = deferred();
  const callbacks: Callbacks = {
    async onHTTPRequest() {
      arrived.resolve();
      await gate.promise;
      return new Response(text);
    },
  };
  return { gate, arrived, callbacks };
}

Deno.test("a new WebServer is stopped, and has the operator's defaults", () => {
  const server = new WebServer();
  const { port, localaddress, name, active } = server.parameters;
  assertEquals({ port, localaddress, name, active }, {
    port: 9980,
    localaddress: "",
    name: "webserver1",
    active: false,
  });
  assertEquals([server.active, server.address, server.name], [false, undefined, "webserver1"]);
  assert(Object.isFrozen(server.parameters));
});

Deno.test("start() runs it, stop() ends it; doing either twice is doing it once", async () => {
  const { log, callbacks } = recording();
  const server = new WebServer({ ...local, callbacks });
  await server.start();
  await server.start();
  const { url, port, hostname } = server.address!;
  assertEquals([server.active, server.parameters.active, server.info().server_running], [true, true, 1]);
  assertEquals([hostname, url], ["127.0.0.1", `http://127.0.0.1:${port}/`]);
  assertEquals((await rawRequest(port, "GET /")).slice(0, 12), "HTTP/1.1 404");
  await server.stop();
  await server.stop();
  assertEquals([server.active, server.parameters.active, server.info().server_running], [false, false, 0]);
  assertEquals(server.address, undefined);
  await assertRejects(() => Deno.connect({ port }), Deno.errors.ConnectionRefused);
  assertEquals(log, ["start", "stop"]);
});

Deno.test("on all interfaces the server answers over IPv4 and IPv6, and its url is localhost", async () => {
  await using server = new WebServer({ port: 0 });
  await server.start();
  const { port, url, hostname } = server.address!;
  assertEquals(url, `http://localhost:${port}/`);
  for (const host of hostname === "::" ? ["127.0.0.1", "[::1]", "localhost"] : ["127.0.0.1"]) {
    assertEquals(await (await fetch(`http://${host}:${port}/`)).text(), "<b>TouchDesigner: </b>webserver1");
  }
});

Deno.test("restart() stops and starts on the port it had, and does nothing while not active", async () => {
  const { log, callbacks } = recording();
  const server = new WebServer({ ...local, callbacks });
  await server.restart();
  assertEquals([log, server.active], [[], false]);
  await server.start();
  const { port } = server.address!;
  await server.restart();
  assertEquals([log, server.address!.port], [["start", "stop", "start"], port]);
  await server.stop();
});

Deno.test("set() changes name and callbacks in place, with sockets and requests undisturbed", async () => {
  const { gate, arrived, callbacks } = held("old");
  await using subject = await running(callbacks);
  const socket = await connect(subject.url);
  const slow = fetch(subject.url);
  await arrived.promise;
  await subject.server.set({
    name: "panel",
    callbacks: {
      onHTTPRequest: (webServer) => new Response(webServer.name),
      onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, `new ${data}`),
    },
  });
  assertEquals(await (await fetch(subject.url)).text(), "panel");
  const message = once(socket, "message");
  socket.send("code");
  assertEquals((await message).data, "new code");
  gate.resolve();
  assertEquals(await (await slow).text(), "old");
  assertEquals(subject.server.address!.port, subject.port);
  await disconnect(socket);
});

Deno.test("set({ port }) moves a running server, and stops and starts it once", async () => {
  const { log, callbacks } = recording();
  await using subject = await running({ ...callbacks, onHTTPRequest: () => new Response("moved") });
  const port = freePort();
  await subject.server.set({ port });
  assertEquals([subject.server.address!.port, log], [port, ["start", "stop", "start"]]);
  assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "moved");
  await assertRejects(() => Deno.connect({ port: subject.port }), Deno.errors.ConnectionRefused);
});

Deno.test("set({ localaddress }) moves a running server on its port, to an address that overlaps too", async () => {
  await using subject = await running({ onHTTPRequest: () => new Response("moved") });
  for (const localaddress of ["", "127.0.0.1"]) {
    await subject.server.set({ localaddress });
    assertEquals(subject.server.address!.port, subject.port);
    assertEquals(await (await fetch(`http://127.0.0.1:${subject.port}/`)).text(), "moved");
  }
});

Deno.test("set() with the present values does nothing", async () => {
  const log: string[] = [];
  await using subject = await running({ onServerStop: () => log.push("stop") });
  await subject.server.set({ ...subject.server.parameters });
  await subject.server.set({ port: 0, active: true });
  await subject.server.set({ port: undefined });
  await subject.server.set({ port: subject.port });
  assertEquals([log, subject.server.address!.port], [[], subject.port]);
});

Deno.test("set({ active }) starts and stops, together with other changes", async () => {
  const server = new WebServer({ localaddress: "127.0.0.1" });
  await server.set({ active: true, port: 0, name: "both" });
  assertEquals([server.active, server.name], [true, "both"]);
  await server.set({ active: false, port: 1 });
  assertEquals([server.active, server.parameters.port, server.address], [false, 1, undefined]);
});

Deno.test("a taken port is reported to onError once, in one clear sentence", async () => {
  using taken = takenPort();
  const errors: unknown[] = [];
  const server = new WebServer({
    port: taken.port,
    localaddress: "127.0.0.1",
    callbacks: { onError: (_webServer, error, name) => errors.push([name, error]) },
  });
  const error = await assertRejects(() => server.start(), Deno.errors.AddrInUse, `port ${taken.port}`);
  assertMatch(error.message, /another program uses it.*parameter "port"/);
  assertEquals([server.active, server.parameters.active, errors], [false, false, [["start", error]]]);
});

Deno.test("a move to an unavailable port changes nothing: the server stays on its port, with its sockets", async () => {
  using taken = takenPort();
  await using subject = await running({ onHTTPRequest: () => new Response("here") });
  const socket = await connect(subject.url);
  const before = subject.server.parameters;
  await assertRejects(() => subject.server.set({ port: taken.port, name: "other" }), Deno.errors.AddrInUse);
  await assertRejects(() => subject.server.set({ localaddress: "203.0.113.7" }), Deno.errors.AddrNotAvailable);
  assertEquals(subject.server.parameters, before);
  assertEquals(await (await fetch(subject.url)).text(), "here");
  assertEquals(subject.server.webSocketConnections.length, 1);
  await disconnect(socket);
});

Deno.test("a transition left un-awaited is safe when it fails, and is printed without onError", async () => {
  using taken = takenPort();
  const server = new WebServer({ port: taken.port, localaddress: "127.0.0.1", callbacks: {} });
  const lines = await printed("error", async () => {
    server.start();
    server.set({ port: -1 });
    await server.stop();
  });
  assertEquals(lines.length, 2);
  assertMatch(String(lines[0]), /^webserver1: Cannot listen on port \d+: another program uses it/);
  assertMatch(String(lines[1]), /^webserver1: Cannot set parameter "port" to -1/);
});

Deno.test("set() reads its argument when it is called, and rejects without blocking anything if it cannot", async () => {
  await using subject = await running();
  const change = { name: "first" };
  const done = subject.server.set(change);
  change.name = "second";
  await done;
  assertEquals(subject.server.name, "first");
  const unreadable = {
    get port(): number {
      throw null;
    },
  };
  assertEquals(await subject.server.set(unreadable).catch((error) => error), null);
  await subject.server.set({ name: "third", port: undefined });
  assertEquals([subject.server.name, subject.errors.length], ["third", 1]);
});

Deno.test("a hundred overlapping calls end in the state asked for last, starts and stops alternating", async () => {
  const ports = [freePort(), freePort()];
  for (const last of ["start", "stop"] as const) {
    const { log, callbacks } = recording();
    const server = new WebServer({ ...local, callbacks });
    const calls = [];
    for (let call = 0; call < 100; call++) {
      // A fixed, mixed-up order, so that a failure can be repeated.
      const choice = (call * 7919) % 5;
      if (choice === 0) calls.push(server.start());
      else if (choice === 1) calls.push(server.stop());
      else if (choice === 2) calls.push(server.restart());
      else calls.push(server.set({ port: ports[choice % 2]! }));
    }
    calls.push(server.set({ port: ports[0]! }), server[last]());
    await Promise.all(calls);
    assertEquals(server.active, last === "start");
    assertEquals(server.address?.port, last === "start" ? ports[0] : undefined);
    assert(log.length > 20, `only ${log.length} transitions`);
    assert(log.every((name, index) => name === (index % 2 ? "stop" : "start")), log.join());
    assertEquals(log.at(-1), last);
    await server.stop();
    assertEquals(log.at(-1), "stop");
  }
});

Deno.test("stop() lets an answer that is under way arrive, and refuses new requests in the meantime", async () => {
  const { gate, arrived, callbacks } = held("whole");
  await using subject = await running(callbacks, { shutdownTimeout: 60 });
  const answer = fetch(subject.url);
  await arrived.promise;
  const stopped = subject.server.stop();
  await Promise.resolve();
  // More than once, so that the stop would be over by then if it did not wait.
  for (let request = 0; request < 20; request++) {
    assertMatch(await rawRequest(subject.port, "GET /"), /^HTTP\/1.1 503 /);
  }
  gate.resolve();
  assertEquals(await (await answer).text(), "whole");
  await stopped;
});

Deno.test("the server may be stopped and restarted from inside its callbacks, un-awaited", async () => {
  const stopped = deferred();
  await using subject = await running({
    onHTTPRequest(webServer, request) {
      if (request.uri === "/restart") webServer.restart();
      else webServer.stop();
      return new Response(request.uri);
    },
    onServerStop: () => stopped.resolve(),
  });
  assertEquals(await (await fetch(`${subject.url}restart`)).text(), "/restart");
  await stopped.promise;
  await subject.server.set({});
  assertEquals(await (await fetch(`${subject.url}stop`)).text(), "/stop");
  await subject.server.set({});
  assertEquals(subject.server.active, false);
});

Deno.test("onServerStart and onServerStop that throw or reject are reported, and hinder nothing", async () => {
  const errors: string[] = [];
  const callbacks: Callbacks = {
    onServerStart() {
      throw new Error("no start");
    },
    onServerStop: () => Promise.reject(new Error("no stop")),
    onError: (_webServer, error, name) => errors.push(`${name}: ${(error as Error).message}`),
  };
  const server = new WebServer({ ...local, callbacks });
  await server.start();
  assertEquals([server.active, server.info().errors], [true, 1]);
  await server.stop();
  assertEquals([server.active, errors], [false, ["onServerStart: no start", "onServerStop: no stop"]]);
});

Deno.test("a start does not wait for onServerStart, a stop waits for onServerStop", async () => {
  const log: string[] = [];
  const callbacks: Callbacks = {
    onServerStart: () => new Promise(() => {}),
    onServerStop: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push("stopped");
    },
  };
  const server = new WebServer({ ...local, callbacks });
  await server.start();
  await server.stop();
  assertEquals(log, ["stopped"]);
});

Deno.test("`await using` stops the server", async () => {
  let server;
  {
    await using inner = new WebServer(local);
    await inner.start();
    server = inner;
  }
  assertEquals(server.active, false);
});

Deno.test("a request that comes by fetch() after a stop does not make another's server of it", async () => {
  const server = new WebServer(local);
  await server.start();
  await server.stop();
  const info = {
    remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 },
    completed: Promise.resolve(),
  } as const;
  await (await server.fetch(new Request("http://x/"), info)).text();
  assertEquals(server.active, false);
  await server.start();
  await server.stop();
});

for (const [how, wait] of [["awaits", true], ["returns", false]] as const) {
  Deno.test(`an error of a method that a callback ${how} is reported once`, async () => {
    await using subject = await running({
      async onHTTPRequest(webServer) {
        const set = webServer.set({ port: -1 });
        if (wait) await set;
        return set;
      },
    });
    const answer = await fetch(subject.url);
    await answer.body?.cancel();
    assertEquals([answer.status, subject.errors.map(({ name }) => name)], [500, ["set"]]);
  });
}
