/** The callback files of the porting guide: TypeScript and Python answer alike, and the guide shows these very files. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { WebServer } from "../../mod.ts";
import { CALLBACK_NAMES } from "../../internal/operator/callback_names.ts";
import { disconnect, once } from "../helpers.ts";
import { StandIn } from "../touchdesigner/stand_in.ts";
import { freePort } from "../support/free_port.ts";
import { testWith } from "../programs.ts";
import { output } from "../support/program.ts";

const root = new URL("../../", import.meta.url);

type Event =
  | { method: string; uri: string; headers?: Record<string, string>; body?: string }
  | { open: string }
  | { from: string; text: string };

interface Result {
  readonly response: Record<string, string | number> | null;
  readonly sent: [client: string, text: string][];
}

/** By the name of an operator, what it has stored, and how often it was pulsed. */
type State = Record<string, [storage: Record<string, unknown>, pulses: number]>;

/** What the Python callbacks do at each event, and what they leave in TouchDesigner's operators. */
async function python(
  script: string,
  folder: string,
  events: Event[],
): Promise<{ results: Result[]; operators: State }> {
  const harness = new URL("touchdesigner.py", import.meta.url).pathname;
  const args = [harness, `${import.meta.dirname}/../../examples/porting/${script}`, folder];
  const { stdout } = await output("python3", args, { input: JSON.stringify(events) });
  return JSON.parse(stdout);
}

/** The command that the first line of a file names, in a folder with a copy of the examples, on free loopback ports. */
async function start(script: string, folder: string, linkPort: number): Promise<{ url: string } & AsyncDisposable> {
  await Deno.mkdir(`${folder}/examples/porting`, { recursive: true });
  for await (const { name } of Deno.readDir(new URL("examples/porting/", root))) {
    const text = await Deno.readTextFile(new URL(`examples/porting/${name}`, root));
    const linked = text.replace("new TouchDesigner()", `new TouchDesigner({ port: ${linkPort} })`);
    await Deno.writeTextFile(`${folder}/examples/porting/${name}`, linked);
  }
  const [firstLine] = (await Deno.readTextFile(`${folder}/examples/porting/${script}`)).split("\n");
  const [, permissions, flags] = /^\/\/ deno run (.*) mod\.ts (--callbacks .*)$/.exec(firstLine!)!;
  const loopback = ["--port", "0", "--localaddress", "127.0.0.1"];
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-lock", "--no-prompt", ...permissions!.split(" ")],
      // The project is elsewhere than the copy of its examples.
      `--allow-read=${fileURLToPath(root)}`,
      ...[new URL("mod.ts", root).href, ...flags!.split(" "), ...loopback],
    ],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  return {
    url: /http:\S+/.exec(value!)![0],
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await reader.cancel();
      await process.status;
    },
  };
}

const json = (text: string | number | undefined) => JSON.parse(String(text));

/** TouchDesigner, with operators of these names. */
async function standIn(names: string[], linkPort: number): Promise<StandIn> {
  const td = new StandIn();
  await td.do(`
for name in ${JSON.stringify(names)}:
    operator = textDAT(project1, name)
    operator.text = 'the text of ' + name
    operator.add('reloadpulse', 'Pulse')
`);
  await td.connect(`http://127.0.0.1:${linkPort}/`);
  await td.until("project1.op('deno_websocket').fetch('deno_limit', search=False) is not None");
  return td;
}

