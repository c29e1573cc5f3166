import { assert, assertEquals, assertMatch } from "@std/assert";
import { rawRequest } from "../helpers.ts";
import { testWith } from "../programs.ts";
import { StandIn } from "../touchdesigner/stand_in.ts";
import { looksRight, pageTest, until } from "./browser.ts";
import { example } from "../support/example.ts";
import { Inbox } from "./inbox.ts";
import { deno } from "../support/deno.ts";

const PASSWORD = "stage left";
const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
// Before the example is loaded, which reads them.
Deno.env.set("PANEL_PASSWORD", PASSWORD);
Deno.env.set("PANEL_STATE", `${folder}/state.json`);
Deno.env.set("TOUCHDESIGNER_PORT", "0");
const { server, touchDesigner } = await import("../../examples/remote_panel/main.ts");
await touchDesigner.listening;

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
      const inbox = await Inbox.open(`${url}panel`, BASIC);
      inbox.socket.send(JSON.stringify(START));
      await inbox.until((values) => values.flash === undefined && values.brightness === START.brightness);
      await inbox[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

/** A panel that has received the values, and who is connected. */
async function opened(url: string): Promise<Inbox> {
  const inbox = await Inbox.open(`${url}/panel`, BASIC);
  await inbox.json();
  await inbox.json();
  return inbox;
}

const isChange = (values: Record<string, unknown>) => values.panels === undefined;

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
  assertEquals(await handshake(panels.port, "/panel"), 403);
  assertEquals(await handshake(panels.port, "/panel", ["Cookie: remote_panel=b3BlcmF0b3I6c3RhZ2UgbGVmdA=="]), 403);
  assertEquals(await handshake(panels.port, "/panel", [`Authorization: Basic ${btoa("operator:")}`]), 403);
  assertEquals(server.webSocketConnections, []);
});

Deno.test("remote_panel has no WebSocket at other paths", async () => {
  await using panels = await panel();
  for (const uri of ["/", "/panels", "/panel/", "/renderer"]) {
    assertEquals(await handshake(panels.port, uri, [`Authorization: ${BASIC.authorization}`]), 404, uri);
  }
});

Deno.test("remote_panel accepts the cookie of its page from a browser that sends no password with a WebSocket", async () => {
  await using panels = await panel();
  const cookie = (await cookieOf(panels.url)).split(";")[0]!;
  await using inbox = await Inbox.open(`${panels.url}/panel`, { cookie: `other=1; ${cookie}` });
  assertEquals(await inbox.json(), START);
});

Deno.test("remote_panel sends everything when a client connects, then every change to everyone", async () => {
  await using panels = await panel();
  await using one = await Inbox.open(`${panels.url}/panel`, BASIC);
  assertEquals(await one.json(), START);
  assertEquals(await one.json(), { panels: 1, touchdesigner: false });
  await using other = await Inbox.open(`${panels.url}/panel`, BASIC);
  assertEquals(await other.json(), START);
  assertEquals(await other.json(), { panels: 2, touchdesigner: false });
  assertEquals(await one.json(), { panels: 2, touchdesigner: false });
  one.socket.send('{"brightness":0.5,"color":[0,0,1]}');
  for (const inbox of [one, other]) assertEquals(await inbox.json(), { brightness: 0.5, color: [0, 0, 1] });
  other.socket.send('{"scene":3}');
  for (const inbox of [one, other]) assertEquals(await inbox.json(), { scene: 3 });
  await using late = await Inbox.open(`${panels.url}/panel`, BASIC);
  assertEquals(await late.json(), { ...START, brightness: 0.5, color: [0, 0, 1], scene: 3 });
});

Deno.test("remote_panel passes a pulse on, and does not keep it", async () => {
  await using panels = await panel();
  await using one = await opened(panels.url);
  one.socket.send('{"flash":true}');
  assertEquals(await one.json(), { flash: true });
  await using late = await Inbox.open(`${panels.url}/panel`, BASIC);
  assertEquals(await late.json(), START);
});

Deno.test("remote_panel ignores values that its controls cannot have", async () => {
  await using panels = await panel();
  await using one = await opened(panels.url);
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
  // The first one is a heartbeat. The others have no effect.
  assertEquals(await one.next(), "");
  assertEquals(await one.json(), { speed: 1 });
});

Deno.test("remote_panel closes a client that sends more than a panel ever sends", async () => {
  await using panels = await panel();
  await using one = await opened(panels.url);
  one.socket.send("x".repeat(5000));
  assertEquals((await one.closed).code, 1009);
});

