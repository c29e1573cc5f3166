/** Hono on `Deno.serve`. */

import { type Context, Hono } from "npm:hono@4.13.19";
import { bytes, folder, headersOf, HTML, HTML_HEADERS, name, serveFile, subject, text } from "./subject.ts";

type Handler = (c: Context) => Response | Promise<Response>;

const template: Handler = (c) => c.body(HTML, 200, HTML_HEADERS);

const upload = (): Handler => async (c) => c.text(String((await c.req.arrayBuffer()).byteLength));

function download(body: string | Uint8Array<ArrayBuffer> | Blob): Handler {
  // Hono's types do not include Blob.
  return (c) => c.body(body as Uint8Array<ArrayBuffer>, 200, headersOf(body));
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
  download: () => download(bytes(1 << 20)),
  "download 16 MiB": () => download(bytes(16 << 20)),
  "download of a text": () => download(text(1 << 20)),
  "download of a Blob": () => download(new Blob([bytes(1 << 20)])),
  "slow readers": () => download(bytes(1 << 18)),
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
