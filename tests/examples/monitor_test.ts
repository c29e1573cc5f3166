import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Callbacks, WebServer } from "@webserver-dat/server";
import Client from "npm:ws@8.23.0";
import { monitor, monitored, type MonitorOptions } from "../../examples/monitor/monitor.ts";
import { Samples } from "../../examples/monitor/page/charts.js";
import { connect, deferred, disconnect, once, printed, raw } from "../helpers.ts";
import { tlsTest } from "../certificates.ts";
import { looksRight, pageTest } from "./browser.ts";

const USER = { username: "operator", password: "stage left" };
const users = { [USER.username]: USER.password };
const authorization = `Basic ${btoa(`${USER.username}:${USER.password}`)}`;

/** A running server with a monitor in front of its callbacks. */
interface Watched extends AsyncDisposable {
  readonly server: WebServer;
  readonly url: string;
  /** The monitor's own server, and its page. */
  readonly panel: WebServer;
  readonly page: string;
}

async function watched(
  callbacks: Callbacks = {},
  parameters: ConstructorParameters<typeof WebServer>[0] = {},
  options: Partial<MonitorOptions> = {},
): Promise<Watched> {
  const runs = deferred<WebServer>();
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    ...parameters,
    callbacks: monitored(callbacks, { users, onServerStart: runs.resolve, ...options }),
  });
  await server.start();
  const panel = await runs.promise;
  return {
    server,
    url: server.address!.url,
    panel,
    page: panel.address!.url,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await panel.stop();
    },
  };
}

/** The parts that a page has received. */
// deno-lint-ignore no-explicit-any -- JSON
type Told = Record<string, any>;

/** A viewer that asks for updates as the page does. */
class Viewer implements AsyncDisposable {
  readonly state: Told = {};
  private constructor(readonly socket: WebSocket) {}

  static async of(page: string): Promise<Viewer> {
    return new Viewer(await connect(page, `live?ticket=${await ticketOf(page)}`));
  }

  /** The next message; what it brings is added to the state. */
  async next(): Promise<Told> {
    const told = JSON.parse((await once(this.socket, "message")).data);
    Object.assign(this.state, told);
    return told;
  }

  look(): Promise<Told> {
    const next = this.next();
    this.socket.send("look");
    return next;
  }

  /** Looks until it is so. */
  async until(isSo: (state: Told) => boolean): Promise<Told> {
    do await this.look(); while (!isSo(this.state));
    return this.state;
  }

  async [Symbol.asyncDispose]() {
    if (this.socket.readyState === WebSocket.OPEN) await disconnect(this.socket);
  }
}

async function get(url: string, headers: HeadersInit = { authorization }): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { headers });
  return { status: answer.status, text: await answer.text() };
}

async function ticketOf(page: string): Promise<string> {
  return /name="ticket" content="([^"]+)"/.exec((await get(page)).text)![1]!;
}

/** What a handshake is answered with: 101, or the status of the refusal. */
function handshake(page: string, uri: string, headers: Record<string, string> = {}): Promise<number> {
  const client = new Client(new URL(uri, page.replace("http", "ws")), { headers });
  return new Promise((resolve) => {
    client.on("unexpected-response", (request: { destroy(): void }, response: { statusCode: number }) => {
      request.destroy();
      resolve(response.statusCode);
    });
    client.on("open", () => {
      client.on("close", () => resolve(101));
      client.close();
    });
    client.on("error", () => {});
  });
}

Deno.test("the monitor shows its page and its scripts to its users only", async () => {
  await using subject = await watched();
  for (const uri of ["", "monitor.js", "monitor.css", "charts.js", "pages/connection.js", "uplot.js"]) {
    const refused = await fetch(subject.page + uri);
    assertEquals(refused.status, 401, uri);
    assertEquals(refused.headers.get("www-authenticate"), 'Basic realm="webserver1_monitor", charset="UTF-8"');
    assert(!/ticket|script/i.test(await refused.text()));
    const wrong = `Basic ${btoa("operator:stage right")}`;
    assertEquals((await get(subject.page + uri, { authorization: wrong })).status, 401, uri);
    assertEquals((await get(subject.page + uri)).status, 200, uri);
  }
  assertEquals((await get(`${subject.page}main.ts`)).status, 404);
});

