/** Which web pages may do what changes something: the parameter `origins`. */

import { headerOf } from "./headers.ts";
import type { WebServerParameters } from "./parameters.ts";
import { authorityOf } from "./request.ts";

type Origins = WebServerParameters["origins"];

/**
 * Whether the text is an origin as browsers write it: scheme, host and a port that is not the default one. `"null"` is that of a page
 * without one, such as a file.
 */
export function isOrigin(text: string): boolean {
  return text === "null" || /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@A-Z]+$/.test(text);
}

/** Whether the origin has the host and port of the authority that was asked. */
function isSame(origin: string, authority: string): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  // In the scheme of the page, since behind a proxy it may be another than ours; a default port is the same written or not.
  const asked = `${page.protocol}//${authority}`;
  return URL.canParse(asked) && new URL(asked).host === page.host && page.host !== "";
}

function isAdmitted(origins: Origins, origin: string, authority: string): boolean {
  if (typeof origins !== "string") return origins.includes(origin);
  return origins === "any" || isSame(origin, authority);
}

/**
 * Why a request is refused, for a person at the other end, or undefined where it may go on.
 *
 * @param warn Hears, for the person at this end, how to admit such pages
 */
export function originObjection(
  request: Request,
  origins: Origins,
  warn: (message: string) => void,
): string | undefined {
  const origin = headerOf(request, "origin");
  // Without one it comes from no web page.
  if (origin === null || isAdmitted(origins, origin, authorityOf(request) ?? "")) return undefined;
  const shown = isOrigin(origin) ? `"${origin}"` : "a malformed origin";
  warn(`A web page of ${shown} is refused. To admit it, put ${shown} into the list of parameter "origins"`);
  return "Web pages of this origin are not admitted";
}
