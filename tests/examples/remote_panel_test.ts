import { assert, assertEquals, assertMatch } from "@std/assert";
import { rawRequest } from "../helpers.ts";
import { looksRight, pageTest, until } from "./browser.ts";
import { example } from "./example.ts";
import { Inbox } from "./inbox.ts";

const PASSWORD = "stage left";
// Before the example is loaded, which reads it.
Deno.env.set("PANEL_PASSWORD", PASSWORD);
const { rendererUri, server } = await import("../../examples/remote_panel/main.ts");

const BASIC = { authorization: `Basic ${btoa(`operator:${PASSWORD}`)}` };
const OPTIONS = { httpCredentials: { username: "operator", password: PASSWORD } };
const START = { brightness: 0.8, speed: 0.25, spread: 0.5, color: [1, 0.55, 0.15], scene: 1, blackout: false };

/** The example on a free port, in its first state when it is left. */
async function panel() {
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  const { url, port } = server.address!;
  return {
    url: url.slice(0, -1),
    port,
    async [Symbol.asyncDispose]() {
      const inbox = await Inbox.open(`${url}renderer`, BASIC);
      inbox.socket.send(JSON.stringify(START));
      await inbox.until((values) => values.flash === undefined && values.brightness === START.brightness);
      await inbox[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

const renderer = (url: string) => Inbox.open(`${url}/renderer`, BASIC);

/** The status of the answer to a handshake. */
async function handshake(port: number, uri: string, headers: string[] = []): Promise<number> {
  const answer = await rawRequest(port, `GET ${uri}`, [
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ...headers,
    "Connection: Upgrade",
  ]);
  return Number(answer.split(" ")[1]);
}

async function cookieOf(url: string): Promise<string> {
  const response = await fetch(url, { headers: BASIC });
  await response.body?.cancel();
  return response.headers.get("set-cookie")!;
}

Deno.test("remote_panel refuses its page without the password", async () => {
  await using panels = await panel();
  for (const headers of [{}, { authorization: `Basic ${btoa("operator:stage right")}` }]) {
    for (const path of ["/", "/panel.js", "/pages/style.css", "/no-such-page"]) {
      const response = await fetch(panels.url + path, { headers: headers as Record<string, string> });
      assertEquals(response.status, 401);
      assertMatch(response.headers.get("www-authenticate")!, /^Basic realm=/);
      assertEquals(response.headers.get("set-cookie"), null);
      await response.body?.cancel();
    }
  }
});

Deno.test("remote_panel sends its page with the password, and with it a cookie that scripts and other sites do not get", async () => {
  await using panels = await panel();
  const response = await fetch(panels.url, { headers: BASIC });
  assertEquals(response.status, 200);
  assertMatch(await response.text(), /<title>Remote panel<\/title>/);
  assertMatch(response.headers.get("set-cookie")!, /^remote_panel=[\w=]+; HttpOnly; SameSite=Strict; Path=\/$/);
  assertMatch(response.headers.get("content-security-policy")!, /default-src 'self'/);
});

Deno.test("remote_panel refuses a WebSocket without the password", async () => {
  await using panels = await panel();
  const renderersToken = btoa(`renderer:${"0".repeat(64)}`);
  assertEquals(await handshake(panels.port, "/panel"), 403);
  assertEquals(await handshake(panels.port, "/renderer"), 403);
  assertEquals(await handshake(panels.port, "/panel", ["Cookie: remote_panel=b3BlcmF0b3I6c3RhZ2UgbGVmdA=="]), 403);
  assertEquals(await handshake(panels.port, "/panel", [`Authorization: Basic ${btoa("operator:")}`]), 403);
  assertEquals(await handshake(panels.port, `/renderer?token=${renderersToken}`), 403);
  assertEquals(server.webSocketConnections, []);
});

Deno.test("remote_panel has no WebSocket at other paths", async () => {
  await using panels = await panel();
  for (const uri of ["/", "/panels", "/renderer/", "/panel/../renderer"]) {
    assertEquals(await handshake(panels.port, uri, [`Authorization: ${BASIC.authorization}`]), 404, uri);
  }
});

Deno.test("remote_panel takes a panel by the cookie of its page, as browsers send it that send no password", async () => {
  await using panels = await panel();
  const cookie = (await cookieOf(panels.url)).split(";")[0]!;
  await using inbox = await Inbox.open(`${panels.url}/panel`, { cookie: `other=1; ${cookie}` });
  assertEquals(await inbox.json(), START);
});

Deno.test("remote_panel takes a renderer by the token in its address, and no panel by that", async () => {
  await using panels = await panel();
  await using inbox = await Inbox.open(panels.url + rendererUri);
  assertEquals(await inbox.json(), START);
  assertEquals(await handshake(panels.port, rendererUri.replace("renderer", "panel")), 403);
});

Deno.test("remote_panel sends everything when a client connects, then every change to everyone", async () => {
  await using panels = await panel();
  await using one = await Inbox.open(`${panels.url}/panel`, BASIC);
  assertEquals(await one.json(), START);
  assertEquals(await one.json(), { panels: 1, renderers: 0 });
  await using other = await renderer(panels.url);
  assertEquals(await other.json(), START);
  assertEquals(await one.json(), { panels: 1, renderers: 1 });
  one.socket.send('{"brightness":0.5,"color":[0,0,1]}');
  for (const inbox of [one, other]) assertEquals(await inbox.json(), { brightness: 0.5, color: [0, 0, 1] });
  other.socket.send('{"scene":3}');
  for (const inbox of [one, other]) assertEquals(await inbox.json(), { scene: 3 });
  await using late = await renderer(panels.url);
  assertEquals(await late.json(), { ...START, brightness: 0.5, color: [0, 0, 1], scene: 3 });
});

Deno.test("remote_panel passes a pulse on, and does not keep it", async () => {
  await using panels = await panel();
  await using one = await renderer(panels.url);
  assertEquals(await one.json(), START);
  one.socket.send('{"flash":true}');
  assertEquals(await one.json(), { flash: true });
  await using late = await renderer(panels.url);
  assertEquals(await late.json(), START);
});

Deno.test("remote_panel hands no value to the renderer that its controls cannot have", async () => {
  await using panels = await panel();
  await using one = await renderer(panels.url);
  assertEquals(await one.json(), START);
  const bad = [
    "",
    "no JSON",
    "null",
    "[1]",
    '"brightness"',
    '{"brightness":1.01}',
    '{"brightness":"1"}',
    '{"brightness":null}',
    '{"color":[1,1]}',
    '{"color":[1,1,2]}',
    '{"color":"#ffffff"}',
    '{"scene":5}',
    '{"scene":"1"}',
    '{"blackout":1}',
    '{"flash":false}',
    '{"__proto__":{"blackout":true}}',
    '{"constructor":1,"toString":1}',
    '{"panels":9}',
  ];
  for (const message of bad) one.socket.send(message);
  one.socket.send('{"brightness":2,"speed":1,"unknown":1}');
  // The heartbeat is the first of them; nothing comes of the others.
  assertEquals(await one.next(), "");
  assertEquals(await one.json(), { speed: 1 });
});

Deno.test("remote_panel closes a client that sends more than a panel has to say", async () => {
  await using panels = await panel();
  await using one = await renderer(panels.url);
  one.socket.send("x".repeat(5000));
  assertEquals((await one.closed).code, 1009);
});

Deno.test("remote_panel answers a heartbeat to its sender alone", async () => {
  await using panels = await panel();
  await using one = await renderer(panels.url);
  await using other = await renderer(panels.url);
  await one.json();
  await other.json();
  one.socket.send("");
  assertEquals(await one.next(), "");
  one.socket.send('{"speed":0}');
  assertEquals(await other.json(), { speed: 0 });
});

Deno.test("remote_panel tells panels when a renderer is gone without a word", async () => {
  await using panels = await panel();
  await using one = await Inbox.open(`${panels.url}/panel`, BASIC);
  await server.set({ idleTimeout: 1 });
  const dead = await Deno.connect({ port: panels.port });
  // A handshake, and never an answer to a ping.
  await dead.write(new TextEncoder().encode([
    "GET /renderer HTTP/1.1",
    `Host: 127.0.0.1:${panels.port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    `Authorization: ${BASIC.authorization}`,
    "",
    "",
  ].join("\r\n")));
  await one.until(({ renderers }) => renderers === 1);
  await one.until(({ renderers }) => renderers === 0);
  dead.close();
  await server.set({ idleTimeout: 15 });
});

Deno.test("remote_panel runs with the permissions that its first line names", async () => {
  await using program = await example("examples/remote_panel/main.ts");
  assertMatch(await cookieOf(program.url), /^remote_panel=/);
  await using one = await renderer(program.url.slice(0, -1));
  assertEquals(await one.json(), START);
});

pageTest("remote_panel shows its page on a phone and a desktop, light and dark", async (chromium) => {
  await using panels = await panel();
  await looksRight(chromium, panels.url, '.state[data-state="open"]', OPTIONS);
});

pageTest("remote_panel keeps two panels and a renderer in step", async (chromium) => {
  await using panels = await panel();
  await using stage = await renderer(panels.url);
  await stage.json();
  const [one, other] = [await chromium.visit(panels.url, OPTIONS), await chromium.visit(panels.url, OPTIONS)];
  for (const { page } of [one, other]) await page.waitForSelector('.state[data-state="open"]');
  await one.page.getByLabel("Brightness").fill("0.31");
  assertEquals(await stage.json(), { brightness: 0.31 });
  await until(other.page, 'document.querySelector("#brightness").value === "0.31"');
  assertEquals(await other.page.textContent("output[for=brightness]"), "31 %");
  await other.page.getByLabel("Colour").fill("#0000ff");
  assertEquals(await stage.json(), { color: [0, 0, 1] });
  await until(one.page, 'document.querySelector("#color").value === "#0000ff"');
  await one.page.getByRole("button", { name: "Scene 3" }).click();
  assertEquals(await stage.json(), { scene: 3 });
  await other.page.getByRole("button", { name: "Scene 3", pressed: true }).waitFor();
  await other.page.getByRole("button", { name: "Flash" }).click();
  assertEquals(await stage.json(), { flash: true });
  assertEquals(await one.page.textContent("#clients"), "2 panels, 1 renderer connected");
  await other.page.close();
  await one.page.getByText("1 panel, 1 renderer connected").waitFor();
  assertEquals([...one.errors, ...other.errors], []);
});

pageTest("remote_panel is worked with the keyboard alone", async (chromium) => {
  await using panels = await panel();
  await using stage = await renderer(panels.url);
  await stage.json();
  const { page } = await chromium.visit(panels.url, OPTIONS);
  await page.waitForSelector('.state[data-state="open"]');
  const focused = () => page.evaluate("document.activeElement.id || document.activeElement.dataset.scene");
  const order = [];
  for (let step = 0; step < 10; step++) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  assertEquals(order, ["1", "2", "3", "4", "blackout", "flash", "brightness", "color", "speed", "spread"]);
  await page.keyboard.press("ArrowRight");
  assertEquals(await stage.json(), { spread: 0.51 });
  assertEquals(await page.getAttribute("#spread", "aria-valuetext"), "51 %");
  await page.focus("#blackout");
  await page.keyboard.press("Space");
  assertEquals(await stage.json(), { blackout: true });
  await page.keyboard.press("Enter");
  assertEquals(await stage.json(), { blackout: false });
  const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  assertEquals(outline, "solid");
});

pageTest("remote_panel sends a slider that is torn back and forth once a frame", async (chromium) => {
  await using panels = await panel();
  await using stage = await renderer(panels.url);
  await stage.json();
  const { page } = await chromium.visit(panels.url, OPTIONS);
  await page.waitForSelector('.state[data-state="open"]');
  await page.evaluate(`
    const slider = document.querySelector("#speed");
    for (let step = 0; step <= 100; step++) {
      slider.value = step / 100;
      slider.dispatchEvent(new Event("input"));
    }
  `);
  assertEquals(await stage.json(), { speed: 1 });
});

pageTest(
  "remote_panel says that the server is gone, moves nothing meanwhile, and comes back by itself",
  async (chromium) => {
    await using panels = await panel();
    const { page } = await chromium.visit(panels.url, OPTIONS);
    await page.waitForSelector('.state[data-state="open"]');
    assertEquals(await page.getAttribute(".state", "aria-live"), "polite");
    const place = await page.locator("#brightness").boundingBox();
    await server.stop();
    await page.getByText("Connection lost, trying again").waitFor();
    // What is under a thumb stays there.
    assertEquals(await page.locator("#brightness").boundingBox(), place);
    await page.getByLabel("Brightness").fill("0.1");
    assertEquals(await page.inputValue("#brightness"), "0.8");
    await server.set({ port: panels.port, active: true });
    await page.waitForSelector('.state[data-state="open"]');
    await using stage = await renderer(panels.url);
    assertEquals(await stage.json(), START);
    await page.getByLabel("Brightness").fill("0.2");
    assertEquals(await stage.json(), { brightness: 0.2 });
  },
);

pageTest("remote_panel rests where the system asks for little motion", async (chromium) => {
  await using panels = await panel();
  const { page } = await chromium.visit(panels.url, { ...OPTIONS, reducedMotion: "reduce" });
  await page.waitForSelector('.state[data-state="open"]');
  const moving = await page.evaluate("document.getAnimations().length");
  assert(moving === 0, `${moving} animations run`);
});
