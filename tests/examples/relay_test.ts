import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { server } from "../../examples/relay/main.ts";
import { disconnect, printed, rawRequest } from "../helpers.ts";
import { looksRight, pageTest, until } from "./browser.ts";
import { example } from "../support/example.ts";
import { Inbox } from "./inbox.ts";

async function relay() {
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  const { url, port } = server.address!;
  return { url: url.slice(0, -1), port, [Symbol.asyncDispose]: () => server.stop() };
}

/** The status of the answer to a handshake. */
async function handshake(port: number, uri: string): Promise<number> {
  const answer = await rawRequest(port, `GET ${uri}`, [
    `Host: 127.0.0.1:${port}`,
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Connection: Upgrade",
  ]);
  return Number(answer.split(" ")[1]);
}

/** What happens to a new client: "in", "refused", or the code that closes it. */
function arrivalOf(socket: WebSocket): Promise<"in" | "refused" | number> {
  return new Promise((resolve) => {
    socket.onopen = () => socket.send("");
    // Only clients that are in a room get their heartbeat back.
    socket.onmessage = ({ data }) => data === "" && resolve("in");
    socket.onerror = () => resolve("refused");
    socket.onclose = ({ code }) => resolve(code);
  });
}

/** Opens WebSockets all at once, and returns those that got in. */
async function rush(urls: string[]): Promise<WebSocket[]> {
  const sockets = urls.map((url) => new WebSocket(url.replace("http", "ws")));
  const arrivals = await Promise.all(sockets.map(arrivalOf));
  assertEquals(arrivals.filter((arrival) => !["in", "refused", 1013].includes(arrival)), []);
  return sockets.filter((_, index) => arrivals[index] === "in");
}

const bytes = (message: string | ArrayBuffer) => [...new Uint8Array(message as ArrayBuffer)];

Deno.test("relay sends text and bytes to everyone else in the room, unchanged", async () => {
  await using here = await relay();
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  await using ben = await Inbox.open(`${here.url}/room/foyer?name=Ben`);
  await using projector = await Inbox.open(`${here.url}/room/foyer?name=projector`);
  anna.socket.send("Grüße <b>");
  anna.socket.send(new Uint8Array([0, 255, 7]));
  for (const inbox of [ben, projector]) {
    assertEquals(await inbox.next(), "Grüße <b>");
    assertEquals(bytes(await inbox.next()), [0, 255, 7]);
  }
  ben.socket.send("to Anna");
  assertEquals(await anna.next(), "to Anna");
});

Deno.test("relay sends the sender's name before each message to a client that asked for it", async () => {
  await using here = await relay();
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  await using ben = await Inbox.open(`${here.url}/room/foyer?name=Ben&senders`);
  await using projector = await Inbox.open(`${here.url}/room/foyer?name=projector`);
  anna.socket.send("hello");
  anna.socket.send(new Uint8Array([7]));
  assertEquals([await ben.next(), await ben.next()], ["Anna", "hello"]);
  assertEquals([await ben.next(), bytes(await ben.next())], ["Anna", [7]]);
  projector.socket.send("cue 12");
  assertEquals([await ben.next(), await ben.next()], ["projector", "cue 12"]);
  // The others get the messages only.
  assertEquals([await projector.next(), bytes(await projector.next())], ["hello", [7]]);
  ben.socket.send("done");
  assertEquals(await projector.next(), "done");
  assertEquals([await anna.next(), await anna.next()], ["cue 12", "done"]);
});

Deno.test("relay sends nothing to another room", async () => {
  await using here = await relay();
  await using foyer = await Inbox.open(`${here.url}/room/foyer`);
  await using stage = await Inbox.open(`${here.url}/room/stage`);
  await using other = await Inbox.open(`${here.url}/room/stage`);
  foyer.socket.send("for the foyer");
  other.socket.send("for the stage");
  assertEquals(await stage.next(), "for the stage");
});

Deno.test("relay recognizes a room by its decoded name, whichever Unicode form it has", async () => {
  await using here = await relay();
  await using one = await Inbox.open(`${here.url}/room/${encodeURIComponent("Café".normalize("NFC"))}`);
  await using other = await Inbox.open(`${here.url}/room/${encodeURIComponent("Café".normalize("NFD"))}`);
  one.socket.send("hello");
  assertEquals(await other.next(), "hello");
});

