/** The page of the link, the files that it hands out, and the command that prints one of them. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CALLBACKS } from "../../internal/touchdesigner/callbacks_py.ts";
import { looksRight, pageTest } from "../examples/browser.ts";
import { rawRequest } from "../helpers.ts";
import { run } from "../program.ts";
import { testWith } from "../programs.ts";
import { linkAlone, linked, StandIn, WORLD } from "./stand_in.ts";

Deno.test("the link's page has the address and the port apart, and runs nothing that is written into it", async () => {
  await using subject = await linkAlone();
  const { port } = subject.link.address!;
  const answer = await fetch(subject.url);
  const page = await answer.text();
  assertEquals(answer.headers.get("content-type"), "text/html; charset=utf-8");
  assertMatch(
    answer.headers.get("content-security-policy")!,
    /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/,
  );
  assertStringIncludes(page, '<code id="address">127.0.0.1</code>');
  assertStringIncludes(page, `<code id="port">${port}</code>`);
  assertStringIncludes(page, `urlopen('http://127.0.0.1:${port}/setup.py').read())</code>`);
});

Deno.test("the link's page has the token in all that it shows", async () => {
  const token = "a-token-of-24-characters";
  await using subject = await linkAlone({ token });
  const page = await (await fetch(subject.url)).text();
  assertStringIncludes(page, `<code id="address">127.0.0.1/?token=${token}</code>`);
  assertStringIncludes(page, `/setup.py?token=${token}').read())</code>`);
  for (const file of ["page.css", "page.js"]) assertStringIncludes(page, `"${file}?token=${token}"`);
});

Deno.test("the link answers other paths with 404, and other methods with 405", async () => {
  await using subject = await linkAlone();
  const { port } = subject.link.address!;
  for (const path of ["/nothing", "/__proto__", "/constructor", "/callbacks.py/"]) {
    assertMatch(await rawRequest(port, `GET ${path}`), /^HTTP\/1\.1 404 /);
  }
  assertMatch(await rawRequest(port, "POST /setup.py"), /^HTTP\/1\.1 405 /);
  assertMatch(await rawRequest(port, "HEAD /"), /^HTTP\/1\.1 200 /);
});

Deno.test("the link hands out the Python file, and the command prints it", async () => {
  await using subject = await linkAlone();
  assertEquals(await (await fetch(`${subject.url}callbacks.py`)).text(), CALLBACKS);
  const { code, stdout, stderr } = await run(["touchdesigner"], []);
  assertEquals([code, stdout, stderr], [0, CALLBACKS, ""]);
});

testWith(
  ["python3"],
  "the line for the Textport makes the DATs, and brings them up to date when it is run again",
  async () => {
    await using subject = await linked();
    const { td, url } = subject;
    const { port } = subject.link.address!;
    await td.do("dat = project1.op('deno_websocket'); project1.op('deno').text = 'old'");
    await td.connect(url);
    await td.until("dat.connection is not None and dat.connection.open");
    assertEquals(await td.get("[child.path for child in project1.children if child.name.startswith('deno')]"), [
      "/project1/deno",
      "/project1/deno_start",
      "/project1/deno_websocket",
    ]);
    assertEquals(await td.get("[dat.par.netaddress.val, dat.par.port.val, dat.par.active.val]"), [
      "127.0.0.1",
      port,
      true,
    ]);
    assertEquals(await td.get("project1.op('deno').text"), CALLBACKS);
    assertEquals(await td.get("project1.op('deno_start').par.start.val"), true);
  },
);

testWith(["python3"], "the four steps by hand make the same link", async () => {
  const connected = Promise.withResolvers<void>();
  await using subject = await linkAlone({ onConnect: () => connected.resolve() });
  await using td = new StandIn();
  await td.do(WORLD);
  await td.do(`
code = textDAT(project1, 'deno')
code.text = ${JSON.stringify(CALLBACKS)}
socket = websocketDAT(project1, 'websocket1')
socket.par.callbacks = code
socket.par.netaddress = '127.0.0.1'
socket.par.port = ${subject.link.address!.port}
socket.par.active = True
`);
  await connected.promise;
  subject.op("lights").par.Value = 0.25;
  assertEquals(await subject.op("lights").par.Value.eval(), 0.25);
  assertEquals(await td.get("[code.module.send('a', 1), failures]"), [true, []]);
});

pageTest("the link's page looks right on a phone and a desktop, light and dark", async (chromium) => {
  await using subject = await linkAlone();
  await looksRight(chromium, subject.url, "text=Waiting for TouchDesigner");
});

pageTest("the link's page copies the file, and says when TouchDesigner has connected", async (chromium) => {
  await using subject = await linkAlone();
  const { page, errors } = await chromium.visit(subject.url, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.getByText("Waiting for TouchDesigner").waitFor();
  await page.getByRole("button", { name: "Copy the file" }).click();
  await page.getByText("Copied").waitFor();
  assertEquals(await page.evaluate("navigator.clipboard.readText()"), CALLBACKS);
  await page.getByRole("button", { name: "Copy the port" }).click();
  await page.getByText("Copied").nth(1).waitFor();
  assertEquals(await page.evaluate("navigator.clipboard.readText()"), String(subject.link.address!.port));
  const socket = new WebSocket(subject.url.replace("http", "ws"));
  socket.onopen = () => socket.send('{"hello":1}');
  await page.getByText("TouchDesigner is connected").waitFor();
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  await page.getByText("Waiting for TouchDesigner").waitFor();
  assertEquals(errors, []);
});

pageTest("the link's page works with a token, too", async (chromium) => {
  await using subject = await linkAlone({ token: "a-token-of-24-characters" });
  const { page, errors } = await chromium.visit(subject.url);
  await page.getByText("Waiting for TouchDesigner").waitFor();
  assertEquals(errors, []);
});
