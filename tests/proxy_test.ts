/** The proxy configuration of examples/proxy: a real HAProxy in front of a running server, attacked. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { generate } from "npm:selfsigned@5.5.0";
import NodeWebSocket from "npm:ws@8.23.0";
import { type Callbacks, WebServer } from "../mod.ts";
import { deferred } from "./helpers.ts";
import { LINUX, testWith } from "./programs.ts";
import { freePorts } from "./support/free_port.ts";
import { handshakeRequest } from "./support/handshake.ts";
import { output, Program } from "./support/program.ts";

/** A test with the proxy. With --interface, curl comes from any loopback address; only Linux has more than one. */
const proxied = (name: string, body: () => Promise<void>) => testWith([LINUX, "haproxy", "curl"], name, body);

interface Proxied extends AsyncDisposable {
  readonly server: WebServer;
  /** Ports of the proxy. */
  readonly https: number;
  readonly http: number;
  /** The certificate to trust. */
  readonly certificate: string;
  /** A TLS connection to the proxy. */
  tls(): Promise<Deno.TlsConn>;
  /** What curl prints for a path, if it connects from this address. */
  curl(from: string, path: string, ...flags: string[]): Promise<string>;
}

/**
 * Starts a server with HAProxy in front of it. Of the configuration addresses, names and the user are changed, and all times are
 * a tenth, so that the tests do not take minutes; the rules stay. `change` comes on top.
 */
async function behindProxy(
  callbacks: Callbacks,
  parameters: ConstructorParameters<typeof WebServer>[0] = {},
  change: (config: string) => string = (config) => config,
): Promise<Proxied> {
  const server = new WebServer({
    port: 0,
    localaddress: "127.0.0.1",
    trustedProxies: ["127.0.0.1"],
    callbacks,
    ...parameters,
  });
  await server.start();
  const directory = await Deno.makeTempDir();
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
  });
  await Deno.writeTextFile(`${directory}/panel.pem`, `${cert}\n${key}`);
  const [https, http] = freePorts(2) as [number, number];
  const config = (await Deno.readTextFile(new URL("../examples/proxy/haproxy.cfg", import.meta.url)))
    .replace(/^ +(user|group|chroot|log \/dev\/log) .*\n/gm, "")
    .replace("bind :80\n", `bind 127.0.0.1:${http}\n`)
    .replace("bind :443 ", `bind 127.0.0.1:${https} `)
    .replace("/etc/haproxy/panel.pem", `${directory}/panel.pem`)
    .replace("panel.example }", "localhost }")
    .replace("127.0.0.1:9980", `127.0.0.1:${server.address!.port}`)
    .replace(/^( +timeout \S+ \d+)s$/gm, "$100ms");
  await Deno.writeTextFile(`${directory}/haproxy.cfg`, change(config));
  const haproxy = new Program("haproxy", ["-W", "-db", "-f", `${directory}/haproxy.cfg`]);
  await haproxy.line(/Loading success/);
  return {
    server,
    https,
    http,
    certificate: cert,
    tls: () => Deno.connectTls({ hostname: "localhost", port: https, caCerts: [cert] }),
    async curl(from, path, ...flags) {
      const args = ["-sS", "--insecure", "--interface", from, ...flags, `https://localhost:${https}${path}`];
      const { stdout, stderr } = await output("curl", args);
      return stdout + stderr;
    },
    async [Symbol.asyncDispose]() {
      await haproxy.stop();
      await server.stop();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

function send(connection: Deno.Conn, text: string): Promise<number> {
  return connection.write(new TextEncoder().encode(text.replaceAll("\n", "\r\n")));
}

/** All that comes until the other side closes, in whatever way. */
async function received(connection: Deno.Conn, onData = () => {}): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let text = "";
  try {
    for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
      text += decoder.decode(buffer.subarray(0, read), { stream: true });
      onData();
    }
  } catch {
    // A reset is an end too.
  }
  return text;
}

/** Sends a byte now and then until the other side closes; returns what came back. */
async function trickle(connection: Deno.Conn): Promise<string> {
  const timer = setInterval(() => send(connection, "x").catch(() => {}), 100);
  try {
    return await received(connection);
  } finally {
    clearInterval(timer);
  }
}

/** Callbacks that count the requests, and answer with the client's address. */
function counting() {
  const seen: string[] = [];
  const callbacks: Callbacks = {
    onHTTPRequest(_webServer, request) {
      seen.push(request.uri);
      return { statusCode: 200, data: request.clientAddress };
    },
  };
  return { seen, callbacks };
}

proxied("behind the proxy, clientAddress is the client's, whatever X-Forwarded-For it sends itself", async () => {
  await using proxy = await behindProxy(counting().callbacks);
  assertMatch(await proxy.curl("127.0.0.1", "/"), /^127\.0\.0\.1:\d+$/);
  assertMatch(await proxy.curl("127.0.0.7", "/"), /^127\.0\.0\.7:\d+$/);
  assertMatch(await proxy.curl("127.0.0.7", "/", "-H", "X-Forwarded-For: 192.0.2.1"), /^127\.0\.0\.7:\d+$/);
});