Deno.test("remote_panel answers a heartbeat to its sender only", async () => {
  await using panels = await panel();
  await using one = await opened(panels.url);
  await using other = await opened(panels.url);
  await one.json();
  one.socket.send("");
  assertEquals(await one.next(), "");
  one.socket.send('{"speed":0}');
  assertEquals(await other.json(), { speed: 0 });
});

Deno.test("remote_panel runs with the permissions that its first line names", async () => {
  const place = await Deno.makeTempDir();
  try {
    Deno.env.delete("PANEL_STATE");
    await using program = await example("examples/remote_panel/main.ts", { folder: place });
    assertMatch(await cookieOf(program.url), /^remote_panel=/);
    await using one = await Inbox.open(`${program.url}panel`, BASIC);
    assertEquals(await one.json(), START);
  } finally {
    Deno.env.set("PANEL_STATE", `${folder}/state.json`);
    await Deno.remove(place, { recursive: true });
  }
});

/** The example in a separate process, which stops as by Ctrl-C. */
async function program(state = `${folder}/${crypto.randomUUID()}.json`) {
  const starter = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    starter,
    `import { server, touchDesigner } from ${
      JSON.stringify(new URL("../../examples/remote_panel/main.ts", import.meta.url).href)
    };
await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
await touchDesigner.listening;
console.log("listening " + server.address!.url + " " + touchDesigner.address!.url);
await Deno.stdin.read(new Uint8Array(1));
await server.stop();
Deno.exit();
`,
  );
  const running = deno("run", ["--allow-all", starter], { env: { PANEL_STATE: state } });
  const [, url, link] = await running.line(/^listening (\S+)\/ (\S+)$/);
  return {
    url: url!,
    /** Where TouchDesigner connects. */
    link: link!,
    running,
    async stop() {
      await running.write("");
      await running.status;
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      await Deno.remove(starter);
    },
  };
}

Deno.test("remote_panel restores its values after a restart of the program", async () => {
  const state = `${folder}/${crypto.randomUUID()}.json`;
  {
    await using first = await program(state);
    await using one = await opened(first.url);
    one.socket.send('{"brightness":0.25,"scene":4}');
    await one.until((values) => values.scene === 4);
    await first.stop();
  }
  await using second = await program(state);
  await using one = await Inbox.open(`${second.url}/panel`, BASIC);
  assertEquals(await one.json(), { ...START, brightness: 0.25, scene: 4 });
});

Deno.test("remote_panel restores only valid values, and starts even if its file is damaged", async () => {
  const state = `${folder}/${crypto.randomUUID()}.json`;
  await Deno.writeTextFile(state, '{"brightness":7,"scene":2,"flash":true,"constructor":1}');
  {
    await using one = await program(state);
    await using inbox = await Inbox.open(`${one.url}/panel`, BASIC);
    assertEquals(await inbox.json(), { ...START, scene: 2 });
  }
  await Deno.writeTextFile(state, '{"brightness":');
  await using two = await program(state);
  await two.running.line(/^Cannot read .*, so the panel starts with its first values: SyntaxError/);
  await using inbox = await Inbox.open(`${two.url}/panel`, BASIC);
  assertEquals(await inbox.json(), START);
});

/** TouchDesigner with the panel's component. */
async function stage(link: string): Promise<StandIn> {
  const td = new StandIn();
  await td.do(`
panel = COMP(project1, 'panel')
for name in ['Brightness', 'Speed', 'Spread', 'Colorr', 'Colorg', 'Colorb']:
    panel.add(name, 'Float', -1.0)
panel.add('Scene', 'Int', -1)
panel.add('Blackout', 'Toggle', True)
panel.add('Flash', 'Pulse')
`);
  await td.connect(link);
  return td;
}

const STAGE = "[panel.par.all[n].val for n in " +
  "['Brightness', 'Speed', 'Spread', 'Colorr', 'Colorg', 'Colorb', 'Scene', 'Blackout']]";

testWith(
  ["python3"],
  "remote_panel sets TouchDesigner's parameters, when it connects and at every change",
  async () => {
    await using panels = await program();
    await using one = await opened(panels.url);
    await using td = await stage(panels.link);
    await one.until((values) => values.touchdesigner === true);
    await td.until("not panel.par.Blackout.val");
    assertEquals(await td.get(STAGE), [0.8, 0.25, 0.5, 1, 0.55, 0.15, 1, false]);
    one.socket.send('{"color":[0,0,1],"scene":3,"flash":true}');
    await td.until("panel.par.Flash.pulses == 1");
    assertEquals(await td.get(STAGE), [0.8, 0.25, 0.5, 0, 0, 1, 3, false]);
  },
);

