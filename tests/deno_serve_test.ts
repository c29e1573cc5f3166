/** A server under `deno serve`: the parameters that it accepts and refuses, and how it ends. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { once } from "./helpers.ts";
import { program, start, urlOf } from "./program.ts";

/** Runs `body` with a module whose default export is a server with these parameters. */
async function withModule(parameters: string, body: (module: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const module = `${directory}/panel.ts`;
    await Deno.writeTextFile(
      module,
      `import { WebServer } from ${JSON.stringify(program)};
       export default new WebServer({ callbacks: {
         onWebSocketClose: (_webServer, _client, code) => console.log("closed with", code),
         onWebSocketOpen: (webServer, client) => webServer.webSocketSendText(client, client),
         onServerStop: () => console.log("stopped"),
         onHTTPRequest: (webServer, request) => Response.json([webServer.address?.url ?? null, request.serverAddress]),
       }, ${parameters} });`,
    );
    await body(module);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const serve = (module: string, ...flags: string[]) =>
  start([...flags, "--port", "0", "--host", "127.0.0.1", module], ["--allow-net"], "serve");

for (
  const [parameters, sentence] of [
    [
      'secure: true, privatekey: "k.pem", certificate: "c.pem"',
      /Cannot keep parameter "secure": `deno serve` serves plain HTTP/,
    ],
    [
      "port: 9",
      /Cannot keep parameter "port" set to 9: `deno serve` listens on \d+. Leave it out and run `deno serve --port 9`/,
    ],
    [
      'localaddress: "127.0.0.2"',
      /Cannot keep parameter "localaddress" set to "127.0.0.2": `deno serve` listens on 127.0.0.1. /,
    ],
  ] as const
) {
  Deno.test(`deno serve ends with an error for a parameter that it cannot keep: ${parameters}`, async () => {
    await withModule(parameters, async (module) => {
      const { message } = await assertRejects(() => serve(module), Error);
      assertMatch(message, sentence);
    });
  });
}

Deno.test("deno serve ends with an error for a server that its program has started already", async () => {
  await withModule("port: 0", async (module) => {
    const text = await Deno.readTextFile(module);
    await Deno.writeTextFile(
      module,
      `${text.replace("export default new", "const server = new")}
       await server.start();
       export default server;`,
    );
    const { message } = await assertRejects(() => serve(module), Error);
    assertMatch(
      message,
      /Cannot serve by `deno serve`: the server has been started already. Leave out server.start\(\)/,
    );
  });
});

Deno.test("deno serve accepts the address that it listens on, and port 0 for any port", async () => {
  await withModule('localaddress: "127.0.0.1", port: 0', async (module) => {
    await using running = await serve(module);
    assertMatch(running.firstLine, /listens on http:\/\/127\.0\.0\.1:\d+\/$/);
  });
});

for (const signal of Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} to deno serve closes WebSockets with 1001, and calls onServerStop`, async () => {
    await withModule("", async (module) => {
      await using running = await serve(module);
      const socket = new WebSocket(urlOf(running).replace("http", "ws"));
      // The greeting of onWebSocketOpen.
      await once(socket, "message");
      const closed = once(socket, "close");
      running.kill(signal);
      assertEquals((await closed).code, 1001);
      const { code, stdout } = await running.ended();
      assertEquals(code, 0);
      assertStringIncludes(stdout, "closed with 1001\nstopped\n");
    });
  });
}

Deno.test("deno serve --parallel: every worker knows the address at which it was asked", async () => {
  await withModule("", async (module) => {
    await using running = await serve(module, "--parallel");
    const url = urlOf(running);
    // Each connection may reach another worker.
    const answers = await Promise.all(Array.from({ length: 50 }, async () => {
      const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      try {
        return await (await fetch(url, { client })).json();
      } finally {
        client.close();
      }
    }));
    for (const [address, serverAddress] of answers) {
      assertEquals(serverAddress, new URL(url).host);
      if (address !== null) assertEquals(address, url);
    }
  });
});
