/** The program: `mod.ts` on the command line, and a server as the default export for `deno serve`. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect, disconnect, once, replyTo } from "./helpers.ts";
import { program, run, start, urlOf } from "./program.ts";

Deno.test("the program says where it listens in one line, and answers with the template", async () => {
  await using running = await start([program, "--port", "0"]);
  assertMatch(running.firstLine, /^webserver1 listens on http:\/\/localhost:\d+\/ \(all interfaces, port \d+\)$/);
  const url = urlOf(running);
  const answer = await fetch(`${url}any/path?x=1`);
  assertEquals(answer.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals([answer.status, await answer.text()], [200, "<b>TouchDesigner: </b>webserver1"]);

  const socket = await connect(url, "any/path");
  for (const sent of ["hello", new Uint8Array([0, 1, 255])]) {
    assertEquals(await replyTo(socket, sent), sent);
  }
  await disconnect(socket);
});

for (const signal of Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the program stops cleanly on ${signal}: sockets closed with 1001, exit code 0, nothing printed`, async () => {
    await using running = await start([program, "--port", "0", "--localaddress", "127.0.0.1"]);
    const socket = await connect(urlOf(running));
    const closed = once(socket, "close");
    running.kill(signal);
    assertEquals((await closed).code, 1001);
    const { code, signal: ending, stdout, stderr } = await running.ended();
    assertEquals([code, ending, stdout, stderr], [0, null, `${running.firstLine}\n`, ""]);
  });
}

Deno.test("the program accepts parameters as flags", async () => {
  await using running = await start([program, "--port=0", "--localaddress", "127.0.0.1", "--name=panel"]);
  assertMatch(running.firstLine, /^panel listens on http:\/\/127\.0\.0\.1:\d+\/ \(127\.0\.0\.1\)$/);
  const answer = await fetch(urlOf(running));
  assertEquals(await answer.text(), "<b>TouchDesigner: </b>panel");
});

Deno.test("a taken port is reported in one clear sentence, with exit code 1", async () => {
  using listener = Deno.listen({ port: 0, hostname: "0.0.0.0" });
  const { port } = listener.addr as Deno.NetAddr;
  const { code, stdout, stderr } = await run(["--port", String(port)]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    new RegExp(`^webserver1: Cannot listen on port ${port}: another program uses it\\. .*"port".*\n$`),
  );
});

Deno.test("without the permission to listen, the program names the flag and does not prompt", async () => {
  const { code, stderr } = await run(["--port", "9980"], []);
  assertEquals(code, 1);
  assertMatch(stderr, /^webserver1: Cannot listen on .*:9980: run Deno with --allow-net.*\n$/);
});

Deno.test("importing the package needs no permission and does nothing", async () => {
  const source = `import { WebServer } from ${JSON.stringify(program)}; console.log(typeof WebServer)`;
  await using running = await start(
    [`data:text/javascript,${encodeURIComponent(source)}`],
    ["--no-prompt", "--allow-import"],
  );
  const { code, stdout, stderr } = await running.ended();
  assertEquals([code, stdout, stderr], [0, "function\n", ""]);
});

Deno.test("`export default new WebServer()` is a program for deno serve, which owns the listener", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${directory}/panel.ts`,
      `import { WebServer } from ${JSON.stringify(program)};
       const refusals: string[] = [];
       const server = new WebServer({ name: "served", callbacks: {
         onServerStart: (webServer) => refusals.push(String(webServer.active)),
         onError: (_webServer, error) => refusals.push((error as Error).message),
         async onHTTPRequest(webServer) {
           for (const call of [webServer.start(), webServer.stop(), webServer.restart(), webServer.set({ port: 1 })]) {
             await call.catch(() => {});
           }
           await webServer.set({ name: "renamed" });
           return Response.json([webServer.name, webServer.active, webServer.address?.port, refusals]);
         },
         onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, data),
       } });
       export default server;`,
    );
    await using running = await start(
      [`${directory}/panel.ts`],
      ["--port", "0", "--host", "127.0.0.1"],
      "serve",
    );
    assertMatch(running.firstLine, /^served listens on http:\/\/127\.0\.0\.1:\d+\/$/);
    const url = urlOf(running);
    const [name, active, port, refusals] = await (await fetch(url)).json();
    assertEquals([name, active, `http://127.0.0.1:${port}/`], ["renamed", true, url]);
    assertEquals(refusals.length, 5);
    assertEquals(refusals[0], "true");
    assert(refusals.slice(1).every((message: string) => message.includes("deno serve")), refusals.join());
    const socket = await connect(url);
    const echo = once(socket, "message");
    socket.send("served too");
    assertEquals((await echo).data, "served too");
    await disconnect(socket);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
