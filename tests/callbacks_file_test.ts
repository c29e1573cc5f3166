/** Callbacks that are a file: loaded, reloaded while the server runs, and written for an external editor. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { loadCallbacks } from "../internal/files/callbacks_module.ts";
import { template, WebServer, type WebServerParameters } from "../mod.ts";
import { connect, disconnect, once, printed, replyTo } from "./helpers.ts";
import { denoOutput } from "./support/deno.ts";
import { output } from "./support/program.ts";

/** A folder for one test, and files in it. */
class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync();

  /** Writes a file; returns its path. */
  async write(name: string, text: string): Promise<string> {
    await Deno.writeTextFile(join(this.path, name), text);
    return join(this.path, name);
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A module whose server answers with a word. */
const saying = (word: string) =>
  `import type { ResponseDictionary, WebServer } from "@webserver-dat/server";
export function onHTTPRequest(_webServer: WebServer, _request: unknown, response: ResponseDictionary) {
  response.statusCode = 200;
  response.data = "${word}";
  return response;
}
export function onWebSocketReceiveText(webServer: WebServer, client: string, data: string) {
  webServer.webSocketSendText(client, "${word} " + data);
}
`;

interface Running extends AsyncDisposable {
  readonly server: WebServer;
  readonly url: string;
  /** The answer to a request. */
  says(): Promise<string>;
}

async function running(parameters: Partial<Omit<WebServerParameters, "active">>): Promise<Running> {
  const server = new WebServer({ port: 0, localaddress: "127.0.0.1", ...parameters });
  await server.start();
  const { url } = server.address!;
  return {
    server,
    url,
    says: async () => await (await fetch(url)).text(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Asks again and again until it is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The error with which a server with these callbacks fails to start. */
async function refusal(callbacks: string | URL, language: "input" | "node" = "node"): Promise<Error> {
  const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks, language });
  let error: Error | undefined;
  await printed("error", async () => error = await assertRejects(() => server.start(), Error));
  assert(!server.active);
  return error!;
}

Deno.test("callbacks are loaded from a path, relative to the working directory or not, and from a URL", async () => {
  await using folder = new Folder();
  const path = await folder.write("a show #1.ts", saying("loaded"));
  const data = `data:application/typescript,${encodeURIComponent(saying("loaded"))}`;
  for (const callbacks of [path, relative(Deno.cwd(), path), pathToFileURL(path), pathToFileURL(path).href, data]) {
    await using subject = await running({ callbacks });
    assertEquals(await subject.says(), "loaded");
  }
});

Deno.test("callbacks may be JavaScript, and may be a default export, whose `this` they keep", async () => {
  await using folder = new Folder();
  const module = `export default { word: "by default", onHTTPRequest() { return new Response(this.word); } };`;
  for (const name of ["show.js", "show.mjs", "show.ts"]) {
    await using subject = await running({ callbacks: await folder.write(name, module) });
    assertEquals(await subject.says(), "by default");
  }
});

Deno.test("callbacks import files beside theirs, and packages of the import map", async () => {
  await using folder = new Folder();
  await folder.write("word.ts", `export const word: string = "imported";`);
  const show = `import { word } from "./word.ts";
import { STATUS_CODE } from "@std/http/status";
export const onHTTPRequest = () => new Response(word + STATUS_CODE.OK);`;
  await using subject = await running({ callbacks: await folder.write("show.ts", show) });
  assertEquals(await subject.says(), "imported200");
});

Deno.test('language "node" reads a file of any name as TypeScript, with packages of the import map', async () => {
  await using folder = new Folder();
  const show = `\uFEFFimport { STATUS_CODE } from "@std/http/status";
export const onHTTPRequest = (): Response => new Response("dat" + STATUS_CODE.OK);`.replaceAll("\n", "\r\n");
  await using subject = await running({ callbacks: await folder.write("webserver1_callbacks.dat", show) });
  assertEquals(await subject.says(), "dat200");
});

Deno.test("two servers with the same file each load it separately, as it is at that moment", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("one"));
  await using first = await running({ callbacks });
  await folder.write("show.ts", saying("two"));
  await using second = await running({ callbacks });
  assertEquals([await first.says(), await second.says()], ["one", "two"]);
});

