/** `examples/relay_mqtt` over a real broker (Mosquitto) and behind a real load balancer (HAProxy), each started here. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import mqtt from "npm:mqtt@5.16.0";
import { Broker } from "../../examples/relay_mqtt/broker.ts";
import { connect, deferred, disconnect, once, printed, raw } from "../helpers.ts";
import { testWith } from "../programs.ts";
import { deno } from "../support/deno.ts";
import { type Example, example } from "../support/example.ts";
import { freePort } from "../support/free_port.ts";
import { Program } from "../support/program.ts";
import { Clients } from "./clients.ts";

const FILE = "examples/relay_mqtt/main.ts";
const CLIENTS = 500;

/** A folder for settings and keys, gone at the end. */
async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Starts Mosquitto with these settings only. */
async function broker(port: number, settings = ["allow_anonymous true"]): Promise<Program> {
  await using files = await folder();
  const file = `${files.path}/mosquitto.conf`;
  // Started by root, it would become a user that cannot read the keys.
  await Deno.writeTextFile(file, ["user root", `listener ${port} 127.0.0.1`, ...settings, ""].join("\n"));
  const program = new Program("mosquitto", ["-c", file]);
  await program.line(/ running$/);
  return program;
}

/** Starts HAProxy in front of servers, which it names in the header `x-server` of each answer: `s0`, `s1`. */
async function balancer(servers: Example[]): Promise<Program & { port: number }> {
  await using files = await folder();
  const port = freePort();
  await Deno.writeTextFile(
    `${files.path}/haproxy.cfg`,
    `global
  maxconn 2000
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
listen relay
  bind 127.0.0.1:${port}
  balance roundrobin
  http-response set-header x-server %s
${servers.map((server, index) => `  server s${index} 127.0.0.1:${server.port}`).join("\n")}
`,
  );
  const program = new Program("haproxy", ["-W", "-db", "-f", `${files.path}/haproxy.cfg`]);
  await program.line(/Loading success/);
  return Object.assign(program, { port });
}

/** The example, connected to its broker. */
async function relay(env: Record<string, string>, more: string[] = []): Promise<Example> {
  const subject = await example(FILE, { env, flags: more });
  await subject.program.line(/^Connected to the broker/);
  return subject;
}

type State = Record<"published" | "dropped" | "received" | "missed" | "repeated" | "waiting" | "unsent", number>;

async function stateOf({ url }: Example): Promise<State> {
  return await (await fetch(url)).json();
}