testWith(
  ["python3"],
  "remote_panel moves all panels with a fader in TouchDesigner, and ignores invalid values",
  async () => {
    await using panels = await program();
    await using one = await opened(panels.url);
    await using td = await stage(panels.link);
    await one.until((values) => values.touchdesigner === true);
    await td.do("[op('/project1/deno').module.send('brightness', value) for value in [2, 'x', 0.125]]");
    assertEquals(await one.until(isChange), { brightness: 0.125 });
  },
);

testWith(["python3"], "remote_panel tells panels when TouchDesigner disconnects", async () => {
  await using panels = await program();
  await using one = await opened(panels.url);
  const td = await stage(panels.link);
  assertEquals(await one.json(), { panels: 1, touchdesigner: true });
  await td.stop();
  assertEquals(await one.json(), { panels: 1, touchdesigner: false });
});

pageTest("remote_panel shows its page on a phone and a desktop, light and dark", async (chromium) => {
  await using panels = await panel();
  await looksRight(chromium, panels.url, '.state[data-state="open"]', OPTIONS);
});

pageTest("remote_panel keeps two panels and others in step", async (chromium) => {
  await using panels = await panel();
  await using observer = await opened(panels.url);
  const [one, other] = [await chromium.visit(panels.url, OPTIONS), await chromium.visit(panels.url, OPTIONS)];
  for (const { page } of [one, other]) await page.waitForSelector('.state[data-state="open"]');
  await one.page.getByLabel("Brightness").fill("0.31");
  assertEquals(await observer.until(isChange), { brightness: 0.31 });
  await until(other.page, 'document.querySelector("#brightness").value === "0.31"');
  assertEquals(await other.page.textContent("output[for=brightness]"), "31 %");
  await other.page.getByLabel("Colour").fill("#0000ff");
  assertEquals(await observer.until(isChange), { color: [0, 0, 1] });
  await until(one.page, 'document.querySelector("#color").value === "#0000ff"');
  await one.page.getByRole("button", { name: "Scene 3" }).click();
  assertEquals(await observer.until(isChange), { scene: 3 });
  await other.page.getByRole("button", { name: "Scene 3", pressed: true }).waitFor();
  await other.page.getByRole("button", { name: "Flash" }).click();
  assertEquals(await observer.until(isChange), { flash: true });
  assertEquals(await one.page.textContent("#clients"), "3 panels, no TouchDesigner connected");
  await other.page.close();
  await one.page.getByText("2 panels, no TouchDesigner connected").waitFor();
  assertEquals([...one.errors, ...other.errors], []);
});

pageTest("remote_panel works with the keyboard alone", async (chromium) => {
  await using panels = await panel();
  await using observer = await opened(panels.url);
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
  assertEquals(await observer.until(isChange), { spread: 0.51 });
  assertEquals(await page.getAttribute("#spread", "aria-valuetext"), "51 %");
  await page.focus("#blackout");
  await page.keyboard.press("Space");
  assertEquals(await observer.until(isChange), { blackout: true });
  await page.keyboard.press("Enter");
  assertEquals(await observer.until(isChange), { blackout: false });
  const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  assertEquals(outline, "solid");
});

pageTest("remote_panel sends a slider that moves quickly once a frame", async (chromium) => {
  await using panels = await panel();
  await using observer = await opened(panels.url);
  const { page } = await chromium.visit(panels.url, OPTIONS);
  await page.waitForSelector('.state[data-state="open"]');
  await page.evaluate(`
    const slider = document.querySelector("#speed");
    for (let step = 0; step <= 100; step++) {
      slider.value = step / 100;
      slider.dispatchEvent(new Event("input"));
    }
  `);
  assertEquals(await observer.until(isChange), { speed: 1 });
});

pageTest(
  "remote_panel shows that the connection is lost, moves nothing meanwhile, and reconnects by itself",
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
    await using observer = await Inbox.open(`${panels.url}/panel`, BASIC);
    assertEquals(await observer.json(), START);
    await page.getByLabel("Brightness").fill("0.2");
    assertEquals(await observer.until(isChange), { brightness: 0.2 });
  },
);

pageTest("remote_panel does not move if the system asks for reduced motion", async (chromium) => {
  await using panels = await panel();
  const { page } = await chromium.visit(panels.url, { ...OPTIONS, reducedMotion: "reduce" });
  await page.waitForSelector('.state[data-state="open"]');
  const moving = await page.evaluate("document.getAnimations().length");
  assert(moving === 0, `${moving} animations run`);
});