Deno.test("relay tells who is in a room, now and at each change", async () => {
  await using here = await relay();
  await using watcher = await Inbox.open(`${here.url}/people/foyer`);
  assertEquals(await watcher.json(), []);
  const anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  assertEquals(await watcher.json(), ["Anna"]);
  await using _guest = await Inbox.open(`${here.url}/room/foyer`);
  assertEquals(await watcher.json(), ["Anna", "someone"]);
  await anna[Symbol.asyncDispose]();
  assertEquals(await watcher.json(), ["someone"]);
});

Deno.test("relay ignores messages from clients that only watch", async () => {
  await using here = await relay();
  await using watcher = await Inbox.open(`${here.url}/people/foyer`);
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  await using ben = await Inbox.open(`${here.url}/room/foyer?name=Ben`);
  watcher.socket.send("I am not here");
  // The server answers the heartbeat after it has read the message.
  watcher.socket.send("");
  while (await watcher.next() !== "");
  ben.socket.send("I am");
  assertEquals(await anna.next(), "I am");
});

Deno.test("relay answers a heartbeat to its sender only", async () => {
  await using here = await relay();
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  await using ben = await Inbox.open(`${here.url}/room/foyer?name=Ben`);
  anna.socket.send("");
  assertEquals(await anna.next(), "");
  anna.socket.send("behind it");
  assertEquals(await ben.next(), "behind it");
});

Deno.test("relay refuses hostile names of rooms and people", async () => {
  await using here = await relay();
  const hostile = [
    "/room/",
    "/room",
    "/room/a/b",
    "/room/..%2F..%2Fetc",
    "/room/a%2Fb",
    "/room/%3Cscript%3E",
    "/room/%00",
    "/room/a%0d%0aSet-Cookie:x",
    "/room/%E2%80%AEabc",
    "/room/%",
    "/room/%ff",
    "/room/a%20b",
    `/room/${"a".repeat(41)}`,
    "/room/a?name=%3Cimg%20src=x%3E",
    `/room/a?name=${"b".repeat(41)}`,
    "/room/a?name=a%0ab",
    "/people/",
    "/other/a",
    "/",
  ];
  for (const uri of hostile) assertEquals(await handshake(here.port, uri), 404, uri);
  assertEquals(server.webSocketConnections, []);
});

Deno.test("relay accepts names of JavaScript's own properties as rooms", async () => {
  await using here = await relay();
  for (const name of ["__proto__", "constructor", "hasOwnProperty"]) {
    await using one = await Inbox.open(`${here.url}/room/${name}?name=${name}`);
    await using other = await Inbox.open(`${here.url}/room/${name}`);
    one.socket.send(name);
    assertEquals(await other.next(), name);
  }
});

Deno.test("relay refuses a client if the room is full, and accepts another one when someone leaves", async () => {
  await using here = await relay();
  const people = [];
  for (let count = 0; count < 50; count++) people.push(await Inbox.open(`${here.url}/room/full`));
  assertEquals(await handshake(here.port, "/room/full"), 503);
  await using watcher = await Inbox.open(`${here.url}/people/full`);
  await watcher.until((names) => names.length === 50);
  await people.pop()![Symbol.asyncDispose]();
  await watcher.until((names) => names.length === 49);
  people.push(await Inbox.open(`${here.url}/room/full`));
  for (const inbox of people) await inbox[Symbol.asyncDispose]();
});

Deno.test("relay refuses too many rooms, and forgets an empty one", async () => {
  await using here = await relay();
  const rooms = [];
  for (let count = 0; count < 100; count++) rooms.push(await Inbox.open(`${here.url}/room/room${count}`));
  assertEquals(await handshake(here.port, "/room/one_more"), 503);
  await using watcher = await Inbox.open(`${here.url}/people/room0`);
  await rooms.pop()![Symbol.asyncDispose]();
  // When this heartbeat is back, the server has seen the close and forgotten the empty room.
  watcher.socket.send("");
  while (await watcher.next() !== "");
  rooms.push(await Inbox.open(`${here.url}/room/one_more`));
  for (const inbox of rooms) await inbox[Symbol.asyncDispose]();
});

Deno.test("relay accepts 50 people in a room, even if more come at once", async () => {
  await using here = await relay();
  const people = await rush(Array(60).fill(`${here.url}/room/rush`));
  assertEquals(people.length, 50);
  await using watcher = await Inbox.open(`${here.url}/people/rush`);
  assertEquals((await watcher.json()).length, 50);
  for (const socket of people) await disconnect(socket);
});

Deno.test("relay accepts 50 watchers of a room, even if more come at once", async () => {
  await using here = await relay();
  const watchers = await rush(Array(60).fill(`${here.url}/people/rush`));
  assertEquals(watchers.length, 50);
  for (const socket of watchers) await disconnect(socket);
});

