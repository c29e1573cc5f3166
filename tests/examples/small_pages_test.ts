/** The small pages of the examples in Chromium: on a phone, on a desktop, and when their server is gone. */

import { assertEquals } from "@std/assert";
import { type Callbacks, WebServer } from "@webserver-dat/server";
import { connect, disconnect } from "../helpers.ts";
import { pages, smallPage } from "../../examples/pages/pages.ts";
import { looksRight, overflows, pageTest, until } from "./browser.ts";
import { example, flagsOf } from "../support/example.ts";
import { deno } from "../support/deno.ts";
import { freePort } from "../support/free_port.ts";
import type { Program } from "../support/program.ts";

pageTest("examples/static_site shows its pages on a phone and a desktop, light and dark", async (chromium) => {
  await using site = await example("examples/static_site/main.ts");
  for (const page of ["", "about/"]) await looksRight(chromium, site.url + page, "h1");
});

pageTest("examples/secure.ts shows its page on a phone and a desktop, light and dark", async (chromium) => {
  const folder = await Deno.makeTempDir();
  try {
    await using secure = await example("examples/secure.ts", { folder });
    await looksRight(chromium, secure.url, "h1", { ignoreHTTPSErrors: true });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

pageTest(
  "the page of the porting guide's remote panel works, and reconnects when its server restarts",
  async (chromium) => {
    const html = await Deno.readTextFile(new URL("../../examples/porting/remote_panel.html", import.meta.url));
    // What remote_panel.ts does, without TouchDesigner: porting_test.ts tests the rest.
    const values: Record<string, number> = { level: 0.5, speed: 1 };
    const callbacks: Callbacks = {
      onHTTPRequest: () => ({ statusCode: 200, data: html }),
      onWebSocketOpen: (webServer, client) => webServer.webSocketSendText(client, JSON.stringify(values)),
      onWebSocketReceiveText(webServer, _client, data) {
        const { name, value } = JSON.parse(data);
        values[name] = value;
        webServer.webSocketBroadcast(JSON.stringify({ [name]: value }));
      },
    };
    await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks });
    await server.start();
    const { port, url } = server.address!;
    await looksRight(chromium, url, "#level:enabled");
    const [{ page }, { page: other }] = [await chromium.visit(url), await chromium.visit(url)];
    for (const each of [page, other]) await each.locator("#level:enabled").waitFor();
    await page.locator("#level").press("End");
    await until(other, "document.querySelector('#level').value === '1'");
    await server.stop();
    await page.locator("#level:disabled").waitFor();
    await server.set({ port, active: true });
    await page.locator("#level:enabled").waitFor();
  },
);

/** The relay page, served by `examples/parallel.ts`. */
async function serve(port: number): Promise<Program> {
  const flags = (await flagsOf("examples/parallel.ts")).filter((flag) => !/^--p/.test(flag));
  const program = deno("serve", [...flags, "--host=127.0.0.1", `--port=${port}`, "examples/parallel.ts"]);
  await program.line(/listens on/);
  return program;
}

pageTest("relay.html shows only the start of a long message", async (chromium) => {
  const port = freePort();
  await using _program = await serve(port);
  const { page } = await chromium.visit(`http://127.0.0.1:${port}/`);
  await page.getByText("Connected", { exact: true }).waitFor();
  const socket = await connect(`http://127.0.0.1:${port}/`);
  socket.send("x".repeat(60_000));
  await page.getByRole("log").getByText("xxx").waitFor();
  assertEquals(await page.locator("li").first().textContent(), `${"x".repeat(1_000)}…`);
  await disconnect(socket);
});

pageTest("relay.html says who sent a message", async (chromium) => {
  const port = freePort();
  const url = `http://127.0.0.1:${port}/`;
  await using _program = await serve(port);
  const [{ page }, { page: other }] = [await chromium.visit(url), await chromium.visit(url)];
  for (const each of [page, other]) await each.getByText("Connected", { exact: true }).waitFor();
  await page.getByLabel("Your name").fill("Anna");
  await page.getByLabel("Message to everyone").fill("Doors open");
  await page.keyboard.press("Enter");
  await other.getByRole("log").getByText("Anna: Doors open", { exact: true }).waitFor();
});

pageTest("relay.html works by keyboard, keeps a message that cannot be sent, and reconnects", async (chromium) => {
  const port = freePort();
  const url = `http://127.0.0.1:${port}/`;
  await using first = await serve(port);
  await looksRight(chromium, url, "text=Connected");
  const [{ page }, { page: other }] = [await chromium.visit(url), await chromium.visit(url)];
  for (const each of [page, other]) await each.getByText("Connected", { exact: true }).waitFor();
  const field = page.getByRole("textbox", { name: "Message" });
  await page.keyboard.type("<b>Doors</b> open");
  await page.keyboard.press("Enter");
  await other.getByRole("log").getByText("Guest: <b>Doors</b> open").waitFor();
  assertEquals(await field.inputValue(), "");

  await first.stop();
  await page.getByText("Connection lost, trying again").waitFor();
  await page.keyboard.type("Is anyone there?");
  await page.keyboard.press("Enter");
  await page.getByText("Not sent: not connected").waitFor();
  assertEquals(await field.inputValue(), "Is anyone there?");
  await using _second = await serve(port);
  for (const each of [page, other]) await each.getByText("Connected", { exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await other.getByRole("log").getByText("Guest: Is anyone there?").waitFor();
});

/** The example's title in its header, with the longest state beside it. */
const PAGE = (title: string) => smallPage(title, "<p>Text</p>", { src: "/page.js", state: true });
const SCRIPT = `import { Connection } from "./pages/connection.js";
globalThis.connection = new Connection("/live", document.querySelector(".state"));
`;

pageTest("a title is not cut off and nothing moves when the connection is lost or refused", async (chromium) => {
  let refuses = false;
  for (const title of ["Remote panel", "webserver1 monitor", "Room Erdgeschoss"]) {
    refuses = false;
    const answer = pages({ "/": PAGE(title), "/page.js": ["page.js", SCRIPT] });
    await using server = new WebServer({
      port: 0,
      localaddress: "127.0.0.1",
      callbacks: {
        onHTTPRequest: (_webServer, request, response) => answer(request, response),
        onWebSocketRequest(_webServer, _request, response) {
          if (refuses) response.statusCode = 403;
        },
      },
    });
    await server.start();
    const { port, url } = server.address!;
    const { page } = await chromium.visit(url);
    const isWhole = () =>
      page.evaluate(`{
        const title = document.querySelector("h1");
        title.scrollWidth <= title.clientWidth && title.scrollHeight <= title.clientHeight;
      }`);
    await page.getByText("Connected", { exact: true }).waitFor();
    const place = await page.getByText("Text", { exact: true }).boundingBox();
    await server.stop();
    await page.getByText("Connection lost, trying again").waitFor();
    assertEquals([await isWhole(), await overflows(page)], [true, false], title);
    refuses = true;
    await server.set({ port, active: true });
    await page.getByText("The server refused the connection. Reload the page.").waitFor();
    assertEquals([await isWhole(), await overflows(page)], [true, false], title);
    assertEquals(await page.getByText("Text", { exact: true }).boundingBox(), place);
  }
});
