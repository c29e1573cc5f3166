/** The small pages of the examples in Chromium: on a phone and on a desktop, and when their server is gone. */

import { assertEquals } from "@std/assert";
import { WebServer } from "@webserver-dat/server";
import { fileURLToPath } from "node:url";
import { connect, disconnect } from "../helpers.ts";
import { looksRight, pageTest, PHONE } from "./browser.ts";
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
  "the remote panel of the porting guide is worked with, and comes back when its server does",
  async (chromium) => {
    const callbacks = fileURLToPath(new URL("../../examples/porting/remote_panel.ts", import.meta.url));
    await using server = new WebServer({ port: 0, localaddress: "127.0.0.1", callbacks });
    await server.start();
    const { port, url } = server.address!;
    await looksRight(chromium, url, "#level:enabled");
    const { page } = await chromium.visit(url);
    const { page: other } = await chromium.visit(url);
    await other.locator("#level:enabled").waitFor();
    await page.locator("#level:enabled").press("End");
    await other.locator("#level").evaluate(
      "async (level) => { while (level.value !== '1') await new Promise(requestAnimationFrame); }",
    );
    await server.stop();
    await page.locator("#level:disabled").waitFor();
    await server.set({ port, active: true });
    await page.locator("#level:enabled").waitFor();
  },
);

pageTest("relay.html shows the start of a long message", async (chromium) => {
  const port = freePort();
  const flags = (await flagsOf("examples/parallel.ts")).filter((flag) => !/^--p/.test(flag));
  await using program = deno("serve", [...flags, "--host=127.0.0.1", `--port=${port}`, "examples/parallel.ts"]);
  await program.line(/Listening|listens on/);
  const { page } = await chromium.visit(`http://127.0.0.1:${port}/`);
  await page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  const socket = await connect(`http://127.0.0.1:${port}/`);
  socket.send("x".repeat(60_000));
  await page.getByRole("log").getByText("xxx").waitFor();
  assertEquals(await page.locator("li").first().textContent(), `${"x".repeat(1_000)}…`);
  await disconnect(socket);
});

pageTest(
  "relay.html brings two pages together by keyboard, keeps what cannot be sent, and comes back",
  async (chromium) => {
    const port = freePort();
    const url = `http://127.0.0.1:${port}/`;
    const flags = (await flagsOf("examples/parallel.ts")).filter((flag) => !/^--p/.test(flag));
    const serve = async (): Promise<Program> => {
      const program = deno("serve", [...flags, "--host=127.0.0.1", `--port=${port}`, "examples/parallel.ts"]);
      await program.line(/Listening|listens on/);
      return program;
    };
    await using first = await serve();
    await looksRight(chromium, url, "text=Connected");
    const [{ page }, { page: other }] = [await chromium.visit(url), await chromium.visit(url, { viewport: PHONE })];
    for (const each of [page, other]) await each.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    const field = page.getByRole("textbox", { name: "Message" });
    await page.keyboard.type("<b>Doors</b> open");
    await page.keyboard.press("Enter");
    await other.getByRole("log").getByText("<b>Doors</b> open").waitFor();
    assertEquals(await field.inputValue(), "");

    await first.stop();
    await page.getByRole("status").getByText("Connection lost, trying again").waitFor();
    await page.keyboard.type("Is anyone there?");
    await page.keyboard.press("Enter");
    assertEquals(await field.inputValue(), "Is anyone there?");
    await using _second = await serve();
    for (const each of [page, other]) await each.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    await page.keyboard.press("Enter");
    await other.getByRole("log").getByText("Is anyone there?").waitFor();
  },
);