Deno.test("the monitor accepts WebSockets of its users only, with their password or the ticket of their page", async () => {
  await using subject = await watched();
  await using other = await watched();
  assertEquals(await handshake(subject.page, "live"), 401);
  assertEquals(await handshake(subject.page, "live", { authorization: `Basic ${btoa("operator:x")}` }), 401);
  assertEquals(await handshake(subject.page, "live?ticket="), 401);
  assertEquals(await handshake(subject.page, `live?ticket=${await ticketOf(other.page)}`), 401);
  assertEquals(await handshake(subject.page, "live", { authorization }), 101);
  // A browser that knows the password would send it for any page.
  const stranger = { authorization, origin: "http://stranger.example" };
  await printed("warn", async () => assertEquals(await handshake(subject.page, "live", stranger), 403));
  assertEquals(await handshake(subject.page, `live?ticket=${await ticketOf(subject.page)}`), 101);
});

Deno.test("the monitor's page runs its own scripts only, and is not cached", async () => {
  await using subject = await watched();
  const answer = await fetch(subject.page, { headers: { authorization } });
  const html = await answer.text();
  assertStringIncludes(answer.headers.get("content-security-policy")!, "default-src 'self'");
  assertEquals(answer.headers.get("cache-control"), "no-store");
  assert(!/<script>|<style|style=| on\w+=|https?:/.test(html));
});

Deno.test("monitored() runs callbacks with their own `this`, private fields and what they return", async () => {
  class Panel implements Callbacks {
    #count = 0;
    visits = 0;
    async onHTTPRequest(...[, request, response]: Parameters<NonNullable<Callbacks["onHTTPRequest"]>>) {
      await Promise.resolve();
      this.visits = ++this.#count;
      return { ...response, statusCode: 200, data: `${request.uri} ${this.#count}` };
    }
  }
  const callbacks = new Panel();
  await using subject = await watched(callbacks);
  assertEquals(await get(`${subject.url}here`), { status: 200, text: "/here 1" });
  assertEquals(callbacks.visits, 1);
});

Deno.test("monitored() passes callbacks that are replaced, frozen, of a module, or absent", async () => {
  const answer = (text: string) => ({ onHTTPRequest: () => ({ statusCode: 200, data: text }) });
  const replaced: Callbacks = answer("before");
  await using subject = await watched(replaced);
  assertEquals((await get(subject.url)).text, "before");
  Object.assign(replaced, answer("after"));
  assertEquals((await get(subject.url)).text, "after");
  await subject.server.set({ callbacks: monitored(Object.freeze(answer("frozen")), { users }) });
  assertEquals((await get(subject.url)).text, "frozen");
  const source = `export function onHTTPRequest(_, _request, response) { response.data = "module"; return response; }`;
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  await subject.server.set({ callbacks: monitored(module, { users }) });
  assertEquals((await get(subject.url)).text, "module");
  await subject.server.set({ callbacks: monitored({}, { users }) });
  assertEquals((await get(subject.url)).status, 404);
  assertEquals(subject.server.info().warnings, 0);
});

Deno.test("monitored() lets WebSocket callbacks and the user's hook of the handshake run", async () => {
  const heard: unknown[] = [];
  await using subject = await watched({
    onWebSocketRequest(_webServer, request, response) {
      if (request.uri === "/no") response.statusCode = 403;
    },
    onWebSocketOpen: (_webServer, _client, uri) => heard.push(uri),
    onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, `${data}!`),
    onWebSocketClose: (_webServer, _client, code) => heard.push(code),
  });
  assertEquals(await handshake(subject.url, "no"), 403);
  const socket = await connect(subject.url, "yes");
  socket.send("hello");
  assertEquals((await once(socket, "message")).data, "hello!");
  await disconnect(socket, 4000);
  await subject.server.stop();
  assertEquals(heard, ["/yes", 4000]);
});

Deno.test("monitored() prints an error if there is no onError, or else passes it to onError", async () => {
  const told: unknown[] = [];
  const failing: Callbacks = {
    onHTTPRequest() {
      throw new Error("The lamp is out");
    },
  };
  await using subject = await watched(failing);
  const lines = await printed("error", () => get(subject.url));
  assertEquals(lines.length, 1);
  assertMatch(Deno.inspect(lines[0]), /webserver1: onHTTPRequest[^]*The lamp is out/);
  failing.onError = (_webServer, error, name) => told.push((error as Error).message, name);
  assertEquals(await printed("error", () => get(subject.url)), []);
  assertEquals(told, ["The lamp is out", "onHTTPRequest"]);
  assertEquals(subject.server.info().errors, 2);
});

