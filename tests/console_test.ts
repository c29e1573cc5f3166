/** The output of the program: neither a dead output nor a flood of messages may cost an answer. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { WebServer } from "../mod.ts";
import { connect, disconnect, printed, rawRequest, running } from "./helpers.ts";
import { LINUX, testWith } from "./programs.ts";
import { CONFIG, PACKAGE } from "./support/deno.ts";
import { HANDSHAKE, handshake } from "./support/handshake.ts";

/** The callbacks of the program: errors of every kind, on demand. It says by which port it can be reached at the one given. */
const callbacks = (port: number) => `
export async function onServerStart(webServer) {
  const connection = await Deno.connect({ port: ${port}, hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode(String(webServer.address.port)));
  connection.close();
}
export function onHTTPRequest(webServer, request) {
  const text = request["X-Text"] ?? "";
  // All that comes is printed then.
  if (request["X-Clear"]) webServer.clearErrors();
  switch (request.uri) {
    case "/throw":
      throw new Error(text);
    case "/cause":
      throw new Error("outer", { cause: new TypeError(text) });
    case "/name":
      throw Object.assign(new Error("named"), { name: text, stack: text, [text]: text });
    case "/object":
      throw { [text]: [text], toString: () => text };
    case "/string":
      throw text;
    case "/unhandled":
      Promise.reject(new Error(text));
      break;
    case "/reason":
      return { statusCode: 200, statusReason: text, data: "" };
    case "/header":
      return { statusCode: 200, data: "", [text]: "a" };
    case "/nothing":
      return;
  }
  return new Response("fine");
}
export function onWebSocketReceiveText(webServer, client, data) {
  throw new Error(data);
}
`;

/** The program, somewhere. */
interface Running extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly port: number;
}

/** Starts the program by a shell, which may redirect its output, and learns its port without looking at that. */
async function startBy(redirection: string, ...args: string[]): Promise<Running> {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(path, callbacks(listener.addr.port));
  const deno = [Deno.execPath(), "run", "--quiet", "--allow-net", "--allow-read", "--config", CONFIG, PACKAGE];
  const server = ["--port", "0", "--localaddress", "127.0.0.1", "--callbacks", path, "--log", ...args];
  const process = new Deno.Command("sh", {
    args: ["-c", `exec "$0" "$@" ${redirection}`, ...deno, ...server],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let ended = false;
  process.status.then(() => {
    ended = true;
    try {
      listener.close();
    } catch {
      // It was of use.
    }
  });
  const connection = await listener.accept();
  const port = Number(await new Response(connection.readable).text());
  await Deno.remove(path);
  return {
    process,
    port,
    async [Symbol.asyncDispose]() {
      if (!ended) process.kill("SIGKILL");
      await process.status;
      // Whoever has read it has it locked.
      for (const output of [process.stdout, process.stderr]) if (!output.locked) await output.cancel();
    },
  };
}

const LONG = "x".repeat(200);

/** Sends requests that are logged, refused, and fail in a callback; each must be answered. */
async function exercise(port: number, requests: number): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const status = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`${url}${path}`, init);
    await answer.body?.cancel();
    return answer.status;
  };
  for (let round = 0; round < requests / 10; round++) {
    const statuses = await Promise.all(Array.from({ length: 10 }, (_, index) => status(`/${round}/${index}/${LONG}`)));
    assertEquals(new Set(statuses), new Set([200]));
  }
  for (let round = 0; round < 20; round++) {
    assertEquals(await status("/throw", { headers: { "X-Text": "x".repeat(10_000) } }), 500);
    assertEquals(await status("/nothing"), 404);
    assertEquals(await status("/unhandled"), 200);
    assertEquals(await status("/", { method: "POST", headers: { origin: `http://evil${round}.example` } }), 403);
  }
  const socket = await connect(`${url}/`);
  socket.send("thrown");
  await disconnect(socket);
}

/** More requests than a pipe and the lines that wait for it can hold, at one line of the log for each. */
const MANY = 1000;

