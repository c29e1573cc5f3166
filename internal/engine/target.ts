/** The target of a request: the host that it names, path and query. */

import { headerOf } from "./deno.ts";
import { badRequest } from "./fault.ts";

// A valid host and port (RFC 3986, section 3.2.2). Anything else would shift the path in `Request.url`, which Deno puts together from
// this header and the target as they were sent (H2).
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

/** The last valid host: most requests name the same one. */
let knownHost = "";

function isHost(host: string): boolean {
  if (host === knownHost) return true;
  if (!HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  knownHost = host;
  return true;
}

/**
 * The target of a request: path and query, as sent.
 *
 * @throws {Error} 400 if the host, in its header or in a target of absolute form, is not valid
 */
export function targetOf(request: Request): string {
  const host = headerOf(request, "host");
  const { url } = request;
  const start = url.indexOf("//") + 2;
  // The usual case: the host as in its header, followed by a path.
  if (host !== null && url.startsWith(host, start) && url[start + host.length] === "/" && isHost(host)) {
    return url.slice(start + host.length);
  }
  const behindScheme = url.slice(start);
  const end = behindScheme.search(/[/?#]/);
  const authority = end < 0 ? behindScheme : behindScheme.slice(0, end);
  if (!isHost(authority) || (host !== null && host !== authority && host !== "" && !isHost(host))) {
    throw badRequest("The Host header is not a valid host");
  }
  // An empty path becomes "/" (RFC 9112, section 3.2.2).
  return behindScheme[end] === "/" ? behindScheme.slice(end) : `/${end < 0 ? "" : behindScheme.slice(end)}`;
}

/** Host and port that the request names, as sent, or null if it names none. */
export function authorityOf(request: Request): string | null {
  const host = headerOf(request, "host");
  if (host !== null) return host;
  // HTTP/2 has it only in the URL, where Deno puts its own address for HTTP/1.0 without a Host header (H2).
  const [, scheme, authority] = /^(\w+):\/\/([^/?#]*)/.exec(request.url) ?? [];
  return scheme === "http" && authority!.startsWith("localhost") ? null : authority ?? null;
}