Deno.test("an update has the state, the parameters, the Info channels, the table and the callbacks' source", async () => {
  await using subject = await watched({
    onWebSocketReceiveText(webServer, client, data) {
      webServer.webSocketSendText(client, data);
    },
    onHTTPRequest: (_webServer, _request, response) => response,
  }, { name: "panel1" });
  const socket = await connect(subject.url, "seat?row=3");
  await using viewer = await Viewer.of(subject.page);
  const { state } = viewer;
  await viewer.until(({ info }) => info.websocket_connections === 1);
  assertEquals([state.name, state.active, state.switching, state.incidents], ["panel1", true, [], []]);
  assertEquals(state.address.url, subject.url);
  assertEquals(state.info.num_rows, 2);
  assertEquals(state.rows.length, 2);
  assertStringIncludes(state.rows[1].join(" "), "seat?row=3");
  const parameters = Object.fromEntries(state.parameters);
  assertEquals(parameters.localaddress, "127.0.0.1");
  assertEquals(parameters.callbacks, "onHTTPRequest, onWebSocketReceiveText");
  assertEquals(parameters.password, "");
  assertMatch(state.callbacks.text, /^onHTTPRequest = \(_webServer[^]*\n\nonWebSocketReceiveText ?\([^]*\n\}$/);
  assertEquals(state.callbacks.wordwrap, "input");
  await disconnect(socket);
});

Deno.test("an update has only the parts that changed since the same viewer's last one", async () => {
  await using subject = await watched();
  await using viewer = await Viewer.of(subject.page);
  await using other = await Viewer.of(subject.page);
  await viewer.look();
  const socket = await connect(subject.url);
  const before = { ...viewer.state };
  await viewer.until(({ info }) => info.websocket_connections === 1);
  const told = Object.keys(await viewer.look());
  assertEquals(told.filter((part) => part !== "info"), []);
  assertEquals(viewer.state.parameters, before.parameters);
  assert("parameters" in await other.look());
  await disconnect(socket);
});

Deno.test("the password of the private key never leaves the server", async () => {
  const secret = "hunter-2-hunter";
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", password: secret });
  await using panel = monitor(server, { users, password: "", port: 0, onServerStart() {} });
  await panel.start();
  await using viewer = await Viewer.of(panel.address!.url);
  const told = JSON.stringify(await viewer.look());
  assertEquals(Object.fromEntries(viewer.state.parameters).password, "set, and not shown");
  assert(!told.includes(secret));
});

tlsTest("the monitor of a secure server is secure by the same certificate", async (files) => {
  const pair = await files.pair();
  await using subject = await watched({}, { secure: true, ...pair });
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(pair.certificate)] });
  const answer = await fetch(subject.page, { client, headers: { authorization } });
  assertMatch(await answer.text(), /^<!DOCTYPE html>/);
  assertMatch(subject.page, /^https:/);
});

Deno.test("a viewer does not count as a client of the server, and costs it no cook", async () => {
  const opened: string[] = [];
  await using subject = await watched({ onWebSocketOpen: (_webServer, client) => opened.push(client) });
  const { total_cooks } = subject.server.info();
  await using viewer = await Viewer.of(subject.page);
  for (let look = 0; look < 10; look++) await viewer.look();
  assertEquals(subject.server.webSocketConnections, []);
  assertEquals(subject.server.webSocketBroadcast("to all"), 0);
  assertEquals(opened, []);
  assertEquals(subject.server.info().total_cooks, total_cooks);
  assertEquals(viewer.state.info.websocket_connections, 0);
});

Deno.test("the monitor stays when a user stops the server on its page, and starts it again", async () => {
  const events: string[] = [];
  await using subject = await watched({
    onServerStart: () => events.push("start"),
    onServerStop: () => events.push("stop"),
  });
  await using viewer = await Viewer.of(subject.page);
  viewer.socket.send("stop");
  await viewer.until(({ active, switching }) => active === false && switching.length === 0);
  assertEquals([subject.server.active, subject.panel.active, viewer.state.address], [false, true, null]);
  viewer.socket.send("start");
  await viewer.until(({ active, switching }) => active === true && switching.length === 0);
  viewer.socket.send("restart");
  await viewer.until(() => events.length === 5);
  await viewer.until(({ active, switching }) => active === true && switching.length === 0);
  assertEquals(events, ["start", "stop", "start", "stop", "start"]);
  assertEquals((await get(subject.server.address!.url)).status, 404);
});

