/** Which web pages may do what changes something: the parameter `origins`. */

import type { Cooks } from "./cook.ts";
import { headerOf } from "./headers.ts";
import type { WebServerParameters } from "./parameters.ts";
import { authorityOf } from "./request.ts";

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

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Whether a page comes from the host and port that are asked. The names of this machine for itself are one host. */
function isSame(origin: string, authority: string, secure: boolean): boolean {
  if (origin === FILE) return true;
  const page = URL.parse(origin);
  // Over plain http, somebody else on the network may have written the page.
  if (page === null || !(page.protocol === "https:" || (page.protocol === "http:" && !secure))) return false;
  // In the scheme of the page, since behind a proxy it may be another than ours; a default port is the same written or not.
  const asked = URL.parse(`${page.protocol}//${authority}`);
  if (asked === null || page.host === "") return false;
  return asked.host === page.host || (asked.port === page.port && isLoopback(asked) && isLoopback(page));
}

/**
 * Why a request is refused, for a person at the other end, or undefined if it may go on.
 *
 * @param cooks Warns the person at this end
 */
export function originObjection(
  request: Request,
  { origins, secure }: WebServerParameters,
  cooks: Cooks,
): string | undefined {
  const origin = headerOf(request, "origin");
  // Without one it does not come from a web page.
  if (origin === null || origins === "any") return undefined;
  const list = typeof origins === "string" ? [origins] : origins;
  if (list.some((item) => item === origin || canonicalOrigin(item) === origin)) return undefined;
  if (list.includes("same") && isSame(origin, authorityOf(request) ?? "", secure)) return undefined;
  const shown = canonicalOrigin(origin) === origin ? `"${origin}"` : undefined;
  const remedy = shown === undefined
    ? "its origin is malformed"
    : `to admit it, add ${shown} to the list of parameter "origins"`;
  cooks.warn("origin", `A web page of ${shown ?? "a malformed origin"} is refused: ${remedy}`);
  return `Web pages of ${shown ?? "a malformed origin"} are not admitted: ${remedy}`;
}