Deno.test("relay has 100 rooms, even if people enter more of them at once", async () => {
  await using here = await relay();
  const people = await rush(Array.from({ length: 110 }, (_, room) => `${here.url}/room/rush${room}`));
  assertEquals(people.length, 100);
  for (const socket of people) await disconnect(socket);
});

Deno.test("relay does not tell the room of a client that it closes because the room is full", async () => {
  await using here = await relay();
  await using watcher = await Inbox.open(`${here.url}/people/rush`);
  const people = await rush(Array(60).fill(`${here.url}/room/rush`));
  for (let count = 0; count <= 50; count++) assertEquals((await watcher.json()).length, count);
  await disconnect(people.pop()!);
  assertEquals((await watcher.json()).length, 49);
  for (const socket of people) await disconnect(socket);
});

Deno.test("relay refuses an address that is longer than two names need", async () => {
  await using here = await relay();
  // The worst case for normalize(): marks in the wrong order.
  const marks = "%CC%81".repeat(5_000) + "%CC%96".repeat(5_000);
  for (const uri of [`/room/a?${"x".repeat(5_000)}`, `/room/a${marks}`, `/room/a?name=a${marks}`]) {
    assertEquals(await handshake(here.port, uri), 404);
  }
});

Deno.test("relay accepts the longest names in any script", async () => {
  await using here = await relay();
  // Three letters each when decomposed, of three bytes each.
  const name = encodeURIComponent("각".repeat(40).normalize("NFD"));
  await using inbox = await Inbox.open(`${here.url}/room/${name}?name=${name}`);
  await using watcher = await Inbox.open(`${here.url}/people/${name}`);
  assertEquals(await watcher.json(), ["각".repeat(40)]);
  assertEquals(inbox.socket.readyState, WebSocket.OPEN);
});

