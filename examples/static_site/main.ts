// deno run --lock=examples/deno.lock --allow-net --ignore-env --allow-read=examples/static_site/site examples/static_site/main.ts

/**
 * A folder as a web site, with `index.html` for each folder, types by file extension, revalidation by ETag, and ranges, which
 * phones need to play video. Only this folder is served, whatever path is requested. But symbolic links in it are followed,
 * wherever they lead.
 *
 * @module
 */

import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import sendFile from "npm:@fastify/send@4.2.1";
import { type Callbacks, WebServer } from "@webserver-dat/server";

/** The folder to serve. Files whose names start with a dot are not served. */
const root = `${import.meta.dirname}/site`;

/** Characters of a header. A longer header is ignored. */
const MAX_HEADER = 1_000;

const callbacks: Callbacks = {
  async onHTTPRequest(_webServer, request, response) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.statusCode = 405;
      response["Allow"] = "GET, HEAD";
      return response;
    }
    // Browsers and players send short headers, and the package takes quadratic time for a long Range.
    const headers = [...request.headers].filter(([, value]) => value.length <= MAX_HEADER);
    // The package expects a request of Node, but reads these two fields only.
    const asked = { method: request.method, headers: Object.fromEntries(headers) } as unknown as Readable;
    const file = await sendFile(asked, request.uri, { root });
    response.statusCode = file.statusCode;
    // Browsers may keep a copy, but ask each time whether the file has changed.
    response.headers = { ...file.headers, "Cache-Control": "no-cache" };
    // A folder's address ends with a slash. The path is sent back as it came, since the package would encode it twice.
    if (file.type === "directory") response["Location"] = `${request.uri.replace(/^\/+/, "/")}/`;
    // A stream, so that a large video is never completely in memory.
    response.data = file.type === "file" ? ReadableStream.from<Uint8Array>(file.stream) : await text(file.stream);
    return response;
  },
};

export const server = new WebServer({ callbacks });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
