/** `examples/relay_mqtt` over a real broker (Mosquitto) and behind a real load balancer (HAProxy), each started here. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import mqtt from "mqtt";
import { connect, deferred, disconnect, once, raw } from "../helpers.ts";
import { Clients, freePort, installed, Program, type Served, served } from "./program.ts";

const FILE = "examples/relay_mqtt/main.ts";
const CLIENTS = 500;

const mosquitto = await installed("mosquitto");
const haproxy = await installed("haproxy");
const openssl = await installed("openssl");

/** A test that needs programs: skipped with their names where one is not installed. */
function testWith(programs: Record<string, string | undefined>, name: string, fn: () => Promise<void>): void {
  const missing = Object.entries(programs).filter(([, path]) => path === undefined).map(([program]) => program);
  const reason = missing.length > 0 ? ` (skipped: ${missing.join(" and ")} not installed)` : "";
  Deno.test({ name: name + reason, ignore: missing.length > 0, fn });
}

/** A folder for settings and keys, gone at the end. */
async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Starts Mosquitto with settings of its own, and of its own only. */
async function broker(port: number, settings = ["allow_anonymous true"]): Promise<Program> {
  await using files = await folder();
  const file = `${files.path}/mosquitto.conf`;
  // Started by root, it would become a user that cannot read the keys.
  await Deno.writeTextFile(file, ["user root", `listener ${port} 127.0.0.1`, ...settings, ""].join("\n"));
  const program = new Program(mosquitto!, ["-c", file]);
  await program.line(/ running$/);
  return program;
}

/** Starts HAProxy in front of servers, which it names in the header `x-server` of each answer: `s0`, `s1`. */
async function balancer(servers: Served[]): Promise<Program & { port: number }> {
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
  const program = new Program(haproxy!, ["-W", "-db", "-f", `${files.path}/haproxy.cfg`]);
  await program.line(/Loading success/);
  return Object.assign(program, { port });
}

/** The example, connected to its broker. */
async function relay(env: Record<string, string>, more: string[] = []): Promise<Served> {
  const subject = await served(FILE, env, more);
  await subject.program.line(/^Connected to the broker/);
  return subject;
}

type State = Record<"published" | "dropped" | "received" | "missed" | "repeated" | "waiting" | "unsent", number>;

async function stateOf({ url }: Served): Promise<State> {
  return await (await fetch(url)).json();
}

/** Resolves when a server has nothing left to send. */
async function drained(server: Served): Promise<void> {
  while ((await stateOf(server)).waiting > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}

testWith(
  { mosquitto, haproxy },
  "Every client of two servers gets every message once, in text and binary",
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
