/** Which web pages may open a WebSocket or change something: the limit `origins`. */

import { isLoopback } from "./address.ts";
import { headerOf } from "./deno.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits } from "./limits.ts";
import { authorityOf } from "./target.ts";

/** The origin that apps with pages in files send, such as Electron, Cordova and libraries for microcontrollers. No web page has it. */
const FILE = "file://";

/**
 * An origin in the form in which browsers send it, or undefined if the text is not one: scheme and host in lower case and ASCII, and a
 * port unless it is the default one. `"null"` is what a page without an origin sends.
 */
export function canonicalOrigin(text: string): string | undefined {
  if (text === "null" || text === FILE) return text;
  const url = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@A-Z!"$%&'()*+,;<=>\\^`{|}~]+$/.test(text) ? URL.parse(text) : null;
  return url === null || url.host === "" ? undefined : `${url.protocol}//${url.host}`;
}

function isThisMachine({ hostname }: URL): boolean {
  return hostname === "localhost" || isLoopback(hostname);
}

/** Whether a page comes from the host and port that the request is sent to. All names of this machine for itself count as one host. */
function isSame(origin: string, authority: string, secure: boolean): boolean {
  if (origin === FILE) return true;
  // `URL` accepts many texts that no browser sends as an origin.
  if (canonicalOrigin(origin.toLowerCase()) === undefined) return false;
  const page = URL.parse(origin);
  // Over plain http, someone else on the network may have written the page.
  if (page === null || !(page.protocol === "https:" || (page.protocol === "http:" && !secure))) return false;
  // Parsed with the scheme of the page, since behind a proxy it may differ from ours. A default port is the same, written or not.
  const asked = URL.parse(`${page.protocol}//${authority}`);
  if (asked === null || page.host === "") return false;
  return asked.host === page.host || (asked.port === page.port && isThisMachine(asked) && isThisMachine(page));
}

/**
 * Why a request is refused, for the person at the client, or undefined if it is allowed.
 *
 * @param hooks Get a warning for the person at the server
 */
export function originObjection(
  request: Request,
  { origins, secure }: Limits,
  hooks: Hooks,
): string | undefined {
  const origin = headerOf(request, "origin");
  // A request without one does not come from a web page.
  if (origin === null || origins === "any") return undefined;
  const list = typeof origins === "string" ? [origins] : origins;
  if (list.some((item) => item === origin || canonicalOrigin(item) === origin)) return undefined;
  if (list.includes("same") && isSame(origin, authorityOf(request) ?? "", secure)) return undefined;
  const page = `A web page from ${canonicalOrigin(origin) === origin ? `"${origin}"` : "a malformed origin"}`;
  const remedy = remedyFor(origin, list);
  hooks.warn("origin", `${page} is refused: ${remedy}`);
  return `${page} is not allowed: ${remedy}`;
}

/** What the person at the server can do. */
function remedyFor(origin: string, list: readonly string[]): string {
  if (origin === "null") return "it is a file or a sandboxed frame; let this server serve it";
  if (canonicalOrigin(origin) !== origin) return "only a client that is not a browser sends that";
  return `to allow it, set parameter "origins" to ${JSON.stringify([...list, origin])}`;
}
