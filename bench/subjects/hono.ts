/** Hono on `Deno.serve`. */

import { type Context, Hono } from "npm:hono@4.13.19";
import { folder, HTML, HTML_HEADERS, MEBIBYTE, name, serveFile, subject } from "./subject.ts";

type Handler = (c: Context) => Response | Promise<Response>;

const template: Handler = (c) => c.body(HTML, 200, HTML_HEADERS);

const handlers: Record<string, () => Handler | Promise<Handler>> = {
  template: () => template,
  https: () => template,
  json: () => (c) => {
    const answer = { uri: c.req.path, level: c.req.query("level"), agent: c.req.header("user-agent") };
    return c.body(JSON.stringify(answer), 200, { "content-type": "application/json" });
  },
  upload: () => async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)),
  download: () => (c) => c.body(MEBIBYTE, 200, { "content-type": "application/octet-stream" }),
  file: () => () => serveFile(),
};

const app = new Hono();
app.all("*", await handlers[name]!());
const certificate = name === "https" && {
  cert: Deno.readTextFileSync(`${folder}/certificate.pem`),
  key: Deno.readTextFileSync(`${folder}/key.pem`),
};
const options = { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...certificate };
await subject(Deno.serve(options, (request, info) => app.fetch(request, info)).addr.port);
