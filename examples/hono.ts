// deno run --lock=examples/deno.lock --allow-net examples/hono.ts

/**
 * A Hono app behind `onHTTPRequest`: routes and middleware for requests come from Hono, WebSockets keep their callbacks.
 *
 *     curl localhost:9980/lights
 *     curl localhost:9980/lights/stage -X PUT -d 0.5
 *
 * Each WebSocket, at any path, gets every change as JSON: `{"stage":0.5}`. Any framework that takes a `Request` and
 * returns a `Response` can be mounted like this.
 *
 * @module
 */

import { Hono } from "npm:hono@4.13.19";
import { WebServer } from "@webserver-dat/server";

const app = new Hono();
const lights = new Map([["stage", 0], ["foyer", 0.3]]);

app.get("/", (context) => context.json({ lights: "/lights" }));

app.get("/lights", (context) => context.json(Object.fromEntries(lights)));

app.put("/lights/:name", async (context) => {
  const name = context.req.param("name");
  if (!lights.has(name)) return context.json({ error: `There is no light "${name}"` }, 404);
  const text = await context.req.text();
  const level = Number(text);
  if (text.trim() === "" || !(level >= 0 && level <= 1)) {
    return context.json({ error: "Send a number from 0 to 1" }, 400);
  }
  lights.set(name, level);
  server.webSocketBroadcast(JSON.stringify({ [name]: level }));
  return context.json({ [name]: level });
});

// The server answers errors: 413 if a body is too large, or else 500 without details. It also reports them to `onError`.
app.onError((error) => {
  throw error;
});

export const server: WebServer = new WebServer({
  // Hono reads the body from the request itself. The limits hold as long as it does not make a new `Request` from it.
  body: "stream",
  maxBodySize: 1024,
  callbacks: {
    onHTTPRequest: (_webServer, request) => app.fetch(request.raw),
  },
});

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
