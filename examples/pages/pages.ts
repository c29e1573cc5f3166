/** What the examples with pages share: one look, one kind of connection, and answers that let nothing else run in a page. */

import type { RequestDictionary, ResponseDictionary } from "@webserver-dat/server";
import connection from "./connection.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import style from "./style.css" with { type: "text" };

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** A page loads from its own server and from nowhere else, and runs no script that is written into it. */
const POLICY = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** A file that is text: what it is called, which tells its type, and what is in it. */
export type Page = readonly [name: string, text: string];

/**
 * A callback's way to answer with pages. What is asked for under another path stays the 404 that `response` starts as.
 *
 * @param files By path. What the pages share is there in any case, as "/pages/style.css" and so on: a page at "/" finds it by
 * "../pages/style.css", as an editor does in this folder
 */
export function pages(
  files: Readonly<Record<string, Page>>,
): (request: RequestDictionary, response: ResponseDictionary) => ResponseDictionary {
  const byPath = new Map<string, Page>(Object.entries({
    "/pages/style.css": ["style.css", style],
    "/pages/connection.js": ["connection.js", connection],
    "/pages/icon.svg": ["icon.svg", icon],
    ...files,
  }));
  return (request, response) => {
    const file = byPath.get(request.uri);
    if (file === undefined) return response;
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.statusCode = 405;
      response["Allow"] = "GET, HEAD";
      return response;
    }
    const [name, text] = file;
    response.statusCode = 200;
    response.data = text;
    response["Content-Type"] = TYPES[name.split(".").at(-1)!];
    response["Content-Security-Policy"] = POLICY;
    response["X-Content-Type-Options"] = "nosniff";
    // Not "no-referrer": a form of the page would be sent with the origin "null", which parameter "origins" refuses.
    response["Referrer-Policy"] = "same-origin";
    // Asked for anew each time, so that a page that is edited is seen.
    response["Cache-Control"] = "no-cache";
    return response;
  };
}
