import { assert, assertEquals } from "@std/assert";
import { deferred, running, type Subject } from "../helpers.ts";
import { pages } from "../../examples/pages/pages.ts";
import { pageTest, until } from "./browser.ts";

const PAGE = `<!DOCTYPE html>
<html lang="en">
  <title>Connection</title>
  <link rel="icon" href="/pages/icon.svg">
  <p class="state"></p>
  <ol></ol>
  <script type="module" src="/page.js"></script>
</html>`;

const SCRIPT = `
import { Connection } from "./pages/connection.js";
globalThis.events = [];
globalThis.connection = new Connection("socket?of=page", document.querySelector(".state"));
connection.addEventListener("open", () => events.push("open"));
connection.addEventListener("close", () => events.push("close"));
connection.addEventListener("message", ({ data }) => events.push(typeof data === "string" ? data : [...new Uint8Array(data)]));
`;

interface Site extends AsyncDisposable {
  readonly subject: Subject;
  /** What the server received, in order. */
  readonly heard: string[];
  /** While true, the server refuses handshakes. */
  refuses: boolean;
  /** Resolves at the next close of a WebSocket, with its code. */
  closed(): Promise<number>;
}

/** A server with a page that connects, and answers heartbeats. */
async function site(): Promise<Site> {
  const answer = pages({ "/": ["page.html", PAGE], "/page.js": ["page.js", SCRIPT] });
  const heard: string[] = [];
  let closed = deferred<number>();
  const subject = await running({
    onHTTPRequest: (_webServer, request, response) => answer(request, response),
    onWebSocketRequest(_webServer, _request, response) {
      if (site.refuses) response.statusCode = 403;
    },
    onWebSocketOpen(_webServer, _client, uri) {
      heard.push(`open ${uri}`);
    },
    onWebSocketReceiveText(webServer, client, data) {
      heard.push(data === "" ? "heartbeat" : data);
      if (data === "") webServer.webSocketSendText(client, "");
    },
    onWebSocketClose: (_webServer, _client, code) => closed.resolve(code),
  });
  const site: Site = {
    subject,
    heard,
    refuses: false,
    closed() {
      closed = deferred();
      return closed.promise;
    },
    [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose](),
  };
  return site;
}

/** A cable to the server. When it is cut, neither end notices. */
class Cable implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #ends = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>;
  cut = false;

  constructor(port: number) {
    this.#work = this.#accept(port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}/`;
  }

  async #accept(port: number): Promise<void> {
    const flows: Promise<void>[] = [];
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname: "127.0.0.1", port });
      for (const end of [near, far]) this.#ends.add(end);
      flows.push(this.#flow(near, far), this.#flow(far, near));
    }
    await Promise.all(flows);
  }

  async #flow(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(16384);
    try {
      for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
        let sent = 0;
        while (!this.cut && sent < read) sent += await to.write(buffer.subarray(sent, read));
      }
    } catch {
      // An end is closed.
    }
    for (const end of [from, to]) this.#close(end);
  }

  #close(end: Deno.TcpConn): void {
    if (!this.#ends.delete(end)) return;
    end.close();
  }

  async [Symbol.asyncDispose]() {
    this.#listener.close();
    for (const end of this.#ends) this.#close(end);
    await this.#work;
  }
}

