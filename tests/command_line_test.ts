/** The command line: flags, commands, the request log. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import deno from "../deno.json" with { type: "json" };
import { parametersOf, parse } from "../internal/cli/flags.ts";
import { verifyPassword, WebServer } from "../mod.ts";
import { connect, disconnect, rawRequest } from "./helpers.ts";
import { program, run, startProgram, urlOf } from "./program.ts";
import { testWith, UNIX } from "./programs.ts";

/** A folder that is removed at the end. */
async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("a callbacks file may import the module that the program is", async () => {
  await using place = await folder();
  const path = `${place.path}/show.ts`;
  await Deno.writeTextFile(
    path,
    `import { challenge } from ${JSON.stringify(program)};
export const onHTTPRequest = () => new Response(typeof challenge);`,
  );
  await using running = await startProgram(["--callbacks", path], ["--allow-net", "--allow-read"]);
  assertEquals(await (await fetch(urlOf(running))).text(), "function");
});

Deno.test("an invalid command line is answered with one sentence that suggests a correction, and exit code 2", async () => {
  const cases: [args: string[], sentence: string][] = [
    [["--prot", "1"], "There is no flag --prot: did you mean --port?"],
    [["--maxbodysize", "1"], "There is no flag --maxbodysize: did you mean --maxBodySize?"],
    [["--xyzzy"], "There is no flag --xyzzy."],
    [["--password", "secret"], "use --password-file"],
    [["--port", "x"], 'Cannot set parameter "port" (--port) to "x"'],
    [["--port"], "--port"],
    [["--secure=yes"], "--secure"],
    [["--origins", "evil"], '"origins"'],
    [["--secure", "--password-file", "not/there"], "Cannot read the file of --password-file"],
    [["int"], 'There is no command "int": did you mean init?'],
    [["stray"], '"stray"'],
    [["--compression", "false"], '"false": a flag such as --secure takes no value'],
    [["show.ts"], 'There is no command "show.ts": did you mean --callbacks show.ts?'],
    [["my show.ts"], "did you mean --callbacks 'my show.ts'?"],
    [["8080"], "did you mean --port 8080?"],
    [["192.168.0.7"], "did you mean --localaddress 192.168.0.7?"],
    [["--privatekey", "key.pem"], "--privatekey has no effect without --secure"],
    [["--certificate", "cert.pem"], "--certificate has no effect without --secure"],
    [["--password-file", "not/there"], "--password-file has no effect without --secure"],
    [["--watch"], "--watch has no file to watch"],
    [["--watch", "--callbacks", "https://example.org/show.ts"], "--watch has no file to watch"],
    [["init", "a", "b"], '"b"'],
    [["init", "--port", "80"], "--port has no effect on init: leave it out"],
    [["hash-password", "--secure"], "--secure has no effect on hash-password"],
    [["touchdesigner", "--log"], "--log has no effect on touchdesigner"],
  ];
  for (const [args, sentence] of cases) {
    const { code, stdout, stderr } = await run(args, ["--allow-net", "--allow-read"]);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, sentence);
    assertMatch(stderr, /^[^\n]*--help[^\n]*\n$/);
    assert(!stderr.includes("secret"));
  }
});

Deno.test("--help has a line for every parameter but active, under 80 columns", async () => {
  const { code, stdout } = await run(["--help"]);
  assertEquals(code, 0);
  const lines = stdout.split("\n");
  assert(lines.length <= 65 && lines.every((line) => line.length < 80), stdout);
  for (const name of Object.keys(new WebServer().parameters)) {
    if (name !== "active") assertMatch(stdout, new RegExp(`^  --${name} +\\S.{10,}`, "m"));
  }
  assertStringIncludes(stdout, "\n  --password-file FILE ");
  assertMatch(stdout, /--port NUMBER +.*\(9980\)\n/);
});

Deno.test("--version is that of the package", async () => {
  assertEquals((await run(["--version"])).stdout, `${deno.version}\n`);
});

