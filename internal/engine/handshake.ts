/** The WebSocket handshake: checks the request, and the headers of its answer. */

import { refusal } from "./answer.ts";
import { hasItem, isToken, items } from "./header_values.ts";

/** Whether an `Upgrade` header asks for a WebSocket. Requests for other protocols are answered as plain HTTP. */
export function asksForWebSocket(upgrade: string): boolean {
  return hasItem(upgrade, "websocket");
}

/** The refusal of an invalid handshake (RFC 6455, section 4.2.1), or undefined if it is valid. */
export function handshakeObjection({ method, headers }: Request): Response | undefined {
  if (method !== "GET") return refusal(405, "A WebSocket handshake must use GET", { allow: "GET" });
  if (!hasItem(headers.get("connection"), "upgrade")) {
    return refusal(400, "The Connection header of a WebSocket handshake must contain Upgrade");
  }
  const version = headers.get("sec-websocket-version");
  if (version !== "13") {
    const shown = version !== null && /^\d{1,3}$/.test(version) ? ` "${version}"` : "";
    return refusal(426, `Unsupported Sec-WebSocket-Version${shown}: only 13 is supported`, {
      "sec-websocket-version": "13",
    });
  }
  if (!/^[a-z0-9+/]{22}==$/i.test(headers.get("sec-websocket-key") ?? "")) {
    return refusal(400, "The Sec-WebSocket-Key header is not 16 bytes in base64");
  }
  if (!items(headers.get("sec-websocket-protocol")).every(isToken)) {
    return refusal(400, "The Sec-WebSocket-Protocol header is not a list of tokens");
  }
  return undefined;
}

/** The sub-protocol that the client prefers, if it offers any. */
export function preferredProtocol({ headers }: Request): string | undefined {
  return items(headers.get(PROTOCOL))[0];
}

/** The header of the sub-protocol. */
export const PROTOCOL = "sec-websocket-protocol";

/** Headers that belong to the handshake itself, or that an answer without a body cannot have. */
const OWN = [
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "transfer-encoding",
  "upgrade",
];

/**
 * Checks the headers with which a handshake is accepted.
 *
 * @throws {TypeError} If one must not be set, or the sub-protocol was not offered
 */
export function checkAcceptance(headers: Headers, { headers: asked }: Request): void {
  for (const name of OWN) {
    if (headers.has(name)) {
      throw new TypeError(`Cannot accept the WebSocket: a callback must not set the header "${name}"`);
    }
  }
  const protocol = headers.get(PROTOCOL);
  const offered = asked.get(PROTOCOL);
  if (protocol !== null && !items(offered).includes(protocol)) {
    throw new TypeError(
      `Cannot accept the WebSocket: the client offers ${offered ?? "no sub-protocol"}, not sub-protocol "${protocol}"`,
    );
  }
}
