/** The WebSocket handshake: what must be right about the request, and what a callback puts onto the answer. */

import type { ResponseDictionary } from "../callbacks.ts";
import { headersOf, refusal } from "./response.ts";

/** Whether an `Upgrade` header asks for a WebSocket; other protocols are not spoken, and HTTP goes on. */
export function asksForWebSocket(upgrade: string): boolean {
  return hasToken(upgrade, "websocket");
}

/** The items of a list header. White space is space and tab (RFC 9110, section 5.6.3). */
function items(list: string | null): string[] {
  return list === null ? [] : list.split(",").map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ""));
}

function hasToken(list: string | null, token: string): boolean {
  return items(list).some((item) => item.toLowerCase() === token);
}

const TOKENS = /^[!#$%&'*+.^`|~\w-]+$/;

/** The answer to a handshake that is none (RFC 6455, section 4.2.1), or undefined where it is right. */
export function handshakeObjection({ method, headers }: Request): Response | undefined {
  if (method !== "GET") return refusal(405, "A WebSocket is opened with GET", { allow: "GET" });
  if (!hasToken(headers.get("connection"), "upgrade")) {
    return refusal(400, "The Connection header of a WebSocket handshake is Upgrade");
  }
  if (headers.get("sec-websocket-version") !== "13") {
    return refusal(426, "The WebSocket version is 13", { "sec-websocket-version": "13" });
  }
  if (!/^[a-z0-9+/]{22}==$/i.test(headers.get("sec-websocket-key") ?? "")) {
    return refusal(400, "The Sec-WebSocket-Key header is 16 bytes in base64");
  }
  const protocols = headers.get("sec-websocket-protocol");
  if (protocols !== null && !items(protocols).every((protocol) => TOKENS.test(protocol))) {
    return refusal(400, "The Sec-WebSocket-Protocol header is a list of tokens");
  }
  return undefined;
}

/** Headers that make the handshake, or that an answer without a body cannot have. */
const OWN = [
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "transfer-encoding",
  "upgrade",
];

/**
 * The headers that a callback wants on the answer to a handshake it accepts.
 *
 * @param offered The `Sec-WebSocket-Protocol` of the request
 * @throws {TypeError} If one cannot be sent, or the sub-protocol was not offered
 */
export function acceptanceHeaders(response: Partial<ResponseDictionary>, offered: string | null): Headers {
  const headers = headersOf(response);
  for (const name of OWN) {
    if (headers.has(name)) {
      throw new TypeError(`Cannot accept the WebSocket: the header "${name}" is not for a callback to set`);
    }
  }
  const protocol = headers.get("sec-websocket-protocol");
  if (protocol !== null && !items(offered).includes(protocol)) {
    throw new TypeError(
      `Cannot accept the WebSocket: the sub-protocol "${protocol}" is none that the client offered (${
        offered ?? "none"
      })`,
    );
  }
  return headers;
}