pageTest("Connection opens, shows that it is open, and sends and receives text and bytes", async (chromium) => {
  await using here = await site();
  const { page, errors } = await chromium.visit(here.subject.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  assertEquals(await page.getAttribute(".state", "role"), "status");
  assertEquals(here.heard, ["open /socket?of=page"]);
  const { server } = here.subject;
  const [client] = server.webSocketConnections;
  server.webSocketSendText(client!, "hello");
  server.webSocketSendBinary(client!, new Uint8Array([1, 2]));
  await until(page, "events.length === 3");
  assertEquals(await page.evaluate("events"), ["open", "hello", [1, 2]]);
  assertEquals(await page.evaluate('connection.send("hi")'), true);
  await until(page, "connection.bufferedAmount === 0");
  assertEquals(errors, []);
});

pageTest(
  "Connection sends a heartbeat after ten silent seconds, and stays open when it comes back",
  async (chromium) => {
    await using here = await site();
    const { page } = await chromium.visit("about:blank");
    await page.clock.install();
    await page.goto(here.subject.url);
    await page.getByText("Connected", { exact: true }).waitFor();
    for (let beats = 1; beats <= 3; beats++) {
      await page.clock.runFor(10_000);
      // The marker is sent after the heartbeat, so when the marker is back, the heartbeat is, too.
      const marker = `after beat ${beats}`;
      await page.evaluate(`connection.send("${marker}")`);
      while (here.heard.at(-1) !== marker) await page.evaluate("0");
      here.subject.server.webSocketBroadcast(marker);
      await until(page, `events.at(-1) === "${marker}"`);
      assertEquals(here.heard.filter((message) => message === "heartbeat").length, beats);
    }
    assertEquals(await page.evaluate("events"), ["open", "after beat 1", "after beat 2", "after beat 3"]);
  },
);

pageTest("Connection notices a cable that is cut silently, and reconnects when it is repaired", async (chromium) => {
  await using here = await site();
  await using cable = new Cable(here.subject.port);
  const { page } = await chromium.visit("about:blank");
  await page.clock.install();
  await page.goto(cable.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  cable.cut = true;
  await page.clock.runFor(10_000);
  assertEquals(await page.evaluate("connection.state"), "open");
  await page.clock.runFor(5_000);
  await page.getByText("Connection lost, trying again").waitFor();
  assertEquals(await page.evaluate('connection.send("lost")'), false);
  cable.cut = false;
  // Wait for the end of the try that went into the cut cable. The next try follows by itself.
  await page.clock.runFor(5_000);
  await page.getByText("Connected", { exact: true }).waitFor();
  assertEquals(await page.evaluate("events"), ["open", "close", "open"]);
  assert(!here.heard.includes("lost"), "A message that was not sent came later");
});

pageTest("Connection reconnects when the server restarts", async (chromium) => {
  await using here = await site();
  const { page } = await chromium.visit(here.subject.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await here.subject.server.stop();
  await page.getByText("Connection lost, trying again").waitFor();
  await here.subject.server.set({ port: here.subject.port, active: true });
  await page.getByText("Connected", { exact: true }).waitFor();
  assertEquals(await page.evaluate("events"), ["open", "close", "open"]);
});

pageTest("Connection reconnects as soon as the network is back", async (chromium) => {
  await using here = await site();
  const { page } = await chromium.visit(here.subject.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.context().setOffline(true);
  await page.getByText("Connection lost, trying again").waitFor();
  await page.context().setOffline(false);
  await page.getByText("Connected", { exact: true }).waitFor();
});

pageTest("Connection shows that it was refused if the server answers but accepts no WebSocket", async (chromium) => {
  await using here = await site();
  here.refuses = true;
  const { page } = await chromium.visit(here.subject.url);
  await page.getByText("The server refused the connection. Reload the page.").waitFor();
  here.refuses = false;
  await page.getByText("Connected", { exact: true }).waitFor();
});

pageTest(
  "Connection closes with 1000 when its page is left, and reconnects when the user goes back",
  async (chromium) => {
    await using here = await site();
    const { page } = await chromium.visit(here.subject.url);
    await page.getByText("Connected", { exact: true }).waitFor();
    const closed = here.closed();
    await page.goto("about:blank");
    assertEquals(await closed, 1000);
    await page.goBack();
    await page.getByText("Connected", { exact: true }).waitFor();
  },
);

pageTest("Connection stays closed after close()", async (chromium) => {
  await using here = await site();
  const { page } = await chromium.visit("about:blank");
  await page.clock.install();
  await page.goto(here.subject.url);
  await page.getByText("Connected", { exact: true }).waitFor();
  const closed = here.closed();
  await page.evaluate("connection.close()");
  assertEquals(await closed, 1000);
  await page.clock.runFor(60_000);
  assertEquals(await page.textContent(".state"), "Closed");
  assertEquals(await page.evaluate("events"), ["open", "close"]);
  assertEquals(here.heard, ["open /socket?of=page"]);
});
