/** A server that loses its port to another program, or waits for a file that never ends: it comes back, and can be stopped. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { type Callbacks, WebServer } from "../mod.ts";
import { connect, deferred, disconnect, printed } from "./helpers.ts";
import { startProgram, startSource } from "./program.ts";
import { testWith } from "./programs.ts";
import { output } from "./support/program.ts";

/** A server whose port another program takes once, as soon as it is free. */
class Robbed implements AsyncDisposable {
  readonly server: WebServer;
  readonly errors: string[] = [];
  thief: Deno.Listener | undefined;
  starts = 0;

  constructor(callbacks: Callbacks = {}) {
    this.server = new WebServer({
      port: 0,
      localaddress: "127.0.0.1",
      callbacks: {
        onHTTPRequest: (webServer) => Response.json([webServer.active, webServer.name]),
        onServerStart: () => void this.starts++,
        onServerStop: (webServer) => {
          this.thief = Deno.listen({ hostname: "127.0.0.1", port: webServer.address!.port });
        },
        onError: (_webServer, error, name) => void this.errors.push(`${name}: ${(error as Error).message}`),
        ...callbacks,
      },
    });
  }

  /** Gives the port back, and waits until the server has it. */
  async giveBack(): Promise<void> {
    const { port } = this.thief!.addr as Deno.NetAddr;
    this.thief!.close();
    this.thief = undefined;
    while (this.server.address?.port !== port) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.thief?.close();
    await this.server.stop();
    // The last stop has taken it again.
    this.thief?.close();
  }
}

Deno.test("a restart whose port another program has taken says so, and the server comes back when the port is free", async () => {
  await using robbed = new Robbed();
  const { server } = robbed;
  await server.start();
  const { port, url } = server.address!;
  const socket = await connect(url);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  const error = await assertRejects(() => server.restart(), Deno.errors.AddrInUse);
  await closed;
  assertStringIncludes(
    error.message,
    `Cannot listen on port ${port}: another program uses it. Stop that program, or set parameter "port"`,
  );
  assertStringIncludes(error.message, "The server has lost its port and tries to listen again; stop() ends that");
  // The loss is reported once, and nothing listens until the port is back.
  assertEquals(robbed.errors, [`restart: ${error.message}`]);
  assertEquals([server.active, server.address, server.parameters.active], [false, undefined, true]);
  const lines = await printed("warn", async () => {
    await robbed.giveBack();
    assertEquals(await (await fetch(url)).json(), [true, "webserver1"]);
  });
  assertEquals(lines, [[`webserver1: The server listens again on ${url}`]]);
  assertEquals([robbed.starts, robbed.errors.length], [2, 1]);
  await disconnect(await connect(url));
});

Deno.test("stop() ends the attempts to listen again", async () => {
  await using robbed = new Robbed();
  const { server } = robbed;
  await server.start();
  const { port } = server.address!;
  await assertRejects(() => server.restart(), Deno.errors.AddrInUse);
  await server.stop();
  assertEquals([server.active, server.parameters.active, robbed.starts], [false, false, 1]);
  robbed.thief!.close();
  robbed.thief = undefined;
  // Nobody takes the port again: it stays free for as long as several attempts would take.
  for (let look = 0; look < 10; look++) {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals([server.active, robbed.starts, robbed.errors.length], [false, 1, 1]);
  // It can start as any other.
  await server.start();
  assertEquals([server.active, robbed.starts], [true, 2]);
});

Deno.test("start(), restart() and set() try at once to come back, on another port too", async () => {
  await using robbed = new Robbed();
  const { server } = robbed;
  await server.start();
  const { port } = server.address!;
  await assertRejects(() => server.restart(), Deno.errors.AddrInUse);
  await assertRejects(() => server.start(), Deno.errors.AddrInUse);
  await assertRejects(() => server.restart(), Deno.errors.AddrInUse);
  assertEquals(robbed.errors.map((error) => error.split(":")[0]), ["restart", "start", "restart"]);
  // Parameters that need no listener change at once.
  await server.set({ name: "renamed" });
  await server.set({ port: 0 }).catch(() => {});
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = (free.addr as Deno.NetAddr).port;
  free.close();
  await server.set({ port: other });
  assertEquals(server.address!.port, other);
  assertEquals(await (await fetch(server.address!.url)).json(), [true, "renamed"]);
  // The tries for the old port have ended.
  robbed.thief!.close();
  robbed.thief = undefined;
  Deno.listen({ hostname: "127.0.0.1", port }).close();
  assertEquals([server.address!.port, robbed.starts], [other, 2]);
});

Deno.test("a server with a saved certificate or a moved address that loses its port comes back as it was", async () => {
  await using robbed = new Robbed();
  const { server } = robbed;
  await server.start();
  const { port } = server.address!;
  // It has to leave the old address first, which overlaps with the new one.
  await assertRejects(() => server.set({ localaddress: "" }), Deno.errors.AddrInUse);
  assertEquals(server.parameters.localaddress, "127.0.0.1");
  await printed("warn", () => robbed.giveBack());
  assertEquals([server.active, server.address!.port, server.address!.hostname], [true, port, "127.0.0.1"]);
});

Deno.test("an onError that keeps restarting a server whose port is taken does not block other work, and succeeds when the port is free", async () => {
  const thief = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let tries = 0;
  const started = deferred();
  const server = new WebServer({
    port: (thief.addr as Deno.NetAddr).port,
    localaddress: "127.0.0.1",
    callbacks: {
      onServerStart: () => started.resolve(),
      onError(webServer) {
        tries++;
        webServer.start();
      },
    },
  });
  const begin = performance.now();
  server.start();
  // A timer gets its turns all the time.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 10));
  const most = 25 + (performance.now() - begin) / 40;
  assert(tries > 2 && tries < most, `${tries} tries, ${most} at most`);
  thief.close();
  await started.promise;
  await server.stop();
});

Deno.test("the program that lost its port goes on trying, and ends on SIGTERM with exit code 1", async () => {
  // The callbacks take the port while SIGUSR2 restarts the server.
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    path,
    `let thief;
     export const onServerStop = (webServer) => { thief ??= Deno.listen({ hostname: "127.0.0.1", port: webServer.address.port }); };
     export const onError = (webServer, error, name) => console.log("failed", name, error.message);`,
  );
  try {
    await using running = await startProgram(["--callbacks", path], ["--allow-net", `--allow-read=${path}`]);
    running.kill("SIGUSR2");
    await running.printed("failed restart Cannot listen on port");
    running.kill("SIGTERM");
    const { code, stdout } = await running.ended();
    assertEquals(code, 1);
    assertMatch(stdout, /tries to listen again; stop\(\) ends that/);
  } finally {
    await Deno.remove(path);
  }
});

