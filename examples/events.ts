// deno run --allow-net examples/events.ts

/**
 * Server-sent events: everyone who listens gets what anyone posts. A page needs one line,
 * `new EventSource("/events").onmessage = ({ data }) => ...`, and the browser reconnects by itself. In two terminals:
 *
 *     curl -N localhost:9980/events
 *     curl localhost:9980/events -d "Doors open"
 *
 * @module
 */

import { type ServerSentEventMessage, ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { type Callbacks, WebServer } from "@webserver-dat/server";
import { pages, smallPage } from "./pages/pages.ts";

/** Bytes of one event. The server answers 413 to a larger one. */
const MAX_EVENT = 16 * 1024;
/** Listeners at once. The parameter `maxConnections` counts WebSockets only. */
const MAX_LISTENERS = 500;

type Listener = ReadableStreamDefaultController<ServerSentEventMessage>;
const listeners = new Set<Listener>();

/** The last events, for clients that reconnect: a locked phone has missed some. */
const recent: { id: number; data: string }[] = [];
/** Events that are remembered. Together they are smaller than `MAX_REMEMBERED * MAX_EVENT`. */
const MAX_REMEMBERED = 100;

// Starting from the time, the numbers go on rising after a restart.
let lastId = Date.now();

/** Events that may wait for one listener. */
const MAX_WAITING = MAX_REMEMBERED + 50;

function send(message: ServerSentEventMessage) {
  for (const listener of listeners) {
    // Disconnect a listener that does not read, or its events would pile up here. It reconnects and asks for what it missed.
    if (listener.desiredSize! <= -MAX_WAITING) {
      listeners.delete(listener);
      listener.error(new Error("The listener does not read"));
    } else {
      listener.enqueue(message);
    }
  }
}

function publish(data: string) {
  const event = { id: ++lastId, data };
  recent.push(event);
  if (recent.length > MAX_REMEMBERED) recent.shift();
  send(event);
}

/** Streams the remembered events after `lastSeen`, then all new ones. */
function events(lastSeen: number): ReadableStream<Uint8Array> {
  let own: Listener;
  const source = new ReadableStream<ServerSentEventMessage>({
    start(controller) {
      own = controller;
      // The comment makes the response begin, so that the client knows it is connected.
      controller.enqueue({ comment: "listening", retry: 2000 });
      for (const event of recent) if (event.id > lastSeen) controller.enqueue(event);
      listeners.add(controller);
    },
    // The client has left, or the server stops.
    cancel() {
      listeners.delete(own);
    },
  });
  return source.pipeThrough(new ServerSentEventStream());
}

const main = `<form class="card" id="form">
        <label for="text">Send to everyone</label>
        <input id="text" autocomplete="off" enterkeyhint="send" placeholder="Doors open">
        <button>Send</button>
        <p id="notice" class="muted" role="status">Connecting</p>
      </form>
      <ol id="log" class="card list" role="log" aria-label="Events, the newest first"></ol>`;

const script = `const [form] = document.forms;
const notice = document.getElementById("notice");
const log = document.getElementById("log");

const source = new EventSource("/events");
source.onopen = () => notice.textContent = "Connected";
source.onerror = () => notice.textContent = "Connection lost, trying again";
source.onmessage = ({ data }) => {
  const item = document.createElement("li");
  item.textContent = data;
  log.prepend(item);
  if (log.children.length > 200) log.lastChild.remove();
};

form.onsubmit = async (event) => {
  event.preventDefault();
  const { text } = form.elements;
  if (text.value === "") return;
  const response = await fetch("/events", { method: "POST", body: text.value }).catch(() => undefined);
  if (response?.ok) text.value = "";
  else notice.textContent = "Not sent: " + (response ? "the server answered " + response.status : "not connected");
};
`;

const answer = pages({ "/": smallPage("Events", main, { src: "/events.js" }), "/events.js": ["events.js", script] });

let heartbeat: ReturnType<typeof setInterval> | undefined;

const callbacks: Callbacks = {
  async onHTTPRequest(_webServer, request, response) {
    if (request.uri !== "/events") return answer(request, response);
    switch (request.method) {
      case "GET":
        if (listeners.size >= MAX_LISTENERS) {
          response.statusCode = 503;
          response.data = "Too many listeners, try again later";
          break;
        }
        response.statusCode = 200;
        response["Content-Type"] = "text/event-stream";
        response["Cache-Control"] = "no-store";
        // Tells nginx to pass each event on at once.
        response["X-Accel-Buffering"] = "no";
        // A missing or invalid header becomes NaN, and no number is greater than that: then only new events are sent.
        response.data = events(Number(request["Last-Event-ID"] || NaN));
        break;
      case "POST":
        publish(await request.text());
        response.statusCode = 204;
        break;
      default:
        response.statusCode = 405;
        response["Allow"] = "GET, POST";
    }
    return response;
  },

  // A comment every 15 seconds keeps proxies from closing a quiet connection, and detects clients that vanished.
  onServerStart() {
    heartbeat = setInterval(() => send({ comment: "" }), 15_000);
  },
  onServerStop() {
    clearInterval(heartbeat);
  },
};

export const server = new WebServer({ maxBodySize: MAX_EVENT, callbacks });

/** The number of listeners. */
export function listening(): number {
  return listeners.size;
}

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