const OUTPUTS: [what: string, redirection: string, requests: number][] = [
  ["a full disk as standard output", ">/dev/full", 50],
  ["a full disk as standard error", "2>/dev/full", 50],
  ["full disks as both outputs", ">/dev/full 2>&1", 50],
  ["a closed standard output", ">&-", 50],
  ["a closed standard error", "2>&-", 50],
  ["both outputs closed", ">&- 2>&-", 50],
  ["all three standard files closed", "<&- >&- 2>&-", 50],
  ["pipes that nobody reads", "", MANY],
  ["one pipe that nobody reads for both outputs", "2>&1", MANY],
  ["an output that cannot be written to", "</dev/null >&0 2>&0", 50],
];
for (const [what, redirection, requests] of OUTPUTS) {
  testWith([LINUX, "sh"], `the program answers, and ends, with ${what}`, async () => {
    await using running = await startBy(redirection);
    await exercise(running.port, requests);
    running.process.kill("SIGTERM");
    assertEquals((await running.process.status).code, 0);
  });
}

for (const output of ["stdout", "stderr"] as const) {
  testWith([LINUX, "sh"], `the program answers, and ends, when nobody has its ${output} open any more`, async () => {
    await using running = await startBy("");
    await running.process[output].cancel();
    await exercise(running.port, 50);
    running.process.kill("SIGTERM");
    assertEquals((await running.process.status).code, 0);
  });
}

testWith(
  [LINUX, "sh"],
  "an output that is read late has only whole lines, and says how many were dropped",
  async () => {
    await using running = await startBy("");
    await exercise(running.port, MANY);
    const stdout = new Response(running.process.stdout).text();
    running.process.kill("SIGTERM");
    const lines = (await stdout).trimEnd().split("\n");
    const isLogged = (line: string) => / GET \/\d+\/\d+\/x{200} 200 OK \d+\.\d ms$/.test(line);
    const logged = lines.filter(isLogged).length;
    const dropped = lines.flatMap((line) => {
      const match = /^\.\.\. dropped, since the output was not read in time: (\d+) lines$/.exec(line);
      return match ? [Number(match[1])] : [];
    });
    assert(logged > 100 && logged < MANY, `${logged} lines`);
    assert(dropped.length > 0);
    // One for the start, 81 of the other requests, and two of the WebSocket.
    assertEquals(lines.length - dropped.length + dropped.reduce((sum, count) => sum + count, 0), MANY + 84);
    assertEquals(lines.filter((line) => !/^(\S+ listens |\.\.\. |\d{4}-.* (?:ms|opens|closes \d+)$)/.test(line)), []);
  },
);

/** Characters that control a terminal or change how a line reads, except the line feed; as Latin-1 and as UTF-8. */
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

testWith(
  ["sh"],
  "nothing that a client sends can control the program's terminal or look like one of its lines",
  async () => {
    await using running = await startBy("");
    const { port } = running;
    const outputs = [running.process.stdout, running.process.stderr].map((output) => new Response(output).bytes());
    const escapes = ["\x1b[2J\x1b]0;owned\x07", "\x9b31m\x90\x9d", "\x7f\x08\x08", "\x0b\x0c", "webserver1 listens on"];
    for (const escape of escapes) {
      const headers = ["Host: x", "X-Clear: yes", `X-Text: a${escape}b`];
      for (const path of ["throw", "cause", "name", "object", "string", "unhandled", "reason", "header"]) {
        await rawRequest(port, `GET /${path}`, headers);
      }
      for (const target of [`/${escape}`, `/?${escape}`, `http://${escape}/`, `http://x${escape}/`]) {
        await rawRequest(port, `GET ${target.replaceAll(" ", "")}`, ["Host: x", "X-Clear: yes"]);
      }
      await rawRequest(port, "GET /", [`Host: ${escape}`]);
      await rawRequest(port, "POST /", ["Host: x", `Origin: http://${escape}`, "Content-Length: 0"]);
      await rawRequest(port, "POST /", ["Host: x", `Origin: ${escape}`, "Content-Length: 0"]);
      await rawRequest(port, `G${escape}T /`, ["Host: x"]);
      await rawRequest(port, "GET /", [...handshake("Connection"), `Sec-WebSocket-Protocol: ${escape}`]);
      const socket = await connect(`http://127.0.0.1:${port}/`);
      socket.send(`${escape}\nwebserver1: forged\r\nwebserver1: forged\rwebserver1: forged\u2028\u202eforged\u009b`);
      await disconnect(socket, 4000, escape.slice(0, 10));
    }
    running.process.kill("SIGTERM");
    assertEquals((await running.process.status).code, 0);
    let shown = "";
    for (const output of outputs) {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await output);
      assertEquals(OBEYED.exec(text.replaceAll("\n", "")), null);
      assertEquals(text.split("\n").filter((line) => line.startsWith("webserver1: forged")), []);
      shown += text;
    }
    // They were there.
    for (const escaped of ["\\u{9b}31m", "\\u{9d}", "\\u{202e}", "\n    webserver1: forged"]) {
      assertStringIncludes(shown, escaped);
    }
  },
);