Deno.test("a file that does not hold valid callbacks is refused in one sentence with file and line", async (t) => {
  await using folder = new Folder();
  await folder.write("half.ts", "export const other = ;");
  const cases: [what: string, name: string, text: string, name: string, message: RegExp][] = [
    ["a syntax error", "a.ts", "export function onHTTPRequest() {\n  return );\n}", "SyntaxError", /a\.ts:2:10: /],
    [
      "a syntax error in a file taken for TypeScript",
      "a.dat",
      "export const a: number = ;",
      "SyntaxError",
      /a\.dat:1:26: /,
    ],
    ["types in JavaScript", "a.js", "export const a: number = 1;", "SyntaxError", /a\.js:1:/],
    ["a syntax error in what it imports", "b.ts", 'import "./half.ts";', "SyntaxError", /b\.ts".*half\.ts:1:22: /],
    [
      "an import of no file",
      "c.ts",
      '\nimport "./nowhere.ts";',
      "Error",
      /c\.ts:2:8: Module not found ".*nowhere\.ts"$/,
    ],
    ["an import of no package", "d.ts", 'import "nowhere";', "Error", /d\.ts:1:8: Import "nowhere"/],
    [
      "a relative import in a file of any name",
      "e.dat",
      'import "./half.ts";',
      "Error",
      /e\.dat:1:8: .*\.ts.*Rename it$/,
    ],
    [
      "a module that throws",
      "f.ts",
      'export const a = 1;\nthrow new Error("boom");',
      "Error",
      /throws Error: boom \(.*f\.ts:2:7\)$/,
    ],
    [
      "a file of any name that throws",
      "f.dat",
      '\n\nJSON.parse("{");',
      "Error",
      /throws SyntaxError: .* \(.*f\.dat:3:6\)$/,
    ],
    ["a module that throws no error", "g.ts", 'throw "boom";', "Error", /throws "boom"$/],
    [
      "an export that is not a function",
      "h.ts",
      'export const onHTTPRequest = "a";',
      "TypeError",
      /onHTTPRequest is not a function, but "a"$/,
    ],
    [
      "another letter case",
      "i.ts",
      "export function onHttpRequest() {}",
      "TypeError",
      /"onHttpRequest".*Name it "onHTTPRequest"$/,
    ],
    ["Python's letter case", "j.ts", "export function on_server_start() {}", "TypeError", /Name it "onServerStart"$/],
    [
      "swapped letters",
      "k.ts",
      "export default { onWebSocketRecieveText() {} };",
      "TypeError",
      /Name it "onWebSocketReceiveText"$/,
    ],
    [
      "no callback at all",
      "l.ts",
      "function onHTTPRequest() {}",
      "TypeError",
      /exports none of onHTTPRequest, .*"export" in front of each callback$/,
    ],
    [
      "a function by default",
      "o.ts",
      "export default function onHTTPRequest() {}",
      "TypeError",
      /its default export is not an object. Write: export default \{ onHTTPRequest\(\)/,
    ],
    [
      "Python",
      "p.py",
      "def onHTTPRequest(webServerDAT, request, response):\n  return response\n",
      "SyntaxError",
      /p\.py:1:5: .*TypeScript: see docs\/porting\.md$/,
    ],
    [
      "callbacks by name and by default",
      "m.ts",
      "export default { onServerStart() {} }; export function onServerStop() {}",
      "TypeError",
      /some by their names and some by default/,
    ],
  ];
  for (const [what, name, text, kind, message] of cases) {
    await t.step(what, async () => {
      const error = await refusal(await folder.write(name, text));
      assertEquals(error.name, kind, error.message);
      assertMatch(error.message, message);
      assertMatch(error.message, /^Cannot load callbacks "[^\n]+[^.\n]$/);
      assertStringIncludes(error.message, name);
    });
  }

  await t.step("no file", async () => {
    for (const name of ["nowhere.ts", "nowhere.dat"]) {
      const error = await refusal(join(folder.path, name));
      assert(error instanceof Deno.errors.NotFound);
      assertEquals(error.message, `Cannot load callbacks: there is no file "${join(folder.path, name)}"`);
    }
  });

  await t.step('TypeScript in a file of any name, with language "input"', async () => {
    const error = await refusal(await folder.write("n.dat", "export const a: number = 1;"), "input");
    assertMatch(error.message, /n\.dat:1:.*"language" to "node"/);
  });

  await t.step("a syntax error in a data: URL", async () => {
    assertMatch((await refusal("data:text/javascript,let%20a=;")).message, /^Cannot load callbacks "data:.*:1:7: /);
  });
});

Deno.test("callbacks that never finish loading are abandoned, so the server can be stopped", async () => {
  const gate = Promise.withResolvers<void>();
  Object.assign(globalThis, { gate: gate.promise });
  const waiting = "await globalThis.gate; export function onServerStart() {}";
  await assertRejects(
    () => loadCallbacks(`data:text/javascript,${encodeURIComponent(waiting)}`, "node", 0.05),
    Error,
    "it did not load within 0.05 s",
  );
  gate.resolve();
});

/** Runs a program in the folder of the callbacks, with only these permissions; returns what it prints. */
async function program(folder: Folder, text: string, permissions: string[]): Promise<string> {
  await folder.write("program.ts", `import { WebServer } from "@webserver-dat/server";\n${text}`);
  const { stdout, stderr } = await denoOutput("run", ["--no-lock", ...permissions, "program.ts"], { cwd: folder.path });
  return stdout + stderr;
}

Deno.test("callbacks are loaded over http:, by the content type that they are sent with", async () => {
  await using folder = new Folder();
  await using host = await running({
    callbacks: {
      onHTTPRequest: (_webServer, _request, response) => ({
        ...response,
        statusCode: 200,
        "Content-Type": "application/typescript",
        data: saying("remote"),
      }),
    },
  });
  const text = `
const callbacks = "${host.url}show.dat";
const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks, watch: true });
await server.start();
console.log(await (await fetch(server.address!.url)).text());
await server.stop();`;
  const permissions = ["--allow-net=127.0.0.1", `--allow-import=${new URL(host.url).host}`];
  assertEquals(await program(folder, text, permissions), "remote\n");
});

Deno.test("a missing permission to load callbacks is named as the flag to add", async (t) => {
  await using folder = new Folder();
  await folder.write("word.ts", `export const word: string = "imported";`);
  await folder.write(
    "show.ts",
    `import { word } from "./word.ts";\nexport const onHTTPRequest = () => new Response(word);`,
  );
  await folder.write("show.dat", saying("dat"));
  const start = (callbacks: string) =>
    `void new WebServer({ port: 0, callbacks: ${JSON.stringify(callbacks)} }).start();`;
  for (
    const [callbacks, permission, missing] of [
      ["show.ts", "--allow-net", "--allow-read=show.ts"],
      ["show.ts", "--allow-read=show.ts", "--allow-read=word.ts"],
      ["show.dat", "--allow-net", "--allow-read=show.dat"],
      ["http://localhost:1/show.ts", "--allow-net", "--allow-import=localhost:1"],
    ] as const
  ) {
    await t.step(`${callbacks} without ${missing}`, async () => {
      assertEquals(
        await program(folder, start(callbacks), [permission]),
        `webserver1: Cannot load callbacks "${callbacks}": run Deno with ${missing}\n`,
      );
    });
  }
});

Deno.test("a saved file is live, needs the permission to read just it, and lets a stopped server's process end", async () => {
  await using folder = new Folder();
  await folder.write("show.ts", saying("one"));
  const text = `
const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: "show.ts", watch: true });
await server.start();
const says = async () => await (await fetch(server.address!.url)).text();
console.log(await says());
await Deno.writeTextFile("show.ts", ${JSON.stringify(saying("two"))});
while (await says() === "one");
console.log(await says());
await server.stop();`;
  const permissions = ["--allow-net=127.0.0.1", "--allow-read=show.ts", "--allow-write=show.ts"];
  const printed = await program(folder, text, permissions);
  assertEquals(printed.replace("webserver1: The saved callbacks are in use\n", ""), "one\ntwo\n");
});

Deno.test("open WebSockets stay open when callbacks are saved, and use the new ones", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("one"));
  await using subject = await running({ callbacks, watch: true });
  const socket = await connect(subject.url);
  const echo = async () => {
    const message = once(socket, "message");
    socket.send("hello");
    return (await message).data;
  };
  assertEquals(await echo(), "one hello");
  await folder.write("show.ts", saying("two"));
  await until(async () => await echo() === "two hello");
  assertEquals(subject.server.webSocketConnections.length, 1);
  await disconnect(socket);
});

Deno.test("a file of any name is live when saved, too", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("webserver1_callbacks.dat", saying("one"));
  await using subject = await running({ callbacks, watch: true });
  await folder.write("webserver1_callbacks.dat", saying("two"));
  await until(async () => await subject.says() === "two");
});

Deno.test("each save is live when the editor renames a new file over the old one", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("save 0"));
  await using subject = await running({ callbacks, watch: true });
  for (const word of ["save 1", "save 2", "save 3"]) {
    await Deno.rename(await folder.write(".show.ts.swp", saying(word)), callbacks);
    await until(async () => await subject.says() === word);
  }
});