Deno.test("the page gets updates while a stop waits for a callback", async () => {
  const leave = deferred();
  await using subject = await watched({ onServerStop: () => leave.promise }, { shutdownTimeout: 60 });
  await using viewer = await Viewer.of(subject.page);
  viewer.socket.send("stop");
  await viewer.until(({ active }) => active === false);
  assertEquals(viewer.state.switching, ["stop"]);
  leave.resolve();
  await viewer.until(({ switching }) => switching.length === 0);
});

Deno.test("the monitor refuses a second switch while the first is in progress, and does not do it later", async () => {
  const leave = deferred();
  await using subject = await watched({ onServerStop: () => leave.promise }, { shutdownTimeout: 60 });
  await using viewer = await Viewer.of(subject.page);
  viewer.socket.send("stop");
  await viewer.until(({ active }) => active === false);
  for (const method of ["start", "restart", "stop"]) {
    const told = viewer.next();
    viewer.socket.send(method);
    assertEquals(await told, { failed: `Cannot ${method} the server: a stop is in progress` });
  }
  leave.resolve();
  await viewer.until(({ switching }) => switching.length === 0);
  await viewer.look();
  assertEquals(viewer.state.active, false);
});

Deno.test("a look tells the start of an address that is long", async () => {
  await using subject = await watched();
  const socket = await connect(subject.url, `seat?${"x".repeat(10_000)}`);
  await using viewer = await Viewer.of(subject.page);
  const { rows: [header, row] } = await viewer.until(({ info }) => info.websocket_connections === 1);
  assertEquals(row[header.indexOf("uri")], `/seat?${"x".repeat(494)}…`);
  await disconnect(socket);
});

Deno.test("the monitor ends with the server that the program stops, and comes back with it", async () => {
  await using subject = await watched();
  await subject.server.stop();
  assertEquals(subject.panel.active, false);
  const lines = await printed("log", async () => {
    const again = deferred<WebServer>();
    const server = new WebServer({
      port: 0,
      localaddress: "127.0.0.1",
      callbacks: monitored({}, { users, onServerStart: again.resolve }),
    });
    await server.start();
    const first = await again.promise;
    await server.restart();
    assertEquals(first.active, false);
    await server.stop();
  });
  assertEquals(lines, []);
});

Deno.test("a start that fails is reported to the user who asked for it", async () => {
  await using subject = await watched({ onError() {} });
  await using viewer = await Viewer.of(subject.page);
  viewer.socket.send("stop");
  await viewer.until(({ active, switching }) => active === false && switching.length === 0);
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  await subject.server.set({ port: taken.addr.port });
  const told = viewer.next();
  viewer.socket.send("start");
  assertMatch((await told).failed, /^Cannot listen on port \d+: another program uses it/);
  await viewer.look();
  assertEquals([viewer.state.incidents[0].where, viewer.state.incidents[0].kind], ["start", "error"]);
});

Deno.test("an error that comes again is one entry with a number, and clearErrors forgets it", async () => {
  await using subject = await watched({
    onHTTPRequest(_webServer, request) {
      throw new Error(`No answer at ${request.uri}`);
    },
    onError() {},
  });
  await using viewer = await Viewer.of(subject.page);
  for (const uri of ["a", "a", "b", "a"]) await get(subject.url + uri);
  await viewer.look();
  const { incidents } = viewer.state;
  assertEquals(incidents.map(({ message, count }: Told) => [message, count]), [
    ["Error: No answer at /b", 1],
    ["Error: No answer at /a", 3],
  ]);
  assertMatch(incidents[0].text, /^Error: No answer at \/b\n +at .*monitor_test\.ts/);
  viewer.socket.send("clearErrors");
  await viewer.look();
  assertEquals([viewer.state.incidents, viewer.state.info.errors], [[], 0]);
});

