// deno run --lock=examples/deno.lock --allow-net --allow-env=MQTT_URL,MQTT_USERNAME,MQTT_PASSWORD,MQTT_TOPIC --ignore-env examples/relay_mqtt/main.ts

/**
 * Servers on many machines, joined by an MQTT broker. Each message reaches every client of its room once, including the
 * sender, whichever server they are connected to. Any load balancer can be put in front.
 *
 * The path of the WebSocket is the room: `ws://localhost:9980/lobby`. To try it, start a broker (on Debian: `mosquitto`) and
 * this file, and open http://localhost:9980/lobby in a few windows. http://localhost:9980/ shows counters as JSON.
 *
 * Environment variables name the broker:
 *
 * - `MQTT_URL`: `mqtt://localhost:1883` by default, or `mqtts://broker.example:8883` for TLS. If your own authority signed the
 *   broker's certificate, add `--cert authority.pem` to the command.
 * - `MQTT_USERNAME` and `MQTT_PASSWORD`, if the broker needs them. Other users of the machine could see them in a command.
 * - `MQTT_TOPIC`: the start of all topics, `relay` by default. Servers with different topics do not share messages.
 *
 * On the broker, a text message to the room `lobby` has the topic `relay/lobby/text`, and a binary message the topic
 * `relay/lobby/binary`. In TouchDesigner, use an MQTT Client DAT with the Network Address `tcp://localhost:1883` (`ssl://`
 * for TLS):
 *
 * ```python
 * def onConnect(dat):
 *     dat.subscribe(['relay/lobby/text', 'relay/lobby/binary'])
 *
 * def onMessage(dat, topic, payload, qos, retained, dup):
 *     if topic.endswith('/text'):
 *         print(payload.decode())
 *
 * op('mqttclient1').publish('relay/lobby/text', b'hello')
 * op('mqttclient1').publish('relay/lobby/binary', bytes([0, 255]))
 * ```
 *
 * While the broker is away, each server still serves its own clients, and keeps the last 1,000 messages (16 MiB) for the
 * others. Messages of one client arrive in order. Messages of two clients on two servers may arrive in different orders.
 * Retained messages are delivered when they are published, and not again to clients that connect later.
 *
 * @module
 */

import { WebServer } from "@webserver-dat/server";
import { pages, show } from "../pages/pages.ts";
import page from "../pages/relay.html" with { type: "text" };
import script from "../pages/relay.js" with { type: "text" };
import { Broker } from "./broker.ts";

const TOPIC = Deno.env.get("MQTT_TOPIC") ?? "relay";
if (!/^[\w.-]+(\/[\w.-]+)*$/.test(TOPIC)) {
  throw new RangeError(
    `Cannot use the topic "${TOPIC}": MQTT_TOPIC may have letters, digits, ".", "_", "-" and "/"`,
  );
}

/** The path of a room. It has no characters with a meaning in MQTT, such as `+`, `#`, `/` and `$`. */
const ROOM = /^\/([\w.-]{1,64})(?:\?|$)/;
const MAX_MESSAGE_SIZE = 1024 * 1024;

/** The clients of each room, and the room of each client. */
const rooms = new Map<string, Set<string>>();
const roomOf = new Map<string, string>();
/** Messages that were not sent to a client because it was too slow. */
let unsent = 0;

const broker = new Broker({
  url: Deno.env.get("MQTT_URL") ?? "mqtt://localhost:1883",
  username: Deno.env.get("MQTT_USERNAME"),
  password: Deno.env.get("MQTT_PASSWORD"),
  filter: `${TOPIC}/+/+`,
  maxMessageSize: MAX_MESSAGE_SIZE,
  onMessage(topic, payload) {
    const [room, kind] = topic.slice(TOPIC.length + 1).split("/");
    if (kind === "text") deliver(room!, new TextDecoder().decode(payload));
    if (kind === "binary") deliver(room!, payload);
  },
});

/** Sends to the clients of a room that are connected to this server. */
function deliver(room: string, data: string | Uint8Array): void {
  for (const client of rooms.get(room) ?? []) {
    const sent = typeof data === "string"
      ? server.webSocketSendText(client, data)
      : server.webSocketSendBinary(client, data);
    if (!sent) unsent++;
  }
}

/** Sends to all clients in this client's room: here at once, and on other servers through the broker, which does not echo. */
function say(client: string, data: string | Uint8Array): void {
  const room = roomOf.get(client)!;
  deliver(room, data);
  broker.publish(`${TOPIC}/${room}/${typeof data === "string" ? "text" : "binary"}`, data);
}

const answer = pages({ "/pages/relay.js": ["relay.js", script] });

/** The server; importing this file does not start it. */
export const server: WebServer = new WebServer({
  name: "relay",
  maxMessageSize: MAX_MESSAGE_SIZE,
  callbacks: {
    onServerStart: () => broker.connect(),
    onServerStop: () => broker.end(),

    onHTTPRequest(_webServer, request, response) {
      if (request.uri === "/") return Response.json({ ...broker.state, unsent, clients: roomOf.size });
      if (ROOM.test(request.uri)) return show(request, response, ["relay.html", page]);
      return answer(request, response);
    },

    onWebSocketRequest(_webServer, request, response) {
      if (!ROOM.test(request.uri)) {
        response.statusCode = 400;
        response.data = 'The path must be a room, such as /lobby: 1 to 64 letters, digits, ".", "_" and "-"';
      }
      return response;
    },

    onWebSocketOpen(_webServer, client, uri) {
      const room = ROOM.exec(uri)![1]!;
      roomOf.set(client, room);
      const clients = rooms.get(room) ?? new Set();
      rooms.set(room, clients.add(client));
    },

    onWebSocketClose(_webServer, client) {
      const room = roomOf.get(client)!;
      roomOf.delete(client);
      rooms.get(room)!.delete(client);
      if (rooms.get(room)!.size === 0) rooms.delete(room);
    },

    onWebSocketReceiveText(webServer, client, data) {
      // The heartbeat of connection.js
      if (data === "") webServer.webSocketSendText(client, "");
      else say(client, data);
    },
    onWebSocketReceiveBinary: (_webServer, client, data) => say(client, data),
  },
});

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}lobby`);
}
