/** What the pages of the examples share: one look, one kind of connection, and headers that stop foreign scripts. */

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

/** A page loads files from its own server only, and inline scripts do not run. */
const POLICY = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** A text file: its name, which gives its type, and its text. */
export type Page = readonly [name: string, text: string];

/**
 * Makes a function that answers requests for pages. A path that is not in `files` stays the 404 that `response` starts as.
 *
 * @param files The files by path. The shared files are always there, as "/pages/style.css" and so on. A page at "/" can refer to
 * "../pages/style.css", which an editor finds in this folder as well
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
    return file === undefined ? response : show(request, response, file);
  };
}

/** Answers a request with one page. */
export function show(
  request: RequestDictionary,
  response: ResponseDictionary,
  [name, text]: Page,
): ResponseDictionary {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.statusCode = 405;
    response["Allow"] = "GET, HEAD";
    return response;
  }
  response.statusCode = 200;
  response.data = text;
  response["Content-Type"] = TYPES[name.split(".").at(-1)!];
  response["Content-Security-Policy"] = POLICY;
  response["X-Content-Type-Options"] = "nosniff";
  // Not "no-referrer": the browser would send the page's forms with the origin "null", which parameter "origins" refuses.
  response["Referrer-Policy"] = "same-origin";
  // The browser asks each time, so a changed page shows up at the next reload.
  response["Cache-Control"] = "no-cache";
  return response;
}

/**
 * A small page in the shared look.
 *
 * @param title For the browser's tab and the header
 * @param main The HTML below the header
 * @param script The page's script, and whether the header shows a connection's state, for `Connection`
 */
export function smallPage(title: string, main: string, script?: { src: string; state?: boolean }): Page {
  const head = script === undefined ? "" : `\n    <script type="module" src="${script.src}"></script>`;
  const state = script?.state ? '\n      <span class="state"></span>' : "";
  return [
    "page.html",
    `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>${title}</title>
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
    <link rel="icon" href="/pages/icon.svg">
    <link rel="stylesheet" href="/pages/style.css">${head}
  </head>
  <body>
    <header>
      <h1>${title}</h1>${state}
    </header>
    <main>
      ${main}
    </main>
  </body>
</html>
`,
  ];
}