proxied("the proxy speaks HTTP/2, and leads from http to https", async () => {
  await using proxy = await behindProxy(counting().callbacks);
  const version = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
  assertEquals(await proxy.curl("127.0.0.1", "/", "--http2", ...version), "2 200");
  const answer = await fetch(`http://localhost:${proxy.http}/a?b=c`, { redirect: "manual" });
  await answer.body?.cancel();
  assertEquals([answer.status, new URL(answer.headers.get("location")!).protocol], [301, "https:"]);
});

proxied("a WebSocket of the panel's own page passes the proxy and stays open while nothing is sent", async () => {
  const opened: string[] = [];
  await using proxy = await behindProxy(
    {
      onWebSocketOpen: (_webServer, client) => opened.push(client),
      onWebSocketReceiveText: (webServer, client, data) => webServer.webSocketSendText(client, data),
    },
    { idleTimeout: 3 },
    // The server pings every 1.5 seconds here, so this has to be more than that, and several pings more than this.
    (config) => config.replace("timeout tunnel 6000ms", "timeout tunnel 4000ms"),
  );
  const socket = new NodeWebSocket(`wss://localhost:${proxy.https}/panel`, {
    ca: proxy.certificate,
    origin: `https://localhost:${proxy.https}`,
  });
  const echoed = deferred<string>();
  const closed = deferred();
  let pings = 0;
  socket.on("ping", () => {
    if (++pings === 4) socket.send("still here");
  });
  socket.on("message", (data: Uint8Array) => echoed.resolve(data.toString()));
  socket.on("error", echoed.reject);
  socket.on("close", () => closed.resolve());
  assertEquals(await echoed.promise, "still here");
  assertEquals(opened.length, 1);
  assertMatch(opened[0]!, /^127\.0\.0\.1:\d+$/);
  socket.close();
  await closed.promise;
});

proxied("the proxy disconnects a client that sends its head slowly, before the server sees it", async () => {
  const { seen, callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  using connection = await proxy.tls();
  await send(connection, "GET /slow HTTP/1.1\nHost: localhost\nX-Slow: ");
  assertMatch(await trickle(connection), /^HTTP\/1\.1 408 /);
  assertEquals(seen, []);
});

proxied("the proxy disconnects a client that sends its body slowly, before the server sees it", async () => {
  const { seen, callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  using connection = await proxy.tls();
  await send(connection, "POST /slow HTTP/1.1\nHost: localhost\nContent-Length: 1000\n\n");
  assertMatch(await trickle(connection), /^HTTP\/1\.1 408 /);
  assertEquals(seen, []);
});

proxied("the proxy cuts a TLS client that says nothing, or stops in the middle of its handshake", async () => {
  await using proxy = await behindProxy(counting().callbacks);
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: proxy.https });
  using halting = await Deno.connect({ hostname: "127.0.0.1", port: proxy.https });
  await halting.write(new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
  await Promise.all([received(silent), received(halting)]);
});

proxied("the proxy closes a connection that stays open without a next request", async () => {
  await using proxy = await behindProxy(counting().callbacks);
  using connection = await proxy.tls();
  await send(connection, "GET / HTTP/1.1\nHost: localhost\n\n");
  assertMatch(await received(connection), /^HTTP\/1\.1 200 OK\r\n/);
});

proxied(
  "the proxy disconnects a client that does not read its answer, and the server releases the stream",
  async () => {
    const released = deferred();
    await using proxy = await behindProxy({
      onHTTPRequest: () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(65536)),
            cancel: () => released.resolve(),
          }),
        ),
    });
    using connection = await proxy.tls();
    await send(connection, "GET / HTTP/1.1\nHost: localhost\n\n");
    await released.promise;
  },
);

proxied("the proxy disconnects a WebSocket client that does not read, and the server reports the close", async () => {
  const closed = deferred<number>();
  await using proxy = await behindProxy(
    {
      onWebSocketOpen(webServer, client) {
        const message = new Uint8Array(65536);
        // More than the buffers of proxy and kernel hold, and little enough for the server to accept.
        for (let sent = 0; sent < 300 && webServer.webSocketSendBinary(client, message); sent++);
      },
      onWebSocketClose: (_webServer, _client, code) => closed.resolve(code),
    },
    { maxBufferedAmount: 32 * 1024 * 1024 },
    (config) => config.replace("timeout tunnel 6000ms", "timeout tunnel 1000ms"),
  );
  using connection = await proxy.tls();
  await connection.write(new TextEncoder().encode(handshakeRequest()));
  assertEquals(await closed.promise, 1006);
});

