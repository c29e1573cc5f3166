/** The program: `mod.ts` on the command line, and a server as the default export for `deno serve`. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, disconnect, once } from "./helpers.ts";

const program = new URL("../mod.ts", import.meta.url).href;
const config = new URL("../deno.json", import.meta.url).pathname;

interface Program extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  /** The first line it printed. */
  readonly line: string;
  /** Waits for the end: what it printed in all, and how it ended. */
  ended(): Promise<{ code: number; signal: string | null; stdout: string; stderr: string }>;
}

function command(args: string[], permissions = ["--allow-net"]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    // Where a permission is missing, --no-prompt would hide a prompt; without a terminal a prompt is a failure.
    args: ["run", "--quiet", "--config", config, ...permissions, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function start(process: Deno.ChildProcess): Promise<Program> {
  const errors = new Response(process.stderr).text();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let stdout = "";
  while (!stdout.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The program ended: ${await errors}`);
    stdout += value;
  }
  const rest = (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) stdout += read.value;
  })();
  const ended = async () => {
    const [{ code, signal }, stderr] = await Promise.all([process.status, errors, rest]);
    return { code, signal, stdout, stderr };
  };
  return {
    process,
    line: stdout.split("\n")[0]!,
    ended,
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await ended();
    },
  };
}

/** Runs the program to its end. */
async function run(args: string[], permissions?: string[]) {
  const { code, stdout, stderr } = await command([program, ...args], permissions).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("the program says where it listens in one line, and answers with the template", async () => {
  await using running = await start(command([program, "--port", "0"]));
  assertMatch(running.line, /^webserver1 listens on http:\/\/localhost:\d+\/ \(all interfaces, port \d+\)$/);
  const url = running.line.match(/http:\S+/)![0];
  const answer = await fetch(`${url}any/path?x=1`);
  assertEquals(answer.headers.get("content-type"), "text/html; charset=utf-8");
  assertEquals([answer.status, await answer.text()], [200, "<b>TouchDesigner: </b>webserver1"]);

  const socket = await connect(url, "any/path");
  for (const sent of ["hello", new Uint8Array([0, 1, 255])]) {
    const echo = once(socket, "message");
    socket.send(sent);
    const { data } = await echo;
    assertEquals(typeof sent === "string" ? data : new Uint8Array(data), sent);
  }
  await disconnect(socket);
});

for (const signal of Deno.build.os === "windows" ? [] : ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`the program stops cleanly on ${signal}: sockets closed with 1001, exit code 0, nothing printed`, async () => {
    await using running = await start(command([program, "--port", "0"]));
    const socket = await connect(running.line.match(/http:\S+/)![0]);
    const closed = once(socket, "close");
    running.process.kill(signal);
    assertEquals((await closed).code, 1001);
    const { code, signal: ending, stdout, stderr } = await running.ended();
    assertEquals([code, ending, stdout, stderr], [0, null, `${running.line}\n`, ""]);
  });
}

Deno.test("the program takes parameters as flags", async () => {
  await using running = await start(
    command([program, "--port=0", "--localaddress", "127.0.0.1", "--name=panel"]),
  );
  assertMatch(running.line, /^panel listens on http:\/\/127\.0\.0\.1:\d+\/ \(127\.0\.0\.1\)$/);
  const answer = await fetch(running.line.match(/http:\S+/)![0]);
  assertEquals(await answer.text(), "<b>TouchDesigner: </b>panel");
});

Deno.test("a taken port is one clear sentence, with exit code 1", async () => {
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

Deno.test("a wrong command line is one sentence, with exit code 2", async () => {
  for (
    const [args, word] of [[["--prot", "1"], "--prot"], [["--port", "x"], '"port"'], [["stray"], "stray"]] as const
  ) {
    const { code, stdout, stderr } = await run([...args]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, word);
    assertMatch(stderr, /^[^\n]*--help[^\n]*\n$/);
  }
});

Deno.test("--help shows the flags, with exit code 0", async () => {
  const { code, stdout } = await run(["--help"]);
  assertEquals(code, 0);
  for (const flag of ["--port", "--localaddress", "--name"]) assertStringIncludes(stdout, flag);
});

Deno.test("importing the package needs no permission and does nothing", async () => {
  const source = `import { WebServer } from ${JSON.stringify(program)}; console.log(typeof WebServer)`;
  await using running = await start(
    command([`data:text/javascript,${encodeURIComponent(source)}`], ["--no-prompt", "--allow-import"]),
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
    const process = new Deno.Command(Deno.execPath(), {
      args: ["serve", "--quiet", "--config", config, "--port", "0", "--host", "127.0.0.1", `${directory}/panel.ts`],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await using running = await start(process);
    assertMatch(running.line, /^served listens on http:\/\/127\.0\.0\.1:\d+\/$/);
    const url = running.line.match(/http:\S+/)![0];
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