Deno.test("the monitor keeps the fifty latest errors, and withstands one that throws when it is looked at", async () => {
  await using subject = await watched({
    onHTTPRequest(_webServer, request) {
      if (request.uri !== "/evil") throw "x".repeat(100_000) + request.uri;
      throw Object.defineProperty(new Error(), "message", {
        get() {
          throw new Error("Not to be looked at");
        },
      });
    },
    onError() {},
  });
  await using viewer = await Viewer.of(subject.page);
  for (let time = 0; time < 60; time++) await get(`${subject.url}${time}`);
  await get(`${subject.url}evil`);
  await viewer.look();
  assertEquals(viewer.state.incidents[0].message, "An error that cannot be shown");
  assert(viewer.state.incidents.length <= 50);
  assert(JSON.stringify(viewer.state.incidents).length < 300_000);
});

Deno.test("the monitor keeps little of errors that are large: fifty of 4 MiB do not fill a heap of 128 MiB", async () => {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--config=deno.json", "--lock=tests/deno.lock", "--allow-net"],
      ...["--v8-flags=--max-old-space-size=128", "-"],
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = process.stdin.getWriter();
  await input.write(new TextEncoder().encode(`
    import { WebServer } from "@webserver-dat/server";
    import { monitored } from ${JSON.stringify(new URL("../../examples/monitor/monitor.ts", import.meta.url).href)};
    const callbacks = {
      async onHTTPRequest(_webServer, request) {
        const error = new Error(request.pars.number + " " + await request.text());
        throw Object.assign(error, { request });
      },
      onError() {},
    };
    const monitor = { users: {}, port: 0, onServerStart() {} };
    const server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: monitored(callbacks, monitor) });
    await server.start();
    const body = "x".repeat(4 * 1024 * 1024);
    for (let number = 0; number < 50; number++) {
      const answer = await fetch(server.address.url + "?number=" + number, { method: "POST", body });
      await answer.body.cancel();
    }
    console.log(server.info().errors);
    await server.stop();
  `));
  await input.close();
  const { code, stdout } = await process.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "50\n"]);
});

Deno.test("warnings are counted", async () => {
  await using subject = await watched({ onHTTPRequest() {} });
  await using viewer = await Viewer.of(subject.page);
  await printed("warn", () => Promise.all([get(subject.url), get(subject.url)]));
  await viewer.look();
  const [{ kind, count }] = viewer.state.incidents;
  assertEquals([kind, count, viewer.state.info.warnings], ["warning", 2, 2]);
});

Deno.test("monitor() watches a server whose callbacks are left alone, and is there before it runs", async () => {
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    callbacks: {
      onHTTPRequest() {
        throw new Error("The lamp is out");
      },
      onError() {},
    },
  });
  await using panel = monitor(server, { users, onServerStart() {} });
  await panel.start();
  await using viewer = await Viewer.of(panel.address!.url);
  await viewer.look();
  assertEquals(viewer.state.active, false);
  viewer.socket.send("start");
  await viewer.until(({ active }) => active === true);
  await get(server.address!.url);
  await viewer.look();
  const [{ kind, message, count }] = viewer.state.incidents;
  assertEquals([kind, message, count], ["error", "The text of this error is on the console", 1]);
  await server.stop();
  assertEquals(panel.active, true);
});