testWith(
  ["mkfifo"],
  "a callbacks file that is replaced by a named pipe is refused at a save and at a restart, and stop() settles",
  async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/show.dat`;
    const errors: string[] = [];
    const told = deferred();
    try {
      await Deno.writeTextFile(path, `export const onHTTPRequest = () => new Response("one");`);
      const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: path, watch: true });
      const lines = await printed("error", async () => {
        await server.start();
        const { error } = console;
        console.error = (...values) => (error(...values), errors.push(String(values[0])), told.resolve());
        await Deno.remove(path);
        assertEquals((await output("mkfifo", [path])).code, 0);
        await told.promise;
        assertEquals(await (await fetch(server.address!.url)).text(), "one");
        const error2 = await assertRejects(() => server.restart(), TypeError);
        assertStringIncludes(error2.message, "it is a pipe or a device, not a file");
        assertEquals(await (await fetch(server.address!.url)).text(), "one");
        await server.stop();
        await assertRejects(() => server.start(), TypeError);
        assertEquals(server.active, false);
      });
      // That of the save: the test awaits the others.
      assertEquals(lines.length, 1);
      assertMatch(
        errors[0]!,
        /Cannot load callbacks "[^"]*show\.dat": it is a pipe or a device, not a file\. The callbacks from before stay in use$/,
      );
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

testWith(
  ["mkfifo"],
  "a certificate or a script that is a named pipe does not keep a server from its stop",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      assertEquals((await output("mkfifo", [`${directory}/pipe.ts`, `${directory}/key.pem`])).code, 0);
      await using program = await startSource(
        `
      const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: { onError() {} } });
      await server.start();
      console.log(server.address.port);
      const refused = [];
      const collect = (error) => refused.push(error.message);
      await server.set({ callbacks: ${JSON.stringify(`${directory}/pipe.ts`)} }).catch(collect);
      await server.set({ secure: true, privatekey: ${JSON.stringify(`${directory}/key.pem`)}, certificate: ${
          JSON.stringify(`${directory}/key.pem`)
        } }).catch(collect);
      await server.stop();
      console.log(JSON.stringify(refused));
      Deno.exit();
    `,
        ["--allow-all"],
      );
      const { code, stdout } = await program.ended();
      assertEquals(code, 0);
      assertEquals(JSON.parse(stdout.split("\n")[1]!).length, 2);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

Deno.test("twenty changes in a row that fail hold up the next one for less than a second", async () => {
  await using server = new WebServer({ port: 0, callbacks: { onError() {} } });
  const begin = performance.now();
  for (let change = 0; change < 20; change++) await assertRejects(() => server.set({ port: -1 }), RangeError);
  await server.set({ name: "next" });
  assertEquals(server.name, "next");
  const taken = performance.now() - begin;
  assert(taken < 4_000, `${taken} ms`);
});

/** The URL of a module that does not finish loading until `globalThis.loading` does. */
function slowModule(name: string): string {
  return `data:text/javascript,await globalThis.loading; export const onHTTPRequest = () => new Response("${name}")`;
}

Deno.test("stop() waits no longer than shutdownTimeout for any of several changes whose files are slow", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  (globalThis as { loading?: unknown }).loading = promise;
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    callbacks: { onError() {} },
    shutdownTimeout: 0.1,
  });
  await server.start();
  const modules = ["first", "second", "third"].map(slowModule);
  const changes = Promise.allSettled(modules.map((callbacks) => server.set({ callbacks })));
  await server.stop();
  for (const change of await changes) {
    assert(change.status === "rejected");
    assertEquals(change.reason.message, "The server was stopped before its files were read");
  }
  assertEquals(server.active, false);
  // It has patience again.
  const started = server.set({ callbacks: modules[0], active: true });
  resolve();
  await started;
  assertEquals(await (await fetch(server.address!.url)).text(), "first");
  await server.stop();
  for (const module of modules) await import(module);
});

Deno.test("stop() waits no longer than shutdownTimeout for a callbacks module to load", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  (globalThis as { loading?: unknown }).loading = promise;
  const module = slowModule("never");
  const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: module, shutdownTimeout: 0.1 });
  await printed("error", async () => {
    const started = server.start();
    started.catch(() => {});
    await server.stop();
    await assertRejects(() => started, Error, "The server was stopped before its files were read");
  });
  assertEquals(server.active, false);
  resolve();
  await import(module);
});