Deno.test("relay resolves dots in an address", async () => {
  await using here = await relay();
  const errors: unknown[][] = await printed("error", async () => {
    await using watcher = await Inbox.open(`${here.url}/people/dots`);
    assertEquals(await watcher.json(), []);
    // With raw TCP, since a WebSocket would resolve the dots before it sends the path.
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: here.port });
    await socket.write(new TextEncoder().encode(
      `GET //..:x/../../room/dots?name=Anna HTTP/1.1\r\nHost: 127.0.0.1:${here.port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ));
    assertEquals(await watcher.json(), ["Anna"]);
  });
  assertEquals(errors, []);
});

Deno.test("relay closes a client that sends too large a message, and sends it to nobody", async () => {
  await using here = await relay();
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=Anna`);
  await using ben = await Inbox.open(`${here.url}/room/foyer?name=Ben`);
  await using carl = await Inbox.open(`${here.url}/room/foyer?name=Carl`);
  anna.socket.send(new Uint8Array(1024 * 1024 + 1));
  assertEquals((await anna.closed).code, 1009);
  carl.socket.send("still here");
  assertEquals(await ben.next(), "still here");
});

Deno.test("relay redirects from its form to the room, whatever was entered", async () => {
  await using here = await relay();
  const query = new URLSearchParams({ room: ' "><script>', name: "A&B=C\r\nX: y" });
  const response = await fetch(`${here.url}/room?${query}`, { redirect: "manual" });
  assertEquals(response.status, 303);
  assertEquals(
    response.headers.get("location"),
    "/room.html?room=%22%3E%3Cscript%3E&name=A%26B%3DC%0D%0AX%3A%20y",
  );
  await response.body?.cancel();
});

Deno.test("relay runs with the permissions that its first line names", async () => {
  await using program = await example("examples/relay/main.ts");
  const response = await fetch(program.url);
  assertMatch(await response.text(), /Enter a room/);
  await using inbox = await Inbox.open(`${program.url}room/foyer`);
  inbox.socket.send("");
  assertEquals(await inbox.next(), "");
});

pageTest("relay shows its pages on a phone and a desktop, light and dark", async (chromium) => {
  await using here = await relay();
  await using anna = await Inbox.open(`${here.url}/room/foyer?name=${"M".repeat(40)}`);
  await looksRight(chromium, here.url, "button");
  await looksRight(chromium, `${here.url}/room.html?room=foyer&name=Ben`, '.state[data-state="open"]');
  assertEquals(anna.socket.readyState, WebSocket.OPEN);
});

pageTest("relay brings two pages and a renderer together, by keyboard alone", async (chromium) => {
  await using here = await relay();
  await using projector = await Inbox.open(`${here.url}/room/foyer?name=projector`);
  const [anna, ben] = [await chromium.visit(here.url), await chromium.visit(here.url)];
  for (const [{ page }, name] of [[anna, "Anna"], [ben, "Ben <b>"]] as const) {
    await page.keyboard.press("Tab");
    await page.keyboard.type("foyer");
    await page.keyboard.press("Tab");
    await page.keyboard.type(name.replaceAll(/[<>]/g, ""));
    await page.keyboard.press("Enter");
    await page.getByText("Connected", { exact: true }).waitFor();
  }
  await anna.page.getByRole("listitem").getByText("Ben b").waitFor();
  assertEquals(await anna.page.locator("#people li").allTextContents(), ["projector", "Anna", "Ben b"]);
  await anna.page.getByRole("textbox").focus();
  await anna.page.keyboard.type("<img src=x> hello");
  await anna.page.keyboard.press("Enter");
  assertEquals(await projector.next(), "<img src=x> hello");
  await ben.page.getByRole("log").getByText("<img src=x> hello").waitFor();
  projector.socket.send("cue 12");
  await ben.page.getByRole("log").getByText("cue 12").waitFor();
  assertEquals(await ben.page.locator("#log strong").allTextContents(), ["Anna", "projector"]);
  await ben.page.close();
  await until(anna.page, 'document.querySelectorAll("#people li").length === 2');
  assertEquals([...anna.errors, ...anna.strangers], []);
});

pageTest("relay sends files from its page, and shows pictures from others", async (chromium) => {
  await using here = await relay();
  await using projector = await Inbox.open(`${here.url}/room/foyer?name=projector`);
  const { page, errors } = await chromium.visit(`${here.url}/room.html?room=foyer&name=Anna`);
  await page.getByText("Connected", { exact: true }).waitFor();
  // The smallest GIF: one pixel.
  const gif = Uint8Array.fromBase64("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
  const file = { name: "pixel.gif", mimeType: "image/gif", buffer: Buffer.from(gif) };
  await page.setInputFiles("#file", file);
  assertEquals(bytes(await projector.next()), [...gif]);
  projector.socket.send(gif);
  await page.getByRole("img", { name: "A picture from projector" }).waitFor();
  projector.socket.send(new Uint8Array(2000));
  await page.getByText("2.0 KiB").waitFor();
  await page.setInputFiles("#file", { ...file, buffer: Buffer.alloc(1024 * 1024 + 1) });
  await page.getByText("Not sent: pixel.gif is larger than 1024.0 KiB").waitFor();
  assertEquals(errors, []);
});

pageTest("relay keeps the newest 8 MiB of messages on its page", async (chromium) => {
  await using here = await relay();
  await using projector = await Inbox.open(`${here.url}/room/foyer?name=projector`);
  const { page, errors } = await chromium.visit(`${here.url}/room.html?room=foyer&name=Anna`);
  await page.getByText("Connected", { exact: true }).waitFor();
  // More than 8 MiB together. One after the other, so that none is missed.
  for (let number = 0; number < 11; number++) {
    projector.socket.send(`${number} ${"x".repeat(1_000_000)}`);
    await until(page, `document.querySelector("#log").lastChild?.textContent.startsWith("projector${number} ")`);
  }
  assertEquals(
    await page.evaluate(
      `[...document.querySelectorAll("#log li")].map((item) => parseInt(item.lastChild.textContent))`,
    ),
    [3, 4, 5, 6, 7, 8, 9, 10],
  );
  assertEquals(errors, []);
});

pageTest(
  "relay keeps the text in its field when the connection is lost, and enters the room again",
  async (chromium) => {
    await using here = await relay();
    const { page } = await chromium.visit(`${here.url}/room.html?room=foyer&name=Anna`);
    await page.getByText("Connected", { exact: true }).waitFor();
    await server.stop();
    await page.getByText("Connection lost, trying again").waitFor();
    await page.getByRole("textbox").fill("wait for it");
    await page.keyboard.press("Enter");
    await page.getByText("Not sent: not connected").waitFor();
    assertEquals(await page.inputValue("#text"), "wait for it");
    await server.set({ port: here.port, active: true });
    await page.getByText("Connected", { exact: true }).waitFor();
    await page.getByRole("listitem").getByText("Anna").waitFor();
    await using projector = await Inbox.open(`${here.url}/room/foyer`);
    await page.getByRole("button", { name: "Send", exact: true }).click();
    assertEquals(await projector.next(), "wait for it");
    assert(await page.inputValue("#text") === "");
  },
);
