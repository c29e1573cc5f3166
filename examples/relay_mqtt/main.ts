// deno run --lock=examples/deno.lock --allow-net --allow-env=MQTT_URL,MQTT_USERNAME,MQTT_PASSWORD,MQTT_TOPIC --ignore-env examples/relay_mqtt/main.ts

/**
 * Servers on many machines, joined by an MQTT broker: whatever a client sends to a room reaches every client of that room
 * once, also the sender, whichever server each of them is connected to. Any load balancer goes in front.
 *
 * A room is the path of the WebSocket: `ws://localhost:9980/lobby`. To try it, start a broker (Debian: `mosquitto`), this
 * file, and open http://localhost:9980/lobby in a few windows; http://localhost:9980/ shows what the relay counts, as JSON.
 *
 * The environment says which broker:
 *
 * - `MQTT_URL`: `mqtt://localhost:1883` if absent; `mqtts://broker.example:8883` for TLS. A broker whose certificate is signed
 *   by an authority of your own needs `--cert authority.pem` in the command.
 * - `MQTT_USERNAME` and `MQTT_PASSWORD`, if it asks for them. They stay out of the command, where other users can see it.
 * - `MQTT_TOPIC`: what the topics begin with, `relay` if absent. Servers with different ones do not hear each other.
 *
 * On the broker, a text message to the room `lobby` is its UTF-8 text under the topic `relay/lobby/text`, a binary message its
 * bytes under `relay/lobby/binary`. TouchDesigner takes part with an MQTT Client DAT, Network Address `tcp://localhost:1883`
 * (`ssl://` for TLS):
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
 * While the broker is away, each server goes on serving its own clients, and keeps the last 1,000 messages (16 MiB) for
 * the others. Messages of one client arrive in their order; those of two clients on two servers may change places. Retained
 * messages of others are taken when they are published, not replayed to clients that come later.
 *
 * @module
 */

import { WebServer } from "@webserver-dat/server";
import page from "../relay.html" with { type: "text" };
import { Broker } from "./broker.ts";

const TOPIC = Deno.env.get("MQTT_TOPIC") ?? "relay";
if (!/^[\w.-]+(\/[\w.-]+)*$/.test(TOPIC)) {
  throw new RangeError(
    `Cannot relay under the topic "${TOPIC}": MQTT_TOPIC takes letters, digits, ".", "_", "-" and "/"`,
  );
}

/** A path that is a room: nothing in it that means something to MQTT, such as `+`, `#`, `/` and `$`. */
const ROOM = /^\/([\w.-]{1,64})(?:\?|$)/;
const MAX_MESSAGE_SIZE = 1024 * 1024;

/** The clients of each room, and the room of each client. */
const rooms = new Map<string, Set<string>>();
const roomOf = new Map<string, string>();
/** Messages that a client was too slow to be sent. */
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

/** To the clients of a room that are connected to this server. */
function deliver(room: string, data: string | Uint8Array): void {
  for (const client of rooms.get(room) ?? []) {
    const sent = typeof data === "string"
      ? server.webSocketSendText(client, data)
      : server.webSocketSendBinary(client, data);
    if (!sent) unsent++;
  }
}

/** To all clients of the room of this one: those here at once, those of other servers by the broker, which does not echo. */
function say(client: string, data: string | Uint8Array): void {
  const room = roomOf.get(client)!;
  deliver(room, data);
  broker.publish(`${TOPIC}/${room}/${typeof data === "string" ? "text" : "binary"}`, data);
}

/** The server; importing this file does not start it. */
export const server: WebServer = new WebServer({
  name: "relay",
  maxMessageSize: MAX_MESSAGE_SIZE,
  callbacks: {
    onServerStart: () => broker.connect(),
    onServerStop: () => broker.end(),

    onHTTPRequest(_webServer, request, response) {
      if (request.uri === "/") return Response.json({ ...broker.state, unsent, clients: roomOf.size });
      if (!ROOM.test(request.uri)) return response;
      response.statusCode = 200;
      response.data = page;
      return response;
    },

    onWebSocketRequest(_webServer, request, response) {
      if (!ROOM.test(request.uri)) {
        response.statusCode = 400;
        response.data = 'The path is the room: 1 to 64 letters, digits, ".", "_" and "-", such as /lobby';
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

    onWebSocketReceiveText: (_webServer, client, data) => say(client, data),
    onWebSocketReceiveBinary: (_webServer, client, data) => say(client, data),
  },
});

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}lobby`);
}
