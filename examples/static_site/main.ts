// deno run --lock=examples/deno.lock --allow-net --ignore-env --allow-read=examples/static_site/site examples/static_site/main.ts

/**
 * A folder as a web site: `index.html` of each folder, types by the extension, revalidation by ETag, and ranges, without which
 * phones do not play video. Only this folder can be read, whatever path is asked for; but a symbolic link in it is followed,
 * and what it leads to is served.
 *
 * @module
 */

import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import sendFile from "npm:@fastify/send@4.2.1";
import { type Callbacks, WebServer } from "@webserver-dat/server";

/** The folder. Files whose names start with a dot are not served. */
const root = `${import.meta.dirname}/site`;

/** Characters of a header; a longer one is ignored. */
const MAX_HEADER = 1_000;

const callbacks: Callbacks = {
  async onHTTPRequest(_webServer, request, response) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.statusCode = 405;
      response["Allow"] = "GET, HEAD";
      return response;
    }
    // No browser or player sends long headers here, and the package takes quadratic time for a long Range.
    const headers = [...request.headers].filter(([, value]) => value.length <= MAX_HEADER);
    // The package is made for Node's requests, of which it needs these two fields.
    const asked = { method: request.method, headers: Object.fromEntries(headers) } as unknown as Readable;
    const file = await sendFile(asked, request.uri, { root });
    response.statusCode = file.statusCode;
    // Browsers keep what they have, but ask each time whether it has changed.
    response.headers = { ...file.headers, "Cache-Control": "no-cache" };
    // A folder's address ends with a slash. It is written as it came: the package would encode it twice.
    if (file.type === "directory") response["Location"] = `${request.uri.replace(/^\/+/, "/")}/`;
    // A stream, so that a large video is never in memory as a whole.
    response.data = file.type === "file" ? ReadableStream.from<Uint8Array>(file.stream) : await text(file.stream);
    return response;
  },
};

export const server = new WebServer({ callbacks });

if (import.meta.main) {
  await server.start();
  console.log(`Open ${server.address?.url}`);
}