Deno.test("a file whose folder goes away keeps its callbacks, and is live again when it is back", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("one"));
  await using subject = await running({ callbacks, watch: true });
  await Deno.rename(folder.path, `${folder.path}.away`);
  assertEquals(await subject.says(), "one");
  await Deno.mkdir(folder.path);
  await folder.write("show.ts", saying("two"));
  await until(async () => await subject.says() === "two");
  await Deno.remove(`${folder.path}.away`, { recursive: true });
});

Deno.test("a saved file that does not load changes nothing and is reported once, and the next good one is live", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("one"));
  await using subject = await running({ callbacks, watch: true });
  const lines = await printed("error", async () => {
    await folder.write("show.ts", "export function onHTTPRequest( {");
    await until(() => subject.server.info().errors > 0);
    assertEquals(await subject.says(), "one");
    await folder.write("show.ts", saying("two"));
    await until(async () => await subject.says() === "two");
  });
  assertEquals(subject.server.info().errors, 1);
  assertEquals(lines.length, 1);
  assertMatch(String(lines[0]), /^webserver1: Cannot load callbacks ".*show\.ts": .*show\.ts:1:\d+: /);
});

Deno.test("a saved file that does not load is reported to the onError that is running", async () => {
  await using folder = new Folder();
  const heard = `export function onError(_webServer: unknown, error: Error) { globalThis.heard.push(error.message); }`;
  const callbacks = await folder.write("show.ts", `${saying("one")}declare global { var heard: string[]; }\n${heard}`);
  globalThis.heard = [];
  await using _subject = await running({ callbacks, watch: true });
  await folder.write("show.ts", "export const a = 1;");
  await until(() => globalThis.heard.length > 0);
  assertMatch(globalThis.heard[0]!, /^Cannot load callbacks ".*show\.ts": it exports none/);
});

