// deno run --allow-net examples/relay/main.ts
//
// Rooms in which browsers and renderers send each other text and bytes: what one sends, everyone else in the room gets as it
// was sent.
//
//   ws://HOST:9980/room/NAME?name=Anna    to be in a room; it is there while someone is in it
//   ws://HOST:9980/people/NAME            to hear who is: ["Anna","projector"], now and at each change
//   http://HOST:9980/                     a page for both
//
// A room and a name are up to 40 letters, digits, "-" and "_", a name with spaces too, in any script. In TouchDesigner a
// WebSocket DAT takes ws://HOST/room/NAME?name=projector as its Network Address; its sendText() and sendBytes() send to the room.

import { type Callbacks, WebServer } from "@webserver-dat/server";
import { pages } from "../pages/pages.ts";
import home from "./home.html" with { type: "text" };
import room from "./room.html" with { type: "text" };
import script from "./room.js" with { type: "text" };
import style from "./room.css" with { type: "text" };

const MAX_ROOMS = 100;
const MAX_PEOPLE = 50;
const FULL = "No place is left, try again later";
/** Characters of the path and query: more than any two names need. `normalize()` takes quadratic time. */
const MAX_ADDRESS = 5_000;

/** Those in a room, and those who only hear who is: by client, the name. */
interface Room {
  readonly people: Map<string, string>;
  readonly watchers: Set<string>;
}

const rooms = new Map<string, Room>();

/** What the path and query of a WebSocket ask for. */
interface Place {
  readonly kind: "room" | "people";
  readonly room: string;
  readonly name: string;
}

/** Letters, digits and marks alone: no path, no markup, no invisible sign gets in by a name. NFC: "é" is one name, not two. */
const ROOM = /^[\p{L}\p{M}\p{N}_-]{1,40}$/u;
const NAME = /^[\p{L}\p{M}\p{N}_ -]{1,40}$/u;

/** The place that an address asks for, or undefined if it is not an address of this server. */
function placeOf({ pathname, search, searchParams }: URL): Place | undefined {
  if (pathname.length + search.length > MAX_ADDRESS) return undefined;
  const [, kind, encoded, ...rest] = pathname.split("/");
  if ((kind !== "room" && kind !== "people") || rest.length > 0) return undefined;
  let room;
  try {
    room = decodeURIComponent(encoded ?? "").normalize();
  } catch {
    return undefined;
  }
  const name = (searchParams.get("name") || "someone").normalize();
  return ROOM.test(room) && NAME.test(name) ? { kind, room, name } : undefined;
}

/** Where each client is: its messages say nothing of it. */
const places = new Map<string, Place>();

/** Whether the room has no place left or, if it does not exist yet, there are too many rooms. */
function isFull({ kind, room }: Place): boolean {
  const existing = rooms.get(room);
  if (existing === undefined) return rooms.size >= MAX_ROOMS;
  return (kind === "room" ? existing.people : existing.watchers).size >= MAX_PEOPLE;
}

function tellWhoIsThere(webServer: WebServer, room: Room): void {
  const people = JSON.stringify([...room.people.values()]);
  for (const watcher of room.watchers) webServer.webSocketSendText(watcher, people);
}

/** Hands a message to everyone else in the sender's room. Who is too slow for it misses it, and holds up nobody. */
function relay(client: string, send: (other: string) => void): void {
  const place = places.get(client);
  if (place?.kind !== "room") return;
  for (const other of rooms.get(place.room)!.people.keys()) if (other !== client) send(other);
}

const answer = pages({
  "/": ["home.html", home],
  "/room.html": ["room.html", room],
  "/room.js": ["room.js", script],
  "/room.css": ["room.css", style],
});

const callbacks: Callbacks = {
  onHTTPRequest(_webServer, request, response) {
    // The form of the first page asks for /room?room=NAME&name=Anna.
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

  // Called before a WebSocket is accepted: 101 lets it in.
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
    // Checked again: of many handshakes at once, none counts before it is open.
    if (isFull(place)) {
      webServer.webSocketClose(client, 1013, FULL);
      return;
    }
    places.set(client, place);
    let room = rooms.get(place.room);
    if (room === undefined) rooms.set(place.room, room = { people: new Map(), watchers: new Set() });
    if (place.kind === "room") {
      room.people.set(client, place.name);
    } else {
      room.watchers.add(client);
    }
    tellWhoIsThere(webServer, room);
  },

  onWebSocketClose(webServer, client) {
    const place = places.get(client);
    // Closed in onWebSocketOpen: the room was full.
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
    else relay(client, (other) => webServer.webSocketSendText(other, data));
  },

  onWebSocketReceiveBinary(webServer, client, data) {
    relay(client, (other) => webServer.webSocketSendBinary(other, data));
  },
};

/** The server. A message is up to `maxMessageSize` bytes: a picture, not a film. */
export const server = new WebServer({ name: "relay", callbacks, maxMessageSize: 1024 * 1024, maxConnections: 500 });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