Deno.test("every kind of flag reaches its parameter", async () => {
  await using directory = await folder();
  await Deno.writeTextFile(
    `${directory.path}/show.dat`,
    `export function onHTTPRequest(webServer, request, response) {
  const { origins, trustedProxies, maxBodySize, requestTimeout, watch, language } = webServer.parameters;
  return Response.json([origins, trustedProxies, maxBodySize, requestTimeout, watch, language]);
}`,
  );
  const args = ["--origins", "http://a.example,http://b.example", "--trustedProxies", "10.0.0.1", "--maxBodySize", "5"];
  await using running = await startProgram(
    [...args, "--requestTimeout", "0.5", "--watch", "--callbacks", `${directory.path}/show.dat`],
    ["--allow-net", `--allow-read=${directory.path}`],
  );
  const answer = await (await fetch(urlOf(running))).json();
  assertEquals(answer, [["http://a.example", "http://b.example"], ["10.0.0.1"], 5, 0.5, true, "node"]);
});

Deno.test("a list may have spaces after its commas", async () => {
  const { values } = await parse(["--origins", "same, http://a.example"]);
  assertEquals(await parametersOf(values), { origins: ["same", "http://a.example"] });
});

Deno.test("init writes a callbacks file, never over another, and the program serves it", async () => {
  await using directory = await folder();
  const first = await run(["init", directory.path], [`--allow-write=${directory.path}`, "--allow-read"]);
  assertEquals([first.code, first.stderr], [0, ""]);
  const path = `${directory.path}/webserver1_callbacks.ts`;
  assertStringIncludes(first.stdout, path);
  const text = await Deno.readTextFile(path);
  const second = await run(["init", directory.path], [`--allow-write=${directory.path}`, "--allow-read"]);
  assertEquals(second.code, 1);
  assertStringIncludes(second.stderr, "already exists and was not changed");
  assertEquals(await Deno.readTextFile(path), text);
  await using running = await startProgram(["--callbacks", path], ["--allow-net", `--allow-read=${directory.path}`]);
  assertEquals(await (await fetch(urlOf(running))).text(), "<b>TouchDesigner: </b>webserver1");
});

Deno.test("init without the permission to write names the flag", async () => {
  const { code, stderr } = await run(["init"], []);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "--allow-write=webserver1_callbacks.ts");
});

Deno.test("a missing callbacks file is reported in one sentence, with exit code 1", async () => {
  const { code, stdout, stderr } = await run(["--port", "0", "--callbacks", "not/there.ts"], [
    "--allow-net",
    "--allow-read",
  ]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /^webserver1: Cannot load callbacks: there is no file ".*there\.ts"\n$/);
});

Deno.test("hash-password hashes the first line of standard input", async () => {
  const { code, stdout } = await run(["hash-password"], [], "grüß gott\n");
  assertEquals([code, await verifyPassword("grüß gott", stdout.trim())], [0, true]);
});

Deno.test("--log is one line for each request, without query, secrets or control characters", async () => {
  await using running = await startProgram(["--log"]);
  const port = Number(new URL(urlOf(running)).port);
  await rawRequest(port, "GET /a%0Ab?token=secret", ["Host: x", "Authorization: Basic c2VjcmV0OnNlY3JldA=="]);
  await rawRequest(port, "GET /gr\u00fc\u00df", ["Host: x/admin?"]);
  await rawRequest(port, "BREW /pot", ["Host: x"]);
  await disconnect(await connect(urlOf(running), "room?token=secret"));
  running.kill("SIGTERM");
  const { stdout } = await running.ended();
  const lines = stdout.trim().split("\n").slice(1);
  const expected = [/GET \/a%0Ab 200 OK/, /GET - 200 OK/, /BREW \/pot 200 OK/, /GET \/room 101 Switching Protocols/];
  // What --log says of WebSockets is in cli_log_test.ts.
  const sockets = lines.splice(expected.length);
  assertEquals(sockets.length, 2, stdout);
  assertEquals(lines.length, expected.length, stdout);
  for (const [index, line] of lines.entries()) {
    assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 127\.0\.0\.1:\d+ \S+ \S+ \d{3} [ -~]+ \d+\.\d ms$/);
    assertMatch(line, expected[index]!);
  }
  assert(!/secret|c2Vj/.test(stdout));
});

