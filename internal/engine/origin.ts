/** Which web pages may do what changes something: the limit `origins`. */

import { isLoopback } from "./address.ts";
import { headerOf } from "./deno.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits } from "./limits.ts";
import { authorityOf } from "./target.ts";

/** The origin of an app that shows its pages from files, as Electron, Cordova and libraries of microcontrollers do. No web page has it. */
const FILE = "file://";

/**
 * An origin in the form in which browsers send it, or undefined if the text is not one: scheme and host in small letters and ASCII, and a
 * port unless it is the default one. `"null"` is that of a page without one.
 */
export function canonicalOrigin(text: string): string | undefined {
  if (text === "null" || text === FILE) return text;
  const url = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@A-Z!"$%&'()*+,;<=>\\^`{|}~]+$/.test(text) ? URL.parse(text) : null;
  return url === null || url.host === "" ? undefined : `${url.protocol}//${url.host}`;
}

function isThisMachine({ hostname }: URL): boolean {
  return hostname === "localhost" || isLoopback(hostname);
}

/** Whether a page comes from the host and port that are asked. The names of this machine for itself are one host. */
function isSame(origin: string, authority: string, secure: boolean): boolean {
  if (origin === FILE) return true;
  // `URL` takes much for an address that no browser sends as an origin.
  if (canonicalOrigin(origin.toLowerCase()) === undefined) return false;
  const page = URL.parse(origin);
  // Over plain http, somebody else on the network may have written the page.
  if (page === null || !(page.protocol === "https:" || (page.protocol === "http:" && !secure))) return false;
  // In the scheme of the page, since behind a proxy it may be another than ours; a default port is the same written or not.
  const asked = URL.parse(`${page.protocol}//${authority}`);
  if (asked === null || page.host === "") return false;
  return asked.host === page.host || (asked.port === page.port && isThisMachine(asked) && isThisMachine(page));
}

/**
 * Why a request is refused, for a person at the other end, or undefined if it may go on.
 *
 * @param hooks Get a warning for the person at this end
 */
export function originObjection(
  request: Request,
  { origins, secure }: Limits,
  hooks: Hooks,
): string | undefined {
  const origin = headerOf(request, "origin");
  // Without one it does not come from a web page.
  if (origin === null || origins === "any") return undefined;
  const list = typeof origins === "string" ? [origins] : origins;
  if (list.some((item) => item === origin || canonicalOrigin(item) === origin)) return undefined;
  if (list.includes("same") && isSame(origin, authorityOf(request) ?? "", secure)) return undefined;
  const page = `A web page of ${canonicalOrigin(origin) === origin ? `"${origin}"` : "a malformed origin"}`;
  const remedy = remedyFor(origin, list);
  hooks.warn("origin", `${page} is refused: ${remedy}`);
  return `${page} is not admitted: ${remedy}`;
}

/** What the person at this end can do. */
function remedyFor(origin: string, list: readonly string[]): string {
  if (origin === "null") return "it is a file or a sandboxed frame; let this server serve it";
  if (canonicalOrigin(origin) !== origin) return "only a client that is not a browser sends that";
  return `to admit it, set parameter "origins" to ${JSON.stringify([...list, origin])}`;
}
