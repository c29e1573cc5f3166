// deno run --allow-net examples/events.ts

/**
 * Server-sent events: what is posted goes to everyone who listens. A page needs one line,
 * `new EventSource("/events").onmessage = ({ data }) => ...`, and reconnects by itself. In two terminals:
 *
 *     curl -N localhost:9980/events
 *     curl localhost:9980/events -d "Doors open"
 *
 * @module
 */

import { type ServerSentEventMessage, ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { type Callbacks, WebServer } from "@webserver-dat/server";

/** Bytes of one event. The server answers 413 to a larger one. */
const MAX_EVENT = 16 * 1024;
/** Listeners at once. The parameter `maxConnections` counts WebSockets only. */
const MAX_LISTENERS = 500;

type Listener = ReadableStreamDefaultController<ServerSentEventMessage>;
const listeners = new Set<Listener>();

/** The last events, for those who come back: a phone that was locked has missed some. */
const recent: { id: number; data: string }[] = [];
const REMEMBERED = 100;

// Numbers that go on rising when this program is started again.
let lastId = Date.now();

/** Events that may wait for one listener. */
const MAX_WAITING = REMEMBERED + 50;

function send(message: ServerSentEventMessage) {
  for (const listener of listeners) {
    // Who takes nothing is cut off, or its events would pile up here. It comes back, and asks for what it missed.
    if (listener.desiredSize! <= -MAX_WAITING) {
      listeners.delete(listener);
      listener.error(new Error("The listener takes nothing"));
    } else {
      listener.enqueue(message);
    }
  }
}

function publish(data: string) {
  const event = { id: ++lastId, data };
  recent.push(event);
  if (recent.length > REMEMBERED) recent.shift();
  send(event);
}

/** The events from now on, those after `lastSeen` first. */
function events(lastSeen: number): ReadableStream<Uint8Array> {
  let own: Listener;
  const source = new ReadableStream<ServerSentEventMessage>({
    start(controller) {
      own = controller;
      // The comment makes the answer begin, so that the client knows that it listens.
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

let heartbeat: ReturnType<typeof setInterval> | undefined;

const callbacks: Callbacks = {
  async onHTTPRequest(_webServer, request, response) {
    if (request.uri !== "/events") return response;
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
        // Without this header, or with nonsense in it, no number is greater: only new events are sent.
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

  // A line now and then keeps proxies from closing a quiet connection, and finds out who is gone without a word.
  onServerStart() {
    heartbeat = setInterval(() => send({ comment: "" }), 15_000);
  },
  onServerStop() {
    clearInterval(heartbeat);
  },
};

export const server = new WebServer({ maxBodySize: MAX_EVENT, callbacks });

/** How many listen. */
export function listening(): number {
  return listeners.size;
}

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}events`);
}