/** Both sides of an example go through the same events. */
async function compare(name: string, events: Event[]): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { results: expected, operators } = await python(`${name}.py`, folder, events);
    await Deno.remove(`${folder}/uploads`, { recursive: true }).catch(() => {});
    const names = Object.keys(operators);
    const linkPort = freePort();
    await using server = await start(`${name}.ts`, folder, linkPort);
    await using td = names.length === 0 ? undefined : await standIn(names, linkPort);
    const sockets = new Map<string, { socket: WebSocket; messages: unknown[]; expected: unknown[] }>();
    for (const [index, event] of events.entries()) {
      const { response, sent } = expected[index]!;
      for (const [client, text] of sent) sockets.get(client)?.expected.push(text.startsWith("{") ? json(text) : text);
      if ("open" in event) {
        // Not by connect(): what is sent at the open may arrive before that returns.
        const socket = new WebSocket(server.url.replace("http", "ws"));
        const messages: unknown[] = [];
        socket.onmessage = ({ data }) => messages.push(data.startsWith("{") ? json(data) : data);
        await once(socket, "open");
        sockets.set(event.open, { socket, messages, expected: sent.map(([, text]) => json(text)) });
      } else if ("text" in event) {
        sockets.get(event.from)!.socket.send(event.text);
      } else {
        const { method, uri, headers = {}, body } = event;
        const answer = await fetch(new URL(uri, server.url), { method, headers, ...(body !== undefined && { body }) });
        const { statusCode, statusReason, data, ...others } = response!;
        assertEquals([answer.status, answer.statusText], [statusCode, statusReason], `${method} ${uri}`);
        const text = await answer.text();
        if (answer.headers.get("content-type") === "application/json") assertEquals(json(text), json(data));
        else assertEquals(text, data);
        for (const [header, value] of Object.entries(others)) assertEquals(answer.headers.get(header), value);
      }
      for (const { socket, messages, expected } of sockets.values()) {
        while (messages.length < expected.length) await once(socket, "message");
      }
    }
    for (const { socket, messages, expected } of sockets.values()) {
      // What was sent before the close has arrived by then.
      await disconnect(socket);
      assertEquals(messages, expected);
    }
    for (const name of names) {
      const state = `[project1.op('${name}').storage, project1.op('${name}').par.reloadpulse.pulses]`;
      await td!.until(`${state} == json.loads(${JSON.stringify(JSON.stringify(operators[name]))})`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Compares what the callbacks do in Python and in TypeScript. */
function both(what: string, body: () => Promise<void>): void {
  testWith(["python3"], `${what}, in Python as in TypeScript`, body);
}

both(
  "the remote panel tells every other client of a change, and new clients of all values",
  () =>
    compare("remote_panel", [
      { method: "GET", uri: "/" },
      { method: "GET", uri: "/nowhere" },
      { open: "phone" },
      { open: "TouchDesigner" },
      { from: "phone", text: '{"name": "level", "value": 0.25}' },
      { from: "TouchDesigner", text: '{"name": "speed", "value": 3}' },
      { from: "phone", text: '{"name": "no such slider", "value": 1}' },
      { from: "phone", text: '{"name": "level", "value": "no number"}' },
      { from: "phone", text: '{"name": "level", "value": 1}' },
      { open: "late phone" },
    ]),
);

both("the image receiver takes a JPEG, tells every client of it, and gives it back", () =>
  compare("image_receiver", [
    { open: "TouchDesigner" },
    { method: "GET", uri: "/" },
    { method: "GET", uri: "/image" },
    { method: "POST", uri: "/image", headers: { "Content-Type": "text/plain" }, body: "no image" },
    { method: "POST", uri: "/image", headers: { "Content-Type": "image/jpeg" }, body: "as if it were a JPEG" },
    { method: "GET", uri: "/image" },
    { method: "POST", uri: "/image", headers: { "Content-Type": "image/jpeg" }, body: "another" },
    { method: "GET", uri: "/image" },
    { method: "GET", uri: "/elsewhere" },
  ]));

both("the JSON API answers and changes values, for pages of another origin too", () => {
  const headers = { "Origin": "http://panel.local:8080", "Content-Type": "application/json" };
  return compare("json_api", [
    { method: "OPTIONS", uri: "/values/level", headers },
    { method: "GET", uri: "/values", headers },
    { method: "GET", uri: "/values/level", headers },
    { method: "PUT", uri: "/values/level", headers, body: "0.75" },
    { method: "GET", uri: "/values/level", headers },
    { method: "PUT", uri: "/values/level", headers, body: '"loud"' },
    { method: "PUT", uri: "/values/level", headers, body: "{" },
    { method: "PUT", uri: "/values/nothing", headers, body: "1" },
    { method: "GET", uri: "/values", headers },
    { method: "GET", uri: "/", headers },
    { method: "GET", uri: "/elsewhere", headers },
  ]);
});

Deno.test("the porting guide shows the three files, whole, and the commands in them", async () => {
  const guide = await Deno.readTextFile(new URL("docs/porting.md", root));
  for (const name of ["remote_panel", "image_receiver", "json_api"]) {
    const [left, right] = await Promise.all(
      ["py", "ts"].map((extension) => Deno.readTextFile(new URL(`examples/porting/${name}.${extension}`, root))),
    );
    assertStringIncludes(guide, `\`\`\`python\n${left}\`\`\`\n`);
    const command = right!.slice("// ".length, right!.indexOf("\n"));
    assertStringIncludes(guide, `\`\`\`sh\n${command}\n\`\`\`\n`);
    assertStringIncludes(guide, `\`\`\`ts ignore\n${right!.slice(right!.indexOf("import "))}\`\`\`\n`);
  }
});

Deno.test("the porting guide names every callback and every Info channel", async () => {
  const guide = await Deno.readTextFile(new URL("docs/porting.md", root));
  for (const name of CALLBACK_NAMES) assertStringIncludes(guide, `\`${name}(webServer`);
  for (const channel of Object.keys(new WebServer().info())) assertStringIncludes(guide, `\`${channel}\``);
});