declare global {
  /** The messages of the test above. */
  var heard: string[];
}

Deno.test("saving a file resets its variables, and keeps those of a module that it imports", async () => {
  await using folder = new Folder();
  await folder.write("state.ts", "export const state = { visits: 0 };");
  const counting = (word: string) =>
    `import { state } from "./state.ts";
let visits = 0;
export const onHTTPRequest = () => new Response(\`${word} \${++visits} \${++state.visits}\`);`;
  const callbacks = await folder.write("show.ts", counting("one"));
  await using subject = await running({ callbacks, watch: true });
  assertEquals(await subject.says(), "one 1 1");
  await folder.write("state.ts", "export const state = { visits: 1000 };");
  await folder.write("show.ts", counting("two"));
  let said = "";
  let asked = 1;
  await until(async () => {
    asked++;
    return (said = await subject.says()).startsWith("two");
  });
  assertEquals(said, `two 1 ${asked}`);
});

Deno.test("without watch, a save changes nothing", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("one"));
  await using subject = await running({ callbacks });
  // A second server does watch the file, and shows when the save would be live.
  await using witness = await running({ callbacks, watch: true });
  await folder.write("show.ts", saying("two"));
  await until(async () => await witness.says() === "two");
  assertEquals(await subject.says(), "one");
});

Deno.test("500 reloads under load lose no request", async () => {
  await using folder = new Folder();
  const callbacks = await folder.write("show.ts", saying("save 0"));
  await using subject = await running({ callbacks });
  const answers = new Set<string>();
  let asking = true;
  const clients = Array.from({ length: 4 }, async () => {
    while (asking) answers.add(await subject.says());
  });
  for (let save = 1; save <= 500; save++) {
    await folder.write("show.ts", saying(`save ${save}`));
    await subject.server.set({ callbacks: new URL(`${pathToFileURL(callbacks)}?${save}`) });
  }
  asking = false;
  await Promise.all(clients);
  assertEquals(await subject.says(), "save 500");
  assert(answers.size > 1);
  assert([...answers].every((answer) => /^save \d+$/.test(answer)), [...answers].join());
  assertEquals(subject.server.info().errors, 0);
});

Deno.test("exposeCallbacks() names the file by the parameters, and returns its path", async () => {
  await using folder = new Folder();
  const server = new WebServer({ name: "panel" });
  assertEquals(await server.exposeCallbacks(folder.path), join(folder.path, "panel_callbacks.ts"));
  await server.set({ extension: "dat" });
  assertEquals(await server.exposeCallbacks(folder.path), join(folder.path, "panel_callbacks.dat"));
  await server.set({ extension: "custom", customext: "tsx" });
  assertEquals(await server.exposeCallbacks(folder.path), join(folder.path, "panel_callbacks.tsx"));
  const files = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  assertEquals(files, ["panel_callbacks.dat", "panel_callbacks.ts", "panel_callbacks.tsx"]);
});