Deno.test("--log shows the reason phrase of a callback, without characters that control a terminal", async () => {
  await using directory = await folder();
  await Deno.writeTextFile(
    `${directory.path}/show.ts`,
    `export const onHTTPRequest = () => ({ statusCode: 202, statusReason: "Cue\\u001b[31m taken\\n", data: "" });`,
  );
  await using running = await startProgram(
    ["--log", "--callbacks", `${directory.path}/show.ts`],
    ["--allow-net", `--allow-read=${directory.path}`],
  );
  await (await fetch(urlOf(running))).text();
  running.kill("SIGTERM");
  assertMatch((await running.ended()).stdout, /GET \/ 202 Cue%1B\[31m taken%0A \d/);
});

testWith(
  [UNIX],
  "SIGUSR2 restarts on the same port with reloaded callbacks; a file that cannot be loaded changes nothing",
  async () => {
    await using directory = await folder();
    const path = `${directory.path}/show.ts`;
    const write = (text: string) =>
      Deno.writeTextFile(path, `export const onHTTPRequest = () => new Response("${text}");`);
    await write("one");
    await using running = await startProgram(
      ["--callbacks", path],
      ["--allow-net", `--allow-read=${directory.path}`],
    );
    const answer = async () => await (await fetch(urlOf(running))).text().catch(() => "");
    const becomes = async (text: string) => {
      while (await answer().catch(() => "") !== text);
    };
    await becomes("one");
    await write("two");
    running.kill("SIGUSR2");
    await becomes("two");
    await Deno.writeTextFile(path, "not a module (");
    running.kill("SIGUSR2");
    assertEquals(await answer(), "two");
    running.kill("SIGTERM");
    const { code, stderr } = await running.ended();
    assertEquals(code, 0);
    assertMatch(stderr, /^webserver1: Cannot load callbacks [^\n]*show\.ts[^\n]*\n$/);
  },
);

testWith([UNIX], "SIGTERM while a restart is under way ends the program with 0", async () => {
  await using directory = await folder();
  await Deno.writeTextFile(
    `${directory.path}/show.ts`,
    `export const onHTTPRequest = async (_webServer, { signal }) => {
console.log("asked");
await new Promise((resolve) => signal.addEventListener("abort", () => (console.log("restarting"), resolve())));
await new Promise((resolve) => setTimeout(resolve, 300));
};`,
  );
  await using running = await startProgram(
    ["--callbacks", `${directory.path}/show.ts`],
    ["--allow-net", `--allow-read=${directory.path}`],
  );
  using connection = await Deno.connect({ port: Number(new URL(urlOf(running)).port), hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await running.printed("asked");
  running.kill("SIGUSR2");
  await running.printed("restarting");
  running.kill("SIGTERM");
  assertEquals((await running.ended()).code, 0);
});

testWith([UNIX], "a second SIGINT ends the program at once", async () => {
  await using directory = await folder();
  await Deno.writeTextFile(
    `${directory.path}/show.ts`,
    `export const onHTTPRequest = (_webServer, { uri }) =>
uri === "/hang" ? (console.log("asked"), new Promise(() => {})) : new Response("fine");`,
  );
  await using running = await startProgram(
    ["--shutdownTimeout", "600", "--callbacks", `${directory.path}/show.ts`],
    ["--allow-net", `--allow-read=${directory.path}`],
  );
  using connection = await Deno.connect({ port: Number(new URL(urlOf(running)).port), hostname: "127.0.0.1" });
  await connection.write(new TextEncoder().encode("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"));
  await running.printed("asked");
  running.kill("SIGINT");
  // New requests are refused once the first signal has arrived.
  while (
    (await fetch(urlOf(running)).then(async (answer) => (await answer.text(), answer.status), () => 503)) !== 503
  );
  running.kill("SIGINT");
  assertEquals((await running.ended()).signal, "SIGINT");
});
