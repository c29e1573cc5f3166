/** Hono on `Deno.serve`. */

import { type Context, Hono } from "npm:hono@4.13.19";
import { bytes, folder, HTML, HTML_HEADERS, name, serveFile, subject } from "./subject.ts";

type Handler = (c: Context) => Response | Promise<Response>;

const template: Handler = (c) => c.body(HTML, 200, HTML_HEADERS);

const upload = (): Handler => async (c) => c.text(String((await c.req.arrayBuffer()).byteLength));

function download(size: number): Handler {
  const body = bytes(size);
  return (c) => c.body(body, 200, { "content-type": "application/octet-stream" });
}

const handlers: Record<string, () => Handler | Promise<Handler>> = {
  template: () => template,
  https: () => template,
  json: () => (c) => {
    const answer = { uri: c.req.path, level: c.req.query("level"), agent: c.req.header("user-agent") };
    return c.body(JSON.stringify(answer), 200, { "content-type": "application/json" });
  },
  upload,
  "upload 16 MiB": upload,
  download: () => download(1 << 20),
  "download 16 MiB": () => download(16 << 20),
  "slow readers": () => download(1 << 18),
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
