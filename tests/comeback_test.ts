/** A server that loses its port, or cannot read its files: it says so, leaves others their turn, and can be stopped. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { WebServer } from "../mod.ts";
import { deferred, printed, running } from "./helpers.ts";
import { testWith } from "./programs.ts";

/** A server whose port is taken as soon as a restart has left it; with what `onError` was told. */
async function robbed() {
  let thief: Deno.TcpListener | undefined;
  const subject = await running({
    onServerStop: () => {
      thief ??= Deno.listen({ port: subject.port, hostname: "127.0.0.1" });
    },
    onHTTPRequest: () => ({ statusCode: 200, data: "here" }),
  });
  // The listener is closed by then, and onServerStop takes its port before it is opened again.
  await assertRejects(() => subject.server.restart(), Error);
  return { subject, leave: () => thief!.close() };
}

Deno.test("a server whose port is taken during a restart says so, and comes back when the port is free", async () => {
  const { subject, leave } = await robbed();
  await using _end = subject;
  assertEquals([subject.server.active, subject.server.parameters.active], [false, true]);
  assertEquals(subject.errors.length, 1);
  assertMatch(
    subject.errors[0]!.error.message,
    /another program uses it.* has lost its port and tries to listen again/,
  );
  await printed("warn", async () => {
    leave();
    while (!subject.server.active) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  assertEquals(await (await fetch(subject.url)).text(), "here");
});

Deno.test("stop() ends the tries to get the port back", async () => {
  const { subject, leave } = await robbed();
  await subject.server.stop();
  assertEquals([subject.server.active, subject.server.parameters.active], [false, false]);
  leave();
});

Deno.test("onError that starts again at once, on a port that is taken, leaves others their turn", async () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  let tries = 0;
  const many = deferred();
  await using server = new WebServer({
    port: taken.addr.port,
    localaddress: "127.0.0.1",
    callbacks: {
      onError(webServer) {
        if (++tries < 8) webServer.start();
        else many.resolve();
      },
    },
  });
  let turns = 0;
  const clock = setInterval(() => turns++, 1);
  await assertRejects(() => server.start(), Deno.errors.AddrInUse);
  await many.promise;
  clearInterval(clock);
  assert(turns >= 8, `${turns} turns`);
});

testWith(
  ["mkfifo"],
  "a callbacks file that becomes a named pipe is refused, and the server can be stopped",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const name of ["show.ts", "show.dat"]) {
        const path = `${folder}/${name}`;
        await Deno.writeTextFile(path, 'export const onHTTPRequest = () => new Response("fine");');
        const lines = await printed("error", async () => {
          const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: path, watch: true });
          await server.start();
          await new Deno.Command("mkfifo", { args: [`${path}.pipe`] }).output();
          await Deno.rename(`${path}.pipe`, path);
          while (server.info().errors === 0) await fetch(server.address!.url).then((answer) => answer.text());
          await server.stop();
        });
        assertStringIncludes(String(lines[0]), "it is a pipe or a device, not a file");
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("stop() waits no longer than shutdownTimeout for a callbacks module to load", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  (globalThis as { loading?: unknown }).loading = promise;
  const module = "data:text/javascript,await globalThis.loading; export const onHTTPRequest = () => {}";
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
