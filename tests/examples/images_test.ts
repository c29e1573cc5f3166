import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { server } from "../../examples/images/main.ts";
import { answerTo, raw } from "../helpers.ts";
import { DESKTOP, looksRight, pageTest, PHONE, until } from "./browser.ts";
import { example } from "../support/example.ts";
import { Inbox } from "./inbox.ts";
import type { FileChooser, Page } from "npm:playwright-core@1.65.1";

// Of one pixel each.
const PNG = Uint8Array.fromBase64(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
);
const GIF = Uint8Array.fromBase64("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
const SVG = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
const HTML = new TextEncoder().encode("<!DOCTYPE html><script>alert(1)</script>");
/** A GIF by its first bytes, and a page to a browser that guesses. */
const BOTH = new TextEncoder().encode("GIF89a/*<html><script>document.title='taken'</script>*/");

async function images() {
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  const { url, port } = server.address!;
  return { url: url.slice(0, -1), port, [Symbol.asyncDispose]: () => server.stop() };
}

interface Entry {
  id: string;
  name: string;
  type: string;
  size: number;
}

async function list(url: string): Promise<Entry[]> {
  return await (await fetch(`${url}/images`)).json();
}

async function put(url: string, name: string, data: Uint8Array<ArrayBuffer>, type = "image/png"): Promise<Response> {
  const response = await fetch(`${url}/images/${name}`, {
    method: "PUT",
    body: data,
    headers: { "content-type": type },
  });
  return new Response(await response.arrayBuffer(), response);
}

async function post(url: string, ...files: File[]): Promise<Response> {
  const body = new FormData();
  for (const file of files) body.append("files", file);
  const response = await fetch(`${url}/images`, { method: "POST", body, redirect: "manual" });
  return new Response(await response.arrayBuffer(), { status: response.status, headers: response.headers });
}

Deno.test("images keeps a picture unchanged, and shows it at its own address", async () => {
  await using here = await images();
  const response = await put(here.url, "beach%20at%20night.png", PNG);
  assertEquals(response.status, 201);
  const location = response.headers.get("location")!;
  assertMatch(location, /^\/images\/[\da-f-]{36}$/);
  const shown = await fetch(here.url + location);
  assertEquals(await shown.bytes(), PNG);
  assertEquals(shown.headers.get("content-type"), "image/png");
  assertEquals((await list(here.url))[0], {
    id: location.slice("/images/".length),
    name: "beach at night.png",
    type: "image/png",
    size: PNG.length,
  });
});

Deno.test("images keeps all files of a form, and sends the browser back to its page", async () => {
  await using here = await images();
  const response = await post(here.url, new File([PNG], "one.png"), new File([GIF], "two.gif"));
  assertEquals([response.status, response.headers.get("location")], [303, "/"]);
  const [newest, second] = await list(here.url);
  assertEquals([newest!.name, newest!.type], ["two.gif", "image/gif"]);
  assertEquals([second!.name, second!.type], ["one.png", "image/png"]);
});

Deno.test("images recognizes a type by the content of a file, not by what the client says", async () => {
  await using here = await images();
  assertEquals((await put(here.url, "a.jpg", GIF, "image/jpeg")).status, 201);
  assertEquals((await list(here.url))[0]!.type, "image/gif");
  const before = await list(here.url);
  for (const [data, type] of [[SVG, "image/svg+xml"], [HTML, "image/png"], [new Uint8Array(0), "image/png"]] as const) {
    assertEquals((await put(here.url, "x.png", data, type)).status, 415);
  }
  assertEquals((await put(here.url, "x.png", PNG, "text/html")).status, 415);
  const mixed = await post(here.url, new File([PNG], "good.png"), new File([HTML], "bad.png", { type: "image/png" }));
  assertEquals([mixed.status, await mixed.text()], [415, "bad.png is not a JPEG, PNG, GIF, WebP or AVIF"]);
  assertEquals(await list(here.url), before);
});

Deno.test("images recognizes each type of picture by its first bytes", async () => {
  await using here = await images();
  const begins = {
    "image/jpeg": "\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": "GIF87a",
    "image/webp": "RIFF\x10\0\0\0WEBPVP8 ",
    "image/avif": "\0\0\0\x1cftypavif",
  };
  for (const [type, text] of Object.entries(begins)) {
    const data = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    assertEquals((await put(here.url, "x", data)).status, 201, type);
    assertEquals((await list(here.url))[0]!.type, type);
  }
});

Deno.test("images lets no script in a file run", async () => {
  await using here = await images();
  const location = (await put(here.url, "both.html", BOTH, "image/gif")).headers.get("location")!;
  const { headers, body } = await fetch(here.url + location);
  await body?.cancel();
  assertEquals(headers.get("content-type"), "image/gif");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'; sandbox");
});

Deno.test("images uses the name of a file as a label only", async () => {
  await using here = await images();
  const names = {
    "..%2F..%2Fetc%2Fpasswd": "passwd",
    "C%3A%5Cwindows%5Cbeach.png": "beach.png",
    "%E2%80%AEgnp.exe": "gnp.exe",
    "a%00b%0Ac.png": "abc.png",
    "%3Cimg%20src%3Dx%3E.png": "<img src=x>.png",
    "__proto__": "__proto__",
    "%20": "picture",
    "": "picture",
    ["%C3%A9".repeat(300)]: "é".repeat(100),
  };
  for (const [sent, shown] of Object.entries(names)) {
    assertEquals((await put(here.url, sent, PNG)).status, 201, sent);
    assertEquals((await list(here.url))[0]!.name, shown);
  }
  assertEquals((await put(here.url, "%ff", PNG)).status, 400);
});

Deno.test("images answers 413 to a body above maxBodySize, and keeps running", async () => {
  await using here = await images();
  const before = await list(here.url);
  const { maxBodySize } = server.parameters;
  const answer = await answerTo(
    here.port,
    `PUT /images/large.png HTTP/1.1\nHost: localhost\nContent-Type: image/png\nContent-Length: ${maxBodySize + 1}\n\n`,
  );
  assertMatch(answer, /^HTTP\/1.1 413 /);
  assertEquals(await list(here.url), before);
});

Deno.test("images answers 400 to a form without a file, and to a body that is not a form", async () => {
  await using here = await images();
  const empty = new FormData();
  empty.append("files", "not a file");
  const bodies: [BodyInit, Record<string, string>][] = [
    [empty, {}],
    ["files=1", { "content-type": "application/x-www-form-urlencoded" }],
    ["{}", { "content-type": "application/json" }],
    ["--x\r\nbroken", { "content-type": "multipart/form-data; boundary=x" }],
  ];
  for (const [body, headers] of bodies) {
    const response = await fetch(`${here.url}/images`, { method: "POST", body, headers });
    assertEquals(response.status, 400);
    await response.body?.cancel();
  }
});

Deno.test("images answers 413 to a form with more than 200 pictures, and keeps none of them", async () => {
  await using here = await images();
  const before = await list(here.url);
  const response = await post(here.url, ...Array.from({ length: 201 }, () => new File([GIF], "many.gif")));
  assertEquals([response.status, await response.text()], [413, "A form may have up to 200 pictures"]);
  assertEquals(await list(here.url), before);
});

Deno.test("images lets the server answer errors that are not the form's fault", async () => {
  await using here = await images();
  await server.set({ body: "stream", maxBodySize: 1_000 });
  try {
    // Without a Content-Length, the server notices only when the form is read.
    const boundary = "--x\r\nContent-Disposition: form-data; name=files; filename=a.gif\r\n\r\n";
    const body = ReadableStream.from([boundary + "GIF89a".repeat(1_000), "\r\n--x--\r\n"])
      .pipeThrough(new TextEncoderStream());
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const response = await fetch(`${here.url}/images`, { method: "POST", body, headers });
    await response.body?.cancel();
    assertEquals(response.status, 413);
  } finally {
    await server.set({ body: "buffer", maxBodySize: 12 * 1024 * 1024 });
  }
});

Deno.test("images sends its list to each WebSocket, at once and whenever a picture comes", async () => {
  await using here = await images();
  await using inbox = await Inbox.open(`${here.url}/live`);
  const before = await inbox.json();
  await put(here.url, "new.png", PNG);
  const after = await inbox.json();
  assertEquals(after[0].name, "new.png");
  assertEquals(after.slice(1), before.slice(0, after.length - 1));
  inbox.socket.send("");
  assertEquals(await inbox.next(), "");
});

Deno.test("images accepts uploads from its own page, and none from other sites", async () => {
  await using here = await images();
  for (const [origin, status] of [[here.url, 201], ["https://other.example", 403]] as const) {
    const answer = await raw(
      here.port,
      `PUT /images/a.gif HTTP/1.1
Host: ${new URL(here.url).host}
Origin: ${origin}
Content-Type: image/gif
Content-Length: 6
Connection: close

GIF89a`,
    );
    assertEquals(Number(answer.split(" ")[1]), status);
  }
});

Deno.test("images runs with the permissions that its first line names", async () => {
  await using program = await example("examples/images/main.ts");
  assertEquals((await put(program.url.slice(0, -1), "a.png", PNG)).status, 201);
  assertMatch(await (await fetch(program.url)).text(), /Take a picture/);
});

const png = (name: string) => ({ name, mimeType: "image/png", buffer: Buffer.from(PNG) });

pageTest("images shows its page on a phone and a desktop, light and dark", async (chromium) => {
  await using here = await images();
  await put(here.url, `${"long".repeat(20)}.png`, PNG);
  await looksRight(chromium, here.url, ".gallery img");
});

pageTest("images shows pictures from one page on every page at once", async (chromium) => {
  await using here = await images();
  const [phone, desktop] = [await chromium.visit(here.url), await chromium.visit(here.url)];
  for (const { page } of [phone, desktop]) await page.getByText("Connected", { exact: true }).waitFor();
  await phone.page.getByLabel("Choose pictures").setInputFiles([png("one.png"), png("two <b>.png")]);
  await phone.page.getByText("Sent", { exact: true }).waitFor();
  for (const { page } of [phone, desktop]) {
    await until(page, 'document.querySelector(".gallery span")?.textContent === "two <b>.png"');
    await until(page, 'document.querySelector(".gallery img").naturalWidth === 1');
  }
  await phone.page.getByLabel("Take a picture").setInputFiles(png("camera.png"));
  await desktop.page.getByRole("link", { name: "camera.png" }).waitFor();
  assertEquals(await phone.page.getByLabel("Take a picture").getAttribute("capture"), "environment");
  assertEquals([...phone.errors, ...desktop.errors, ...phone.strangers], []);
});

pageTest("images accepts files that are dropped anywhere on its page", async (chromium) => {
  await using here = await images();
  const { page, errors } = await chromium.visit(here.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.evaluate(`
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(${JSON.stringify([...PNG])})], "dropped.png", { type: "image/png" }));
    const options = { dataTransfer: files, bubbles: true, cancelable: true };
    document.querySelector("header").dispatchEvent(new DragEvent("dragover", options));
    globalThis.marked = document.querySelector("#form").className;
    document.querySelector("header").dispatchEvent(new DragEvent("drop", options));
  `);
  assertEquals(await page.evaluate("marked"), "card over");
  await page.getByRole("link", { name: "dropped.png" }).waitFor();
  assertEquals(await page.getAttribute("#form", "class"), "card");
  assertEquals(errors, []);
});

pageTest("images names the files that were refused, and accepts the rest", async (chromium) => {
  await using here = await images();
  const { page } = await chromium.visit(here.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.getByLabel("Choose pictures").setInputFiles([
    { name: "page.png", mimeType: "image/png", buffer: Buffer.from(HTML) },
    png("good.png"),
    { name: "huge.png", mimeType: "image/png", buffer: Buffer.alloc(12 * 1024 * 1024) },
  ]);
  await page.getByText("Not sent: page.png isn't a supported image type; huge.png is too large").waitFor();
  await page.getByRole("link", { name: "good.png" }).waitFor();
});

pageTest("images opens a picture in the middle of the screen", async (chromium) => {
  await using here = await images();
  const location = (await put(here.url, "dot.png", PNG)).headers.get("location")!;
  for (const viewport of [PHONE, DESKTOP]) {
    const { page } = await chromium.visit(here.url + location, { viewport });
    const { x, y } = (await page.locator("img").boundingBox())!;
    const center = [Math.round(x + 0.5) * 2, Math.round(y + 0.5) * 2];
    assertEquals(center, [viewport.width, viewport.height]);
  }
});

pageTest("images runs no script in a file that is opened", async (chromium) => {
  await using here = await images();
  const location = (await put(here.url, "both.gif", BOTH, "image/gif")).headers.get("location")!;
  const { page } = await chromium.visit(here.url + location);
  assert(await page.title() !== "taken");
});

/** Opens a chooser for files by the keyboard. On a busy machine, Chromium may take a key for too old to open one. */
async function chooserBySpace(page: Page, tries = 6): Promise<FileChooser> {
  try {
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser", { timeout: 20_000 }),
      page.keyboard.press("Space"),
    ]);
    return chooser;
  } catch (error) {
    if (tries === 1) throw error;
    return await chooserBySpace(page, tries - 1);
  }
}

pageTest("images accepts pictures by keyboard, and without its script", async (chromium) => {
  await using here = await images();
  const { page } = await chromium.visit(here.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.keyboard.press("Tab");
  assertEquals(await page.evaluate("document.activeElement.id"), "camera");
  await page.keyboard.press("Tab");
  assertEquals(await page.evaluate("document.activeElement.id"), "files");
  assertEquals(
    await page.evaluate(`getComputedStyle(document.querySelector("label[for=files]")).outlineStyle`),
    "solid",
  );
  await (await chooserBySpace(page)).setFiles(png("by_keyboard.png"));
  await page.getByRole("link", { name: "by_keyboard.png" }).waitFor();
  const plain = await chromium.visit(here.url, { javaScriptEnabled: false });
  await plain.page.getByLabel("Choose pictures").setInputFiles(png("by_form.png"));
  await plain.page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("link", { name: "by_form.png" }).waitFor();
});

pageTest("images reconnects when the server restarts, and shows what came meanwhile", async (chromium) => {
  await using here = await images();
  const { page } = await chromium.visit(here.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await server.stop();
  await page.getByText("Connection lost, trying again").waitFor();
  await server.set({ port: here.port, active: true });
  await put(here.url, "meanwhile.png", PNG);
  await page.getByRole("link", { name: "meanwhile.png" }).waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
});

// The last test, since it fills every place.
Deno.test("images keeps the newest pictures when there are too many", async () => {
  await using here = await images();
  const first = (await put(here.url, "first.png", PNG)).headers.get("location")!;
  const files = Array.from({ length: 200 }, (_, index) => new File([PNG], `${index}.png`));
  assertEquals((await post(here.url, ...files)).status, 303);
  const kept = await list(here.url);
  assertEquals([kept.length, kept[0]!.name, kept.at(-1)!.name], [200, "199.png", "0.png"]);
  const gone = await fetch(here.url + first);
  assertEquals(gone.status, 404);
  await gone.body?.cancel();
});