/** Runs `body` with a clock that can be put forward; the throttle of messages goes by it. */
async function withClock(body: (forward: (seconds: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance;
  let ahead = 0;
  performance.now = () => now.call(performance) + ahead;
  try {
    await body((seconds) => void (ahead += seconds * 1000));
  } finally {
    performance.now = now;
  }
}

Deno.test("only a few errors of a flood are printed, and the next one says how many were not", async () => {
  await withClock(async (forward) => {
    await using server = await running({
      onHTTPRequest() {
        throw new Error("again");
      },
      // deno-lint-ignore no-explicit-any -- no callback at all, so that errors are printed
      onError: undefined as any,
    });
    const flood = async (count: number) => {
      for (let sent = 0; sent < count; sent++) await (await fetch(server.url)).body?.cancel();
    };
    const lines = await printed("error", async () => {
      await flood(500);
      forward(11);
      await flood(100);
      forward(21);
      await flood(1);
    });
    assertEquals(lines.map(([line]) => line), [
      ...Array(5).fill("webserver1: onHTTPRequest threw"),
      "webserver1: onHTTPRequest threw (495 more of this kind were not printed)",
      "webserver1: onHTTPRequest threw (99 more of this kind were not printed)",
    ]);
    // All are counted.
    assertEquals(server.server.info().errors, 601);
  });
});

Deno.test("floods of some kinds of messages do not hide other kinds", async () => {
  await using server = await running({
    onHTTPRequest(_webServer, { uri }) {
      if (uri !== "/nothing") throw new Error(uri);
    },
    onWebSocketReceiveText() {
      throw new Error("text");
    },
    onWebSocketReceiveBinary() {
      throw new Error("binary");
    },
    // deno-lint-ignore no-explicit-any -- no callback at all, so that errors are printed
    onError: undefined as any,
  }, { maxConnections: 1, name: "flooded" });
  const errors: unknown[] = [];
  const ask = async (path: string, init?: RequestInit) =>
    await (await fetch(`${server.url}${path}`, init)).body?.cancel();
  const warnings = await printed("warn", async () => {
    errors.push(
      ...await printed("error", async () => {
        for (let count = 0; count < 100; count++) {
          await ask("");
          await ask("", { method: "POST", headers: { origin: `http://evil${count}.example` } });
        }
        await ask("nothing");
        const socket = await connect(server.url);
        await rawRequest(server.port, "GET /", [...HANDSHAKE]);
        socket.send("text");
        socket.send(new Uint8Array(1));
        await disconnect(socket);
        // A later one of a kind that was flooded is dropped.
        await ask("", { method: "POST", headers: { origin: "http://late.example" } });
      }),
    );
  });
  const texts = (lines: unknown[][]) => lines.map(([line]) => String(line));
  assertEquals(texts(errors as unknown[][]), [
    ...Array(5).fill("flooded: onHTTPRequest threw"),
    "flooded: onWebSocketReceiveText threw",
    "flooded: onWebSocketReceiveBinary threw",
  ]);
  assertEquals(
    texts(warnings).map((line) => line.slice(0, 40)),
    [
      ...Array.from({ length: 5 }, (_, count) => `flooded: A web page from "http://evil${count}.example"`.slice(0, 40)),
      "flooded: onHTTPRequest returned nothing,",
      "flooded: A WebSocket was refused, since ",
    ].map((line) => line.slice(0, 40)),
  );
});

Deno.test("an error in new callbacks is printed, even if the old ones had many", async () => {
  const throwing = (message: string) => ({
    onHTTPRequest(): never {
      throw new Error(message);
    },
  });
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: throwing("old") });
  await server.start();
  const ask = async () => assertEquals((await rawRequest(server.address!.port, "GET /")).slice(9, 12), "500");
  const lines = await printed("error", async () => {
    for (let count = 0; count < 20; count++) await ask();
    await server.set({ callbacks: throwing("new") });
    await ask();
  });
  assertEquals(lines.map((line) => (line[1] as Error).message), ["old", "old", "old", "old", "old", "new"]);
});