Deno.test("monitor() shows the text of a callbacks file, as it is now", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/show_callbacks.ts`;
  await Deno.writeTextFile(file, "// the first\nexport function onServerStart() {}\n");
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: file, wordwrap: "on" });
  await using panel = monitor(server, { users, port: 0, onServerStart() {} });
  await panel.start();
  await using viewer = await Viewer.of(panel.address!.url);
  await viewer.look();
  assertEquals(viewer.state.callbacks, { text: await Deno.readTextFile(file), wordwrap: "on" });
  assertEquals(Object.fromEntries(viewer.state.parameters).callbacks, file);
  await Deno.writeTextFile(file, "// the second\n");
  await viewer.look();
  assertEquals(viewer.state.callbacks.text, "// the second\n");
  await Deno.remove(folder, { recursive: true });
  await viewer.look();
  assertMatch(viewer.state.callbacks.text, /^No such file/);
});

Deno.test("the page keeps the samples of two minutes, with a gap for the time in which it was hidden", () => {
  const samples = new Samples();
  const { now } = Date;
  let time = 1_000_000;
  Date.now = () => time;
  try {
    for (let at = 0; at < 10_000; at++, time += 250) samples.add({ errors: at });
    assertEquals(samples.times.length, 481);
    assertEquals(samples.of("errors").length, 481);
    assertEquals(samples.range("errors"), [9_519, 9_999]);
    time += 30_000;
    samples.add({ errors: 0 });
    assertEquals(samples.of("errors").slice(-3), [9_999, null, 0]);
  } finally {
    Date.now = now;
  }
});

const LOOKS = { httpCredentials: USER };

pageTest("the monitor's page looks right on a phone and on a desktop, light and dark", async (chromium) => {
  await using subject = await watched({ onHTTPRequest: (_webServer, _request, response) => response });
  const socket = await connect(subject.url, `seat?${"very-long-".repeat(30)}`);
  await looksRight(chromium, subject.page, "figure canvas", LOOKS);
  await disconnect(socket);
});

pageTest(
  "the monitor's page is live: state, channels, charts, connections, parameters, callbacks",
  async (chromium) => {
    await using subject = await watched({ onHTTPRequest: (_webServer, _request, response) => response });
    const { page, errors } = await chromium.visit(subject.page, LOOKS);
    await page.getByRole("heading", { name: "Active" }).waitFor();
    const socket = await connect(subject.url, "seat?row=3");
    await page.getByRole("cell", { name: "/seat?row=3" }).waitFor();
    await page.getByRole("row", { name: /^websocket_connections 1 0 1$/ }).waitFor();
    await page.getByRole("row", { name: "port 0" }).waitFor();
    assertMatch(await page.locator("#callbacks").innerText(), /^onHTTPRequest = \(_webServer/);
    assertEquals(await page.locator("figure canvas").count(), 4);
    await page.getByRole("button", { name: "num_rows" }).click();
    assertEquals(await page.locator("figure canvas").count(), 5);
    await page.locator("figure output").last().getByText(/^2$/).waitFor();
    await page.getByRole("button", { name: "num_rows", pressed: true }).click();
    assertEquals(await page.locator("figure canvas").count(), 4);
    await disconnect(socket);
    await page.getByText("No WebSocket is open.").waitFor();
    assertEquals(errors, []);
  },
);

pageTest("the monitor's page shows hostile addresses and errors as text", async (chromium) => {
  const hostile = `<img src=x onerror=document.title="taken"><script>document.title="taken"</script>`;
  await using subject = await watched({
    onHTTPRequest() {
      throw new Error(hostile);
    },
    onError() {},
  });
  const { page, errors } = await chromium.visit(subject.page, LOOKS);
  await get(subject.url);
  await page.getByText(`Error: ${hostile}`).first().waitFor();
  await page.locator("summary").click();
  await page.locator("details[open] pre").getByText(hostile).waitFor();
  // A browser would encode it, but other clients may send anything.
  const tag = `<img/src=x/onerror=document.title="taken">`;
  const answer = raw(
    subject.server.address!.port,
    [
      `GET /${tag} HTTP/1.1`,
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "",
      "",
    ].join("\n"),
  );
  await page.getByRole("cell", { name: tag }).waitFor();
  assertEquals(await page.title(), "webserver1 monitor");
  assertEquals(await page.locator("main img, main script").count(), 0);
  assertEquals(errors, []);
  await subject.server.stop();
  assertMatch(await answer, /^HTTP\/1.1 101 /);
});

pageTest("the monitor's page stops the server after a question, and starts it, by keyboard", async (chromium) => {
  await using subject = await watched();
  const { page } = await chromium.visit(subject.page, LOOKS);
  const active = page.getByRole("switch", { name: "Active", checked: true });
  await active.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Stop webserver1?" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assertEquals(subject.server.active, true);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Stopped" }).waitFor();
  assertEquals(subject.server.active, false);
  assert(await page.getByRole("button", { name: "Restart" }).isDisabled());
  await page.getByRole("switch", { name: "Active", checked: false }).press("Enter");
  await page.getByRole("heading", { name: "Active" }).waitFor();
  assertEquals(subject.server.active, true);
});

pageTest("the monitor's page restarts the server after a question", async (chromium) => {
  const started = [deferred(), deferred()];
  let starts = 0;
  await using subject = await watched({ onServerStart: () => started[starts++]!.resolve() });
  const { page } = await chromium.visit(subject.page, LOOKS);
  await page.getByRole("button", { name: "Restart" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
  await started[1]!.promise;
  await page.getByRole("heading", { name: "Active" }).waitFor();
});

pageTest("the monitor's page shows why the server does not start, and clears errors", async (chromium) => {
  await using subject = await watched({ onError() {} });
  await subject.server.stop();
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const server = new WebServer({ port: taken.addr.port, localaddress: "127.0.0.1", callbacks: { onError() {} } });
  await using panel = monitor(server, { users, port: 0, onServerStart() {} });
  await panel.start();
  const { page } = await chromium.visit(panel.address!.url, LOOKS);
  await page.getByRole("switch", { name: "Active" }).click();
  await page.getByRole("alert").getByText("another program uses it").waitFor();
  await page.getByText("The text of this error is on the console").first().waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("No errors or warnings.").waitFor();
});

pageTest("the monitor's page asks for no updates while it is hidden", async (chromium) => {
  await using subject = await watched();
  const { page } = await chromium.visit(subject.page, LOOKS);
  await page.getByRole("heading", { name: "Active" }).waitFor();
  await page.clock.install();
  await page.evaluate(`{
    const { send } = WebSocket.prototype;
    globalThis.looks = 0;
    WebSocket.prototype.send = function (data) { if (data === "look") globalThis.looks++; send.call(this, data); };
  }`);
  /** How often the page has looked when it has heard of it: in the same turn, for a page in sight looks again by itself. */
  const show = (state: string) =>
    page.evaluate(`{
      Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      globalThis.looks;
    }`) as Promise<number>;
  const looks = await show("hidden");
  await page.clock.runFor(9_000);
  assertEquals(await page.evaluate("globalThis.looks"), looks);
  assertEquals(await show("visible"), looks + 1);
});

pageTest("the monitor's page shows when its connection is lost, and reconnects by itself", async (chromium) => {
  await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks: {} });
  await server.start();
  await using panel = monitor(server, { users, port: 0, onServerStart() {} });
  await panel.start();
  const { port } = panel.address!;
  const { page } = await chromium.visit(panel.address!.url, LOOKS);
  await page.getByRole("heading", { name: "Active" }).waitFor();
  await panel.stop();
  await page.getByText("Connection lost, trying again").waitFor();
  await page.getByRole("heading", { name: /^Active when last seen at / }).waitFor();
  assert(await page.getByRole("switch", { name: "Active" }).isDisabled());
  await server.stop();
  await panel.set({ port, active: true });
  await page.getByRole("heading", { name: "Stopped" }).waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
});

pageTest("the monitor's page wraps the callbacks' text as wordwrap says", async (chromium) => {
  await using subject = await watched({ onHTTPRequest: (_webServer, _request, response) => response });
  const { page } = await chromium.visit(subject.page, LOOKS);
  const wrap = page.getByRole("button", { name: "Word wrap" });
  const text = page.locator("#callbacks");
  await text.getByText("onHTTPRequest").waitFor();
  const wrapped = () => page.evaluate(`getComputedStyle(document.getElementById("callbacks")).whiteSpace`);
  assertEquals(await wrapped(), "pre");
  await wrap.click();
  assertEquals(await wrapped(), "pre-wrap");
  for (const wordwrap of ["off", "on"] as const) {
    await subject.server.set({ wordwrap });
    await page.getByText(`wordwrap is ${wordwrap}`).waitFor();
    assertEquals(await wrapped(), wordwrap === "on" ? "pre-wrap" : "pre");
    assert(await wrap.isDisabled());
  }
});

Deno.test("the example runs, with its monitor, with the permissions of its first line", async () => {
  const main = new URL("../../examples/monitor/main.ts", import.meta.url);
  const flags = /^\/\/ deno run (.+) examples\/monitor\/main\.ts\n/.exec(await Deno.readTextFile(main))![1]!;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--config=deno.json", "--lock=tests/deno.lock", ...flags.split(" "), "-"],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = process.stdin.getWriter();
  await input.write(new TextEncoder().encode(`
    import { server } from ${JSON.stringify(main.href)};
    await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
    console.log("server", server.address.url);
  `));
  await input.close();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (output.split("\n").length < 3) output += (await reader.read()).value ?? "ended\n\n\n";
  const url = /^server (\S+)$/m.exec(output)?.[1] ?? output;
  assertStringIncludes((await get(url)).text, '<p class="card">Visit 1</p>');
  const page = /^webserver1_monitor: (\S+)$/m.exec(output)?.[1] ?? output;
  assertEquals((await get(page)).status, 401);
  process.kill();
  await reader.cancel();
  await process.status;
});
