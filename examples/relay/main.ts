// deno run --allow-net examples/relay/main.ts
//
// Rooms in which browsers and renderers send each other text and bytes. What one sends, everyone else in the room gets as it
// was sent.
//
//   ws://HOST:9980/room/NAME?name=Anna           enters a room, which exists as long as someone is in it
//   ws://HOST:9980/room/NAME?name=Anna&senders   gets the sender's name as text before each message
//   ws://HOST:9980/people/NAME                   gets the names of those in the room, now and at each change: ["Anna","projector"]
//   http://HOST:9980/                            a page for all of it
//
// The name of a room is up to 40 letters and digits of any script, "-" and "_". The name of a person may have spaces too. In
// TouchDesigner, set a WebSocket DAT's Network Address to ws://HOST/room/NAME?name=projector; its sendText() and sendBytes()
// send to the room.

import { type Callbacks, WebServer } from "@webserver-dat/server";
import { pages } from "../pages/pages.ts";
import home from "./home.html" with { type: "text" };
import room from "./room.html" with { type: "text" };
import script from "./room.js" with { type: "text" };
import style from "./room.css" with { type: "text" };

const MAX_ROOMS = 100;
const MAX_PEOPLE = 50;
const FULL = "No place is left, try again later";
/** Characters of the path and query, more than any two names need. A longer address is refused: `normalize()` takes quadratic time. */
const MAX_ADDRESS = 5_000;

/** The clients in a room, and those who only watch who is there. */
interface Room {
  readonly people: Map<string, Place>;
  readonly watchers: Set<string>;
}

const rooms = new Map<string, Room>();

/** What the path and query of a WebSocket ask for. */
interface Place {
  readonly kind: "room" | "people";
  readonly room: string;
  readonly name: string;
  /** Whether the client gets the sender's name before each message. */
  readonly senders: boolean;
}

// Only letters, digits and marks, so a name cannot contain a path, markup or an invisible character.
const ROOM = /^[\p{L}\p{M}\p{N}_-]{1,40}$/u;
const NAME = /^[\p{L}\p{M}\p{N}_ -]{1,40}$/u;

/** The place that an address asks for; undefined if this server has no such address. */
function placeOf({ pathname, search, searchParams }: URL): Place | undefined {
  if (pathname.length + search.length > MAX_ADDRESS) return undefined;
  const [, kind, encoded, ...rest] = pathname.split("/");
  if ((kind !== "room" && kind !== "people") || rest.length > 0) return undefined;
  let room;
  try {
    // normalize(): "é" is one name, whether it was sent as one character or as two.
    room = decodeURIComponent(encoded ?? "").normalize();
  } catch {
    return undefined;
  }
  const name = (searchParams.get("name") || "someone").normalize();
  return ROOM.test(room) && NAME.test(name) ? { kind, room, name, senders: searchParams.has("senders") } : undefined;
}

/** The place of each client. */
const places = new Map<string, Place>();

/** Whether the room is full or, if it does not exist yet, there are too many rooms. */
function isFull({ kind, room }: Place): boolean {
  const existing = rooms.get(room);
  if (existing === undefined) return rooms.size >= MAX_ROOMS;
  return (kind === "room" ? existing.people : existing.watchers).size >= MAX_PEOPLE;
}

function tellWhoIsThere(webServer: WebServer, room: Room): void {
  const people = JSON.stringify(Array.from(room.people.values(), ({ name }) => name));
  for (const watcher of room.watchers) webServer.webSocketSendText(watcher, people);
}

/** Sends a message to everyone else in the sender's room. A client that is too slow misses it, and delays nobody. */
function relay(webServer: WebServer, client: string, send: (other: string) => boolean): void {
  const place = places.get(client);
  if (place?.kind !== "room") return;
  for (const [other, { senders }] of rooms.get(place.room)!.people) {
    if (other === client) continue;
    if (!senders) send(other);
    // A name without its message would be taken for a message, so this client has to connect again.
    else if (webServer.webSocketSendText(other, place.name) && !send(other)) {
      webServer.webSocketClose(other, 1013, "Too slow");
    }
  }
}

const answer = pages({
  "/": ["home.html", home],
  "/room.html": ["room.html", room],
  "/room.js": ["room.js", script],
  "/room.css": ["room.css", style],
});

const callbacks: Callbacks = {
  onHTTPRequest(_webServer, request, response) {
    // The form of the first page requests /room?room=NAME&name=Anna.
    if (request.uri === "/room") {
      const { room = "", name = "" } = request.pars;
      response.statusCode = 303;
      response["Location"] = room.trim() === ""
        ? "/"
        : `/room.html?room=${encodeURIComponent(room.trim())}&name=${encodeURIComponent(name.trim())}`;
      return response;
    }
    return answer(request, response);
  },

  // A WebSocket is accepted if the status stays 101.
  onWebSocketRequest(_webServer, request, response) {
    const place = placeOf(new URL(request.raw.url));
    if (place === undefined) {
      response.statusCode = 404;
    } else if (isFull(place)) {
      response.statusCode = 503;
      response.data = FULL;
    }
  },

  onWebSocketOpen(webServer, client, uri) {
    const place = placeOf(new URL(`http://localhost${uri}`))!;
    // Check again: a handshake takes no place until it is open, and many may come at once.
    if (isFull(place)) {
      webServer.webSocketClose(client, 1013, FULL);
      return;
    }
    places.set(client, place);
    let room = rooms.get(place.room);
    if (room === undefined) rooms.set(place.room, room = { people: new Map(), watchers: new Set() });
    if (place.kind === "room") {
      room.people.set(client, place);
    } else {
      room.watchers.add(client);
    }
    tellWhoIsThere(webServer, room);
  },

  onWebSocketClose(webServer, client) {
    const place = places.get(client);
    // onWebSocketOpen closed it, since the room was full.
    if (place === undefined) return;
    places.delete(client);
    const room = rooms.get(place.room)!;
    room.people.delete(client);
    room.watchers.delete(client);
    if (room.people.size + room.watchers.size === 0) rooms.delete(place.room);
    else tellWhoIsThere(webServer, room);
  },

  onWebSocketReceiveText(webServer, client, data) {
    // The heartbeat of connection.js
    if (data === "") webServer.webSocketSendText(client, "");
    else relay(webServer, client, (other) => webServer.webSocketSendText(other, data));
  },

  onWebSocketReceiveBinary(webServer, client, data) {
    relay(webServer, client, (other) => webServer.webSocketSendBinary(other, data));
  },
};

/** The server. `maxMessageSize` allows pictures, but not films. */
export const server = new WebServer({ name: "relay", callbacks, maxMessageSize: 1024 * 1024, maxConnections: 500 });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
