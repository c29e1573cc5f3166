/** The page that says what to do in TouchDesigner, and the files that it hands out. */

import type { RequestDictionary, ResponseDictionary } from "../../callbacks.ts";
import { CALLBACKS } from "./callbacks_py.ts";
import { PAGE, SCRIPT, STYLE } from "./page_files.ts";
import { setupScript } from "./setup_py.ts";

/** The state of a link that the page shows. */
export interface Shown {
  readonly token: string | undefined;
  /** The address of the TouchDesigner that is connected. */
  readonly client: string | undefined;
}

/** The page loads only from its own server, and nothing that is injected into it runs. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The values for Network Address and Network Port, taken from the URL of the page. */
function networkOf({ protocol, hostname, port }: URL, token: string | undefined): { address: string; port: number } {
  const secure = protocol === "https:";
  return {
    address: `${secure ? "wss://" : ""}${hostname}${token === undefined ? "" : `/?token=${token}`}`,
    port: Number(port || (secure ? 443 : 80)),
  };
}

function page(url: URL, { token, client }: Shown): string {
  const query = token === undefined ? "" : `?token=${token}`;
  const { address, port } = networkOf(url, token);
  const values: Record<string, string> = {
    address,
    port: String(port),
    query,
    command: `import urllib.request; exec(urllib.request.urlopen('${url.origin}/setup.py${query}').read())`,
    code: CALLBACKS,
    state: client === undefined ? "waiting" : "connected",
  };
  return PAGE.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => escaped(values[name]!));
}

/** Answers a request for the page, or for one of its files. */
export function answerPage(request: RequestDictionary, response: ResponseDictionary, link: Shown): ResponseDictionary {
  const url = new URL(request.raw.url);
  const files: Record<string, [type: string, text: () => string]> = {
    "/": ["text/html", () => page(url, link)],
    "/page.css": ["text/css", () => STYLE],
    "/page.js": ["text/javascript", () => SCRIPT],
    "/callbacks.py": ["text/x-python", () => CALLBACKS],
    "/setup.py": ["text/x-python", () => {
      const { address, port } = networkOf(url, link.token);
      return setupScript(address, port);
    }],
    "/state": ["application/json", () => JSON.stringify({ connected: link.client !== undefined })],
  };
  const file = Object.hasOwn(files, request.uri) ? files[request.uri] : undefined;
  if (file === undefined) {
    response.data = "Not found. The page is at /";
    return response;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.statusCode = 405;
    response["Allow"] = "GET, HEAD";
    return response;
  }
  const [type, text] = file;
  response.statusCode = 200;
  response["Content-Type"] = `${type}; charset=utf-8`;
  response["Content-Security-Policy"] = POLICY;
  response["X-Content-Type-Options"] = "nosniff";
  // The address may contain the token, which other sites must not see.
  response["Referrer-Policy"] = "no-referrer";
  response["Cache-Control"] = "no-store";
  response.data = text();
  return response;
}