proxied("the proxy admits a hundred connections from one address, and those from others at the same time", async () => {
  // They say nothing, and are not to be cut for that here.
  const patient = (config: string) => config.replace("timeout client 2000ms", "timeout client 60s");
  await using proxy = await behindProxy(counting().callbacks, {}, patient);
  // The ones too many are reset, some of them before they are known to be open.
  const tries = Array.from(
    { length: 110 },
    () => Deno.connect({ hostname: "127.0.0.1", port: proxy.https }).catch(() => undefined),
  );
  const connections = (await Promise.all(tries)).filter((connection) => connection !== undefined);
  if (connections.length === tries.length) {
    assertEquals(await Promise.any(connections.map((connection) => received(connection))), "");
  }
  assertMatch(await proxy.curl("127.0.0.1", "/"), /^curl: /);
  assertMatch(await proxy.curl("127.0.0.9", "/"), /^127\.0\.0\.9:/);
  for (const connection of connections) connection.close();
});

proxied("the proxy refuses an address that connects too often, and no other", async () => {
  await using proxy = await behindProxy(counting().callbacks);
  for (let made = 0; made < 201; made++) {
    // The last ones may be refused already.
    (await Deno.connect({ hostname: "127.0.0.1", port: proxy.https }).catch(() => undefined))?.close();
  }
  assertMatch(await proxy.curl("127.0.0.1", "/"), /^curl: /);
  assertMatch(await proxy.curl("127.0.0.9", "/"), /^127\.0\.0\.9:/);
});

proxied("the proxy answers 429 to an address that asks too often, and to no other", async () => {
  const { seen, callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  using connection = await proxy.tls();
  const requests = "GET / HTTP/1.1\nHost: localhost\n\n".repeat(600);
  const [answers] = await Promise.all([received(connection), send(connection, requests)]);
  assertEquals(seen.length, 500);
  assertMatch(answers, /HTTP\/1\.1 429 /);
  assertMatch(await proxy.curl("127.0.0.9", "/"), /^127\.0\.0\.9:/);
});

proxied("the proxy refuses names that are not its own, and bodies announced as too large", async () => {
  const { seen, callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  const status = ["-o", "/dev/null", "-w", "%{http_code}"];
  assertEquals(await proxy.curl("127.0.0.1", "/", "-H", "Host: evil.example", ...status), "421");
  using connection = await proxy.tls();
  await send(
    connection,
    `POST / HTTP/1.1\nHost: localhost\nContent-Length: ${16 * 1024 * 1024 + 1}\n\n${"x".repeat(20000)}`,
  );
  assertMatch(await received(connection), /^HTTP\/1\.1 413 /);
  assert(seen.length === 0);
});

/** Sends chunks until this many bytes are sent, or the other side stops reading; returns how many were sent. */
async function flood(
  connection: Deno.Conn,
  chunk: string,
  most: number,
  onSent = (_bytes: number) => {},
): Promise<number> {
  const bytes = new TextEncoder().encode(chunk.replaceAll("\n", "\r\n").repeat(Math.ceil(65536 / chunk.length)));
  let sent = 0;
  try {
    while (sent < most) {
      const written = await connection.write(bytes);
      sent += written;
      onSent(written);
    }
  } catch {
    // It was cut.
  }
  return sent;
}

proxied("the proxy disconnects a client that sends endless trailers, before the server sees it", async () => {
  const { seen, callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  using connection = await proxy.tls();
  const answer = received(connection);
  await send(connection, "POST / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n1\nx\n0\n");
  assert(await flood(connection, "X-Trailer: more\n", 64 * 1024 * 1024) < 64 * 1024 * 1024);
  assertMatch(await answer, /^(HTTP\/1\.1 40\d |$)/);
  assertEquals(seen, []);
});

proxied("the proxy buffers little of what a client sends while its answer is on its way", async () => {
  const waiting = new Promise<never>(() => {});
  await using proxy = await behindProxy({ onHTTPRequest: () => waiting, onError: () => {} }, { requestTimeout: 1 });
  const connection = await proxy.tls();
  let sent = 0;
  const answered = deferred();
  const flooding = flood(connection, "GET / HTTP/1.1\nHost: localhost\n\n", 64 * 1024 * 1024, (bytes) => sent += bytes);
  const reading = received(connection, () => answered.resolve());
  await answered.promise;
  assert(sent < 16 * 1024 * 1024, String(sent));
  connection.close();
  await Promise.all([flooding, reading]);
});

proxied("the proxy cuts a GET whose body has no end", async () => {
  const { callbacks } = counting();
  await using proxy = await behindProxy(callbacks);
  using connection = await proxy.tls();
  const answer = received(connection);
  await send(connection, "GET / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n");
  assert(await flood(connection, `1000\n${"x".repeat(4096)}\n`, 256 * 1024 * 1024) < 256 * 1024 * 1024);
  await answer;
});
