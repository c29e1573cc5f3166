// deno run --allow-net examples/images/main.ts
//
// Pictures from phones. Take one with the camera, choose some or drop them on the page, and every open page shows them.
//
//   POST /images         a form with any number of files (multipart/form-data)
//   PUT /images/NAME     one file as the body, with a Content-Type of image/...
//   GET /images          a list: [{ "id": "...", "name": "beach.jpg", "type": "image/jpeg", "size": 48213 }], newest first
//   GET /images/ID       the picture
//   ws://HOST:9980/live  the list as text, now and at each change
//
// In TouchDesigner, a Web Client DAT or a Movie File In TOP loads http://HOST:9980/images/ID, and a WebSocket DAT gets the list.
//
// Pictures are kept in memory, so this program needs no permission to write. A picture is gone when the program stops or when
// newer pictures need its place. Files are not changed: a picture may contain the time and place where it was taken.

import { type Callbacks, type RequestDictionary, type ResponseDictionary, WebServer } from "@webserver-dat/server";
import { pages } from "../pages/pages.ts";
import page from "./page.html" with { type: "text" };
import script from "./images.js" with { type: "text" };
import style from "./images.css" with { type: "text" };

/** Pictures that are kept, which is also the limit for one form, and their total bytes. */
const MAX_PICTURES = 200;
const MAX_BYTES = 256 * 1024 * 1024;

interface Picture {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The pictures by id, the oldest first. */
const pictures = new Map<string, Picture>();

/** The accepted types, recognized by their first bytes, whatever the sender says. SVG is not accepted: it may contain scripts. */
const TYPES: readonly (readonly [type: string, begins: RegExp])[] = [
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/png", /^\x89PNG\r\n/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/],
  ["image/avif", /^[^]{4}ftypavif/],
];

function typeOf(data: Uint8Array): string | undefined {
  const start = String.fromCharCode(...data.subarray(0, 16));
  return TYPES.find(([, begins]) => begins.test(start))?.[0];
}

/** The name to show. It is never used as a path, and control characters are removed. */
function shownName(name: string): string {
  return name.split(/[/\\]/).at(-1)!.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "").trim().slice(0, 100) || "picture";
}

function list(): string {
  const newestFirst = [...pictures.values()].reverse();
  return JSON.stringify(newestFirst.map(({ id, name, type, data }) => ({ id, name, type, size: data.length })));
}

class NoImage extends Error {}
class TooMany extends Error {}

/** Checks and keeps pictures. If one is not a picture, none is kept. */
function keep(webServer: WebServer, files: { name: string; data: Uint8Array<ArrayBuffer> }[]): Picture[] {
  const added = files.map(({ name, data }) => {
    const type = typeOf(data);
    if (type === undefined) throw new NoImage(`${shownName(name)} is not a JPEG, PNG, GIF, WebP or AVIF`);
    return { id: crypto.randomUUID(), name: shownName(name), type, data };
  });
  for (const picture of added) pictures.set(picture.id, picture);
  let bytes = pictures.values().reduce((sum, { data }) => sum + data.length, 0);
  for (const [id, { data }] of pictures) {
    if (pictures.size <= MAX_PICTURES && bytes <= MAX_BYTES) break;
    pictures.delete(id);
    bytes -= data.length;
  }
  webServer.webSocketBroadcast(list());
  return added;
}

/** The status for a client's mistake. Throws any other error on, for the server to answer. */
function statusOf(error: unknown): number {
  if (error instanceof NoImage) return 415;
  if (error instanceof TooMany) return 413;
  // It is not a form, the form has no file, or a name cannot be decoded.
  if (error instanceof TypeError || error instanceof SyntaxError || error instanceof URIError) return 400;
  throw error;
}

async function upload(
  webServer: WebServer,
  request: RequestDictionary,
  response: ResponseDictionary,
): Promise<ResponseDictionary> {
  try {
    if (request.method === "PUT") {
      if (!request["Content-Type"]?.startsWith("image/")) throw new NoImage("The Content-Type is not image/...");
      const name = decodeURIComponent(request.uri.slice("/images/".length));
      const [picture] = keep(webServer, [{ name, data: request.data }]);
      response.statusCode = 201;
      response["Location"] = `/images/${picture!.id}`;
      return response;
    }
    const form = await request.formData();
    const files = [...form.values()].filter((value) => value instanceof File && value.size > 0) as File[];
    if (files.length === 0) throw new SyntaxError("The form has no file");
    if (files.length > MAX_PICTURES) throw new TooMany(`A form may have up to ${MAX_PICTURES} pictures`);
    keep(webServer, await Promise.all(files.map(async (file) => ({ name: file.name, data: await file.bytes() }))));
    // Back to the page: without scripts, the browser itself has sent the form and left the page.
    response.statusCode = 303;
    response["Location"] = "/";
  } catch (error) {
    response.statusCode = statusOf(error);
    response.data = (error as Error).message;
    response["Content-Type"] = "text/plain; charset=utf-8";
  }
  return response;
}

const answer = pages({
  "/": ["page.html", page],
  "/images.js": ["images.js", script],
  "/images.css": ["images.css", style],
});

const callbacks: Callbacks = {
  onHTTPRequest(webServer, request, response) {
    const { method, uri } = request;
    if ((method === "POST" && uri === "/images") || (method === "PUT" && uri.startsWith("/images/"))) {
      return upload(webServer, request, response);
    }
    if (method !== "GET" && method !== "HEAD") {
      response.statusCode = 405;
      return response;
    }
    if (uri === "/images") {
      response.statusCode = 200;
      response["Content-Type"] = "application/json";
      response.data = list();
      return response;
    }
    const picture = pictures.get(uri.slice("/images/".length));
    if (!uri.startsWith("/images/") || picture === undefined) return answer(request, response);
    response.statusCode = 200;
    response.data = picture.data;
    response["Content-Type"] = picture.type;
    // A browser must show the file as this type, and run no script in it, whatever it contains.
    response["X-Content-Type-Options"] = "nosniff";
    // Browsers center a picture by an inline style.
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    response["Cache-Control"] = "private, max-age=31536000, immutable";
    return response;
  },

  onWebSocketRequest(_webServer, request, response) {
    if (request.uri !== "/live") response.statusCode = 404;
  },

  onWebSocketOpen(webServer, client) {
    webServer.webSocketSendText(client, list());
  },

  onWebSocketReceiveText(webServer, client, data) {
    // The heartbeat of connection.js
    if (data === "") webServer.webSocketSendText(client, "");
  },
};

/** The server. `maxBodySize` has room for a phone's picture; the server answers 413 to a larger request. */
export const server = new WebServer({ name: "images", callbacks, maxBodySize: 12 * 1024 * 1024, maxMessageSize: 1024 });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