Deno.test("exposeCallbacks() never writes over a file", async () => {
  await using folder = new Folder();
  const path = await folder.write("webserver1_callbacks.ts", "// mine");
  const error = await assertRejects(() => new WebServer().exposeCallbacks(folder.path), Deno.errors.AlreadyExists);
  assertStringIncludes(error.message, path);
  assertEquals(await Deno.readTextFile(path), "// mine");
});

Deno.test("exposeCallbacks() says which folder is missing, and which extension is invalid", async () => {
  await using folder = new Folder();
  const nowhere = join(folder.path, "nowhere");
  const error = await assertRejects(() => new WebServer().exposeCallbacks(nowhere), Deno.errors.NotFound);
  assertStringIncludes(error.message, nowhere);
  for (const customext of ["js", "../ts", ""]) {
    await assertRejects(
      async () => {
        const server = new WebServer({ extension: "custom", customext });
        await server.exposeCallbacks(folder.path);
      },
      RangeError,
      '"customext"',
    );
  }
});

Deno.test("exposeCallbacks() needs permission to write only its file, and names that permission", async () => {
  await using folder = new Folder();
  const expose = `await new WebServer().exposeCallbacks(".").then(console.log, (error) => console.log(error.message));`;
  const flag = "--allow-write=webserver1_callbacks.ts";
  const refused = await program(folder, expose, []);
  assertEquals(refused, `Cannot write the callbacks to "webserver1_callbacks.ts": run Deno with ${flag}\n`);
  assertEquals(await program(folder, expose, [flag]), "webserver1_callbacks.ts\n");
});

Deno.test("the file for an editor behaves as the template, and has all of its callbacks", async () => {
  await using folder = new Folder();
  for (const extension of ["language", "dat"] as const) {
    const file = await new WebServer({ extension }).exposeCallbacks(folder.path);
    for (const callbacks of [template, file]) {
      await using subject = await running({ callbacks, name: "stage" });
      const answer = await fetch(`${subject.url}any?x=1`, { method: "POST", body: "body" });
      assertEquals([answer.status, answer.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
      assertEquals(await answer.text(), "<b>TouchDesigner: </b>stage");
      const socket = await connect(subject.url);
      for (const sent of ["hello", new Uint8Array([0, 1, 255])]) {
        assertEquals(await replyTo(socket, sent), sent);
      }
      await disconnect(socket);
      const { errors, warnings } = subject.server.info();
      assertEquals([errors, warnings], [0, 0]);
    }
    const written = await Deno.readTextFile(file);
    for (const name of Object.keys(template)) assertStringIncludes(written, `export function ${name}(`);
  }
});

Deno.test("the file for an editor passes `deno check` with the command in it, even with its comments turned into code", async () => {
  await using folder = new Folder();
  const text = await Deno.readTextFile(await new WebServer().exposeCallbacks(folder.path));
  const [settings, name] = /^.* file: deno check --config "([^"]+)" (\S+)$/m.exec(text)!.slice(1) as [string, string];
  const check = async (...names: string[]) => {
    const args = ["check", "--quiet", "--no-lock", "--config", settings, ...names];
    const { code, stderr } = await output(Deno.execPath(), args, { cwd: folder.path });
    return { code, errors: stderr };
  };
  const [active, commented] = text.split("// Two more callbacks, which the operator does not have:\n//\n") as [
    string,
    string,
  ];
  await folder.write("all.ts", active + commented.replaceAll(/^\/\/ ?/gm, ""));
  assertEquals(await check(name, "all.ts"), { code: 0, errors: "" });

  // An editor would mark this, since the types are those of this package.
  await folder.write("wrong.ts", text.replace("response.statusCode = 200", 'response.statusCode = "200"'));
  const { code, errors } = await check("wrong.ts");
  assertEquals(code, 1);
  assertMatch(errors, /Type 'string' is not assignable to type 'number'/);
});

Deno.test("callbacks by an invalid URL are refused in one sentence", async () => {
  const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: "http://[" });
  await assertRejects(() => server.start(), TypeError, 'Cannot load callbacks "http://[": it is not a valid URL');
});