/** Resolves when a server has nothing left to send. */
async function drained(server: Example): Promise<void> {
  while ((await stateOf(server)).waiting > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}

testWith(
  ["mosquitto", "haproxy"],
  "every client of two servers gets every message once, as text and as binary",
  async () => {
    const MQTT_URL = `mqtt://127.0.0.1:${freePort()}`;
    await using _broker = await broker(Number(new URL(MQTT_URL).port));
    const servers = await Promise.all([relay({ MQTT_URL }), relay({ MQTT_URL })]);
    await using _a = servers[0]!;
    await using _b = servers[1]!;
    await using proxy = await balancer(servers);
    await using clients = new Clients(`ws://127.0.0.1:${proxy.port}/show?table=4`, CLIENTS);
    assertEquals(await clients.open(), { s0: CLIENTS / 2, s1: CLIENTS / 2 });

    // What TouchDesigner's MQTT Client DAT does: MQTT 3.1.1, plain payloads.
    const dat = await mqtt.connectAsync(MQTT_URL, { protocolVersion: 4 });
    const heard = new Set<string>();
    const ended = deferred();
    dat.on("message", (topic, payload) => {
      const kind = topic.replace("relay/show/", "");
      heard.add(`${kind} ${payload.toString(kind === "text" ? "utf8" : "hex")}`);
      if (kind === "text" && payload.toString() === "end of both") ended.resolve();
    });
    await dat.subscribeAsync("relay/show/+");

    await clients.load([0, 1, 2, 3], 200);
    await clients.line(/"all":"binary/);
    const sent = await clients.halt();
    await dat.publishAsync("relay/show/text", "Grüße");
    await dat.publishAsync("relay/show/binary", Buffer.of(0, 255));
    sent.push("text Grüße", "binary 00ff");
    for (const message of sent) await clients.all(message);
    const once = Object.fromEntries(sent.map((message) => [message, [1, 1] as [number, number]]));
    assertEquals(await clients.report(), { s0: once, s1: once });

    // One after the other, by both servers: the DAT has all that they sent before.
    for (const [client, text] of ["end", "end of both"].entries()) {
      await clients.say(client, { text });
      await clients.all(`text ${text}`);
    }
    await ended.promise;
    await dat.endAsync();
    assertEquals(heard, new Set([...sent, "text end", "text end of both"]));
    for (const server of servers) {
      const { dropped, missed, repeated, unsent } = await stateOf(server);
      assertEquals({ dropped, missed, repeated, unsent }, { dropped: 0, missed: 0, repeated: 0, unsent: 0 });
    }
  },
);

testWith(
  ["mosquitto", "haproxy"],
  "all messages lost with a broker that is killed under load are counted",
  async () => {
    const MQTT_URL = `mqtt://127.0.0.1:${freePort()}`;
    const port = Number(new URL(MQTT_URL).port);
    await using first = await broker(port);
    const servers = await Promise.all([relay({ MQTT_URL }), relay({ MQTT_URL })]);
    await using _a = servers[0]!;
    await using _b = servers[1]!;
    await using proxy = await balancer(servers);
    await using clients = new Clients(`ws://127.0.0.1:${proxy.port}/show`, CLIENTS);
    assertEquals(await clients.open(), { s0: CLIENTS / 2, s1: CLIENTS / 2 });

    // By turns: clients with even numbers are at s0, the others at s1.
    await clients.load([0, 1], 200);
    // One sends text and the other bytes. A server counts missing messages once it has received one of the other.
    await clients.line(/"all":"binary/);
    await clients.line(/"all":"text/);
    await first.stop("SIGKILL");
    for (const { program } of servers) await program.line(/^Cannot reach the broker at 127\.0\.0\.1:\d+: /);
    await using _second = await broker(port);
    for (const { program } of servers) await program.line(/^Connected to the broker after .* messages waiting$/);
    const sent = await clients.halt();
    await Promise.all(servers.map(drained));
    // Shows a gap at the end of the numbers, too.
    for (const client of [0, 1]) {
      await clients.say(client, { text: `end of ${client}` });
      await clients.all(`text end of ${client}`);
    }

    const received = await clients.report();
    for (const [index, server] of servers.entries()) {
      const counts = received[`s${index}`]!;
      const { missed, dropped, unsent } = await stateOf(server);
      assertEquals({ dropped, unsent }, { dropped: 0, unsent: 0 });
      const isOwn = (message: string) => Number(textOf(message).at(-1)) % 2 === index;
      for (const message of sent.filter(isOwn)) assertEquals(counts[message], [1, 1], message);
      const others = sent.filter((message) => !isOwn(message));
      const lost = others.filter((message) => (counts[message] ?? [0, 0])[1] === 0);
      for (const message of others.filter((message) => !lost.includes(message))) {
        assertEquals(counts[message], [1, 1], message);
      }
      assertEquals(lost.length, missed);
      if (missed > 0) await server.program.line(/^Lost \d+ messages from other servers$/);
    }
  },
);

/** The text of a message of `clients.ts`, sent as text or as bytes. */
function textOf(message: string): string {
  const [, kind, content] = /^(text|binary) (.*)$/.exec(message)!;
  return kind === "text" ? content! : new TextDecoder().decode(Uint8Array.fromHex(content!));
}

testWith(
  ["mosquitto"],
  "messages beyond the backlog are dropped, the oldest first, and both servers count and print them",
  async () => {
    const MQTT_URL = `mqtt://127.0.0.1:${freePort()}`;
    const port = Number(new URL(MQTT_URL).port);
    await using first = await broker(port);
    await using a = await relay({ MQTT_URL });
    await using b = await relay({ MQTT_URL });
    const [sender, receiver] = [await connect(a.url, "/room"), await connect(b.url, "/room")];
    const heard = deferred();
    receiver.addEventListener("message", () => heard.resolve(), { once: true });
    sender.send("hello");
    await heard.promise;
    while ((await stateOf(a)).published === 0);

    await first.stop("SIGKILL");
    await a.program.line(/^Cannot reach/);
    const echoed = deferred();
    sender.onmessage = ({ data }) => data === "1004" && echoed.resolve();
    for (let number = 0; number < 1_005; number++) sender.send(`${number}`);
    await echoed.promise;
    assertMatch((await a.program.line(/^Lost .*/))[0], /^Lost 5 messages to other servers$/);

    const numbers: number[] = [];
    const last = deferred();
    receiver.onmessage = ({ data }) => {
      numbers.push(Number(data));
      if (data === "1004") last.resolve();
    };
    // The receiver connects first, since the broker keeps nothing for clients that come later.
    Deno.kill(a.program.pid, "SIGSTOP");
    await using _second = await broker(port);
    await b.program.line(/^Connected to the broker after/);
    Deno.kill(a.program.pid, "SIGCONT");
    await last.promise;
    assertEquals(numbers, Array.from({ length: 1_000 }, (_, index) => index + 5));
    assertMatch((await b.program.line(/^Lost .*/))[0], /^Lost 5 messages from other servers$/);
    assertEquals((await stateOf(a)).dropped, 5);
    assertEquals((await stateOf(b)).missed, 5);
    await disconnect(sender);
    await disconnect(receiver);
  },
);

testWith(
  ["mosquitto"],
  "a broker that hangs does not prevent a stop, and unconfirmed messages are counted",
  async () => {
    const port = freePort();
    await using program = await broker(port);
    const url = `mqtt://127.0.0.1:${port}`;
    const subject = new Broker({ url, filter: "relay/+/+", maxMessageSize: 1_000, onMessage: () => {} });
    const confirmed = async () => {
      while (subject.state.published === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const lines = await printed("error", async () => {
      subject.connect();
      subject.publish("relay/room/text", "hello");
      await confirmed();
      Deno.kill(program.pid, "SIGSTOP");
      subject.publish("relay/room/text", "is anyone there?");
      await subject.end();
      Deno.kill(program.pid, "SIGCONT");
    });
    assertEquals(subject.state.dropped, 1);
    assertEquals(lines, [["Lost 1 messages to other servers"]]);
  },
);

Deno.test("the backlog is limited in bytes, too", async () => {
  const url = `mqtt://127.0.0.1:${freePort()}`;
  const subject = new Broker({ url, filter: "relay/+/+", maxMessageSize: 1_000_000, onMessage: () => {} });
  const lines = await printed("error", async () => {
    for (let message = 0; message < 20; message++) subject.publish("relay/room/binary", new Uint8Array(1_000_000));
    assertEquals(subject.state.waiting, 16);
    assertEquals(subject.state.dropped, 4);
    await subject.end();
  });
  assertEquals(lines, [["Lost 20 messages to other servers"]]);
});

interface Numbered extends AsyncDisposable {
  readonly subject: Broker;
  /** Sends a message as another process would, and resolves once it is counted. */
  send(from: string, n: number): Promise<void>;
}

/** Starts Mosquitto, connects a `Broker` and another client to it. */
async function numbered(): Promise<Numbered> {
  const port = freePort();
  const program = await broker(port);
  const url = `mqtt://127.0.0.1:${port}`;
  const ready = deferred();
  const subject = new Broker({
    url,
    filter: "relay/+/+",
    maxMessageSize: 1_000,
    onMessage: (_topic, payload) => new TextDecoder().decode(payload) === "ready" && ready.resolve(),
  });
  const other = await mqtt.connectAsync(url, { protocolVersion: 5 });
  const publish = (text: string, properties = {}) =>
    other.publishAsync("relay/room/text", text, { qos: 1, properties });
  await printed("log", async () => {
    subject.connect();
    // Mosquitto keeps nothing for a client that has not subscribed yet.
    while (subject.state.received === 0) await publish("Is anyone there?");
    await publish("ready");
    await ready.promise;
  });
  return {
    subject,
    async send(from, n) {
      const counted = () => subject.state.received + subject.state.repeated;
      const before = counted();
      await publish("", { userProperties: { from, n: `${n}` } });
      while (counted() === before) await new Promise((resolve) => setTimeout(resolve));
    },
    async [Symbol.asyncDispose]() {
      await other.endAsync();
      await subject.end();
      await program.stop();
    },
  };
}

testWith(
  ["mosquitto"],
  "a server remembers the numbers of 1,000 others, and forgets the one silent longest",
  async () => {
    await using here = await numbered();
    const { subject, send } = here;
    await send("first", 1);
    await send("second", 1);
    // The first sends again, so that the second is the one silent longest.
    await send("first", 2);
    for (let other = 0; other < 999; other++) await send(`other ${other}`, 1);
    const { received } = subject.state;
    await send("first", 2);
    assertEquals([subject.state.received, subject.state.repeated], [received, 1]);
    await send("second", 1);
    assertEquals([subject.state.received, subject.state.repeated], [received + 1, 1]);
  },
);

testWith(["mosquitto"], "a server ignores the number of a sender whose name is longer than a UUID", async () => {
  await using here = await numbered();
  const { subject, send } = here;
  const { received } = subject.state;
  for (let time = 0; time < 2; time++) await send("x".repeat(37), 1);
  assertEquals([subject.state.received, subject.state.repeated], [received + 2, 0]);
  const uuid = crypto.randomUUID();
  for (let time = 0; time < 2; time++) await send(uuid, 1);
  assertEquals([subject.state.received, subject.state.repeated], [received + 3, 1]);
});

testWith(
  ["mosquitto", "openssl"],
  "a broker with password and TLS relays only to servers that know the password and trust the certificate",
  async () => {
    await using files = await folder();
    const { path } = files;
    const run = async (command: string, args: string[]) => {
      const { success, stderr } = await new Deno.Command(command, { args, cwd: path, stderr: "piped" }).output();
      assert(success, new TextDecoder().decode(stderr));
    };
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    await run("openssl", ["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority"]);
    await run("openssl", ["req", ...newKey, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost"]);
    await Deno.writeTextFile(`${path}/names`, "subjectAltName=DNS:localhost");
    const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    await run("openssl", ["x509", "-req", "-in", "request.pem", ...authority, "-out", "cert.pem", "-extfile", "names"]);
    await run("mosquitto_passwd", ["-b", "-c", "passwords", "show", "s3cret:#"]);

    const port = freePort();
    await using _broker = await broker(port, [
      `certfile ${path}/cert.pem`,
      `keyfile ${path}/key.pem`,
      "allow_anonymous false",
      `password_file ${path}/passwords`,
    ]);
    const env = {
      MQTT_URL: `mqtts://localhost:${port}`,
      MQTT_USERNAME: "show",
      MQTT_PASSWORD: "s3cret:#",
      MQTT_TOPIC: "a/b",
    };
    const trust = [`--cert=${path}/ca.pem`];
    await using a = await relay(env, trust);
    await using b = await relay(env, trust);
    const [sender, receiver] = [await connect(a.url, "/room"), await connect(b.url, "/room")];
    const heard = once(receiver, "message");
    sender.send("hello");
    assertEquals((await heard).data, "hello");
    await disconnect(sender);
    await disconnect(receiver);

    await using stranger = await example(FILE, { env: { ...env, MQTT_PASSWORD: "guess" }, flags: trust });
    await stranger.program.line(/^Cannot reach the broker at localhost:\d+: Connection refused: Not authorized$/);
    await using doubter = await example(FILE, { env });
    await doubter.program.line(/^Cannot reach the broker at localhost:\d+: .*(certificate|issuer|UnknownIssuer)/i);
    for (const { program } of [a, b, stranger, doubter]) assert(!program.lines.some((line) => line.includes("s3cret")));
  },
);

Deno.test("without a broker, the clients of one server still reach each other, and a stop does not wait for it", async () => {
  await using subject = await example(FILE, { env: { MQTT_URL: `mqtt://127.0.0.1:${freePort()}` } });
  await subject.program.line(/^Cannot reach the broker at 127\.0\.0\.1:\d+: /);
  const [one, two, elsewhere] = [
    await connect(subject.url, "/room"),
    await connect(subject.url, "/room?name=two"),
    await connect(subject.url, "/other"),
  ];
  elsewhere.onmessage = () => assert(false, "A message has left its room");
  const heard = Promise.all([once(one, "message"), once(two, "message")]);
  one.send("hello");
  assertEquals((await heard).map(({ data }) => data), ["hello", "hello"]);
  assertEquals((await stateOf(subject)).waiting, 1);
  for (const socket of [one, two, elsewhere]) await disconnect(socket);
});

Deno.test("A room whose name would mean something to MQTT is refused", async () => {
  await using subject = await example(FILE, { env: { MQTT_URL: `mqtt://127.0.0.1:${freePort()}` } });
  const key =
    "Connection: Upgrade, close\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
  for (const path of ["/", "/+", "/%2B", "/%23", "/a/b", "/$SYS", "/a%00", "/a+", `/${"a".repeat(65)}`]) {
    assertMatch(await raw(subject.port, `GET ${path} HTTP/1.1\nHost: localhost\n${key}\n\n`), /^HTTP\/1\.1 400 /, path);
  }
});

Deno.test("A topic that no broker takes is refused at the start, with the variable to change", async () => {
  await using program = deno("run", ["--allow-env=MQTT_TOPIC", "--ignore-env", FILE], {
    env: { MQTT_TOPIC: "show/#" },
  });
  await program.line(/Cannot use the topic "show\/#": MQTT_TOPIC may have /);
  assertEquals((await program.status).code, 1);
});
