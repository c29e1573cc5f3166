/** The events of examples/events.ts, with several listeners. */

import { assertEquals, assertMatch } from "@std/assert";
import { listening, server } from "../../examples/events.ts";
import { looksRight, pageTest } from "./browser.ts";
import { example } from "../support/example.ts";

/** A client that listens, and its events one by one. */
class Listener {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(answer: Response) {
    this.#reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(url: string, lastId?: string): Promise<Listener> {
    const answer = await fetch(url, lastId === undefined ? {} : { headers: { "Last-Event-ID": lastId } });
    assertEquals(answer.headers.get("content-type"), "text/event-stream");
    const listener = new Listener(answer);
    assertMatch((await listener.next())!, /^:listening\n/);
    return listener;
  }

  /** The next event as sent, or undefined at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#text.includes("\n\n")) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
    const [event, ...rest] = this.#text.split("\n\n");
    this.#text = rest.join("\n\n");
    return event;
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

async function publish(url: string, body: string): Promise<void> {
  const answer = await fetch(url, { method: "POST", body });
  assertEquals([answer.status, await answer.text()], [204, ""]);
}

const data = (event: string | undefined) => event?.split("\n").filter((line) => line.startsWith("data:")).join("\n");
const id = (event: string | undefined) => /^id:(\d+)$/m.exec(event ?? "")![1]!;

Deno.test("examples/events.ts sends each posted text to every listener, in order and unchanged", async () => {
  await using events = await example("examples/events.ts");
  const url = `${events.url}events`;
  const listeners = await Promise.all([1, 2, 3].map(() => Listener.open(url)));
  await publish(url, "Doors open");
  await publish(url, "Türen\r\nauf: jetzt\n\nid:1");
  for (const listener of listeners) {
    const first = await listener.next();
    assertEquals(data(first), "data:Doors open");
    const second = await listener.next();
    assertEquals(data(second), "data:Türen\ndata:auf: jetzt\ndata:\ndata:id:1");
    assertEquals(Number(id(second)), Number(id(first)) + 1);
    await listener.leave();
  }
});

Deno.test("examples/events.ts sends a client that reconnects what it missed, and a new client only new events", async () => {
  await using events = await example("examples/events.ts");
  const url = `${events.url}events`;
  const listener = await Listener.open(url);
  await publish(url, "one");
  const seen = id(await listener.next());
  await listener.leave();
  await publish(url, "two");
  await publish(url, "three");
  const back = await Listener.open(url, seen);
  assertEquals([data(await back.next()), data(await back.next())], ["data:two", "data:three"]);
  await back.leave();
  for (const nonsense of [undefined, "", "abc"]) {
    const newcomer = await Listener.open(url, nonsense);
    await publish(url, "four");
    assertEquals(data(await newcomer.next()), "data:four");
    await newcomer.leave();
  }
});

Deno.test("examples/events.ts sends events uncached and unbuffered, and refuses other methods", async () => {
  await using events = await example("examples/events.ts");
  const answer = await fetch(`${events.url}events`);
  assertEquals([answer.status, answer.headers.get("cache-control")], [200, "no-store"]);
  // nginx would otherwise collect events before it passes them on.
  assertEquals(answer.headers.get("x-accel-buffering"), "no");
  await answer.body!.cancel();
  const refused = await fetch(`${events.url}events`, { method: "PUT", body: "x" });
  await refused.body?.cancel();
  assertEquals([refused.status, refused.headers.get("allow")], [405, "GET, POST"]);
  const elsewhere = await fetch(`${events.url}elsewhere`);
  await elsewhere.body?.cancel();
  assertEquals(elsewhere.status, 404);
});

Deno.test("examples/events.ts remembers the last 100 events", async () => {
  await using events = await example("examples/events.ts");
  const url = `${events.url}events`;
  for (let number = 1; number <= 103; number++) await publish(url, `${number}`);
  const listener = await Listener.open(url, "0");
  for (let number = 4; number <= 103; number++) assertEquals(data(await listener.next()), `data:${number}`);
  await publish(url, "new");
  assertEquals(data(await listener.next()), "data:new");
  await listener.leave();
});

pageTest("examples/events.ts shows its page on a phone and a desktop, light and dark", async (chromium) => {
  await using events = await example("examples/events.ts");
  await looksRight(chromium, events.url, "text=Connected");
});

pageTest("examples/events.ts sends from one page to another, as text", async (chromium) => {
  await using events = await example("examples/events.ts");
  const [one, other] = [await chromium.visit(events.url), await chromium.visit(events.url)];
  for (const { page } of [one, other]) await page.getByText("Connected", { exact: true }).waitFor();
  await one.page.getByLabel("Send to everyone").fill("<b>Doors</b> open");
  await one.page.keyboard.press("Enter");
  for (const { page } of [one, other]) await page.getByRole("log").getByText("<b>Doors</b> open").waitFor();
  assertEquals(await one.page.inputValue("#text"), "");
  assertEquals([...one.errors, ...other.errors], []);
});

Deno.test("examples/events.ts answers 413 to an event above 16 KiB, and sends it to nobody", async () => {
  await using events = await example("examples/events.ts");
  const url = `${events.url}events`;
  const listener = await Listener.open(url);
  const refused = await fetch(url, { method: "POST", body: "x".repeat(16 * 1024 + 1) });
  await refused.body?.cancel();
  assertEquals(refused.status, 413);
  const largest = "x".repeat(16 * 1024);
  await publish(url, largest);
  assertEquals(data(await listener.next()), `data:${largest}`);
  await listener.leave();
});

Deno.test("examples/events.ts accepts 500 listeners, even if more come at once, and another one when one leaves", async () => {
  await using events = await example("examples/events.ts");
  const url = `${events.url}events`;
  const answers = await Promise.all(Array.from({ length: 520 }, () => fetch(url)));
  const refused = answers.filter(({ status }) => status === 503);
  const open = answers.filter(({ status }) => status === 200);
  assertEquals([open.length, refused.length], [500, 20]);
  for (const answer of refused) assertEquals(await answer.text(), "Too many listeners, try again later");
  await open.pop()!.body!.cancel();
  let next = await fetch(url);
  while (next.status === 503) {
    await next.body?.cancel();
    // The server may notice only at the next event that one has left.
    await publish(url, "Is anyone there?");
    next = await fetch(url);
  }
  assertEquals(next.status, 200);
  for (const answer of [...open, next]) await answer.body!.cancel();
});

/** Publishes until `count` clients listen. The server may notice only at the next event that a client has left. */
async function untilListening(count: number, url: string): Promise<void> {
  while (listening() !== count) await publish(url, "\n".repeat(16_000));
}

Deno.test("examples/events.ts drops a listener that leaves or does not read", async () => {
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  try {
    const url = `${server.address!.url}events`;
    const stays = await Listener.open(url);
    const leaves = await Listener.open(url);
    assertEquals(listening(), 2);
    await leaves.leave();
    const reading = (async () => {
      while (data(await stays.next()) !== "data:end");
    })();
    await untilListening(1, url);

    // This one sends a request, and then reads no events.
    using deaf = await Deno.connect({ hostname: "127.0.0.1", port: server.address!.port });
    await deaf.write(new TextEncoder().encode("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await deaf.read(new Uint8Array(1000));
    assertEquals(listening(), 2);
    await untilListening(1, url);

    await publish(url, "end");
    await reading;
    await stays.leave();
    await untilListening(0, url);
  } finally {
    await server.stop();
  }
});

Deno.test("examples/events.ts ends its streams when it stops", async () => {
  await server.set({ port: 0, localaddress: "127.0.0.1", active: true });
  const listener = await Listener.open(`${server.address!.url}events`);
  const end = listener.next().catch(() => undefined);
  await server.stop();
  assertEquals(await end, undefined);
  assertEquals(listening(), 0);
});
