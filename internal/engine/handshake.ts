/** The WebSocket handshake: what must be right about the request, and what a callback puts onto the answer. */

import type { ResponseDictionary } from "../../callbacks.ts";
import { hasItem, isToken, items } from "./header_values.ts";
import { fieldMeantBy, headersOf, refusal } from "../operator/response.ts";

/** Whether an `Upgrade` header asks for a WebSocket; other protocols are not spoken, and HTTP goes on. */
export function asksForWebSocket(upgrade: string): boolean {
  return hasItem(upgrade, "websocket");
}

/** The refusal of an invalid handshake (RFC 6455, section 4.2.1), or undefined if it is valid. */
export function handshakeObjection({ method, headers }: Request): Response | undefined {
  if (method !== "GET") return refusal(405, "A WebSocket is opened with GET", { allow: "GET" });
  if (!hasItem(headers.get("connection"), "upgrade")) {
    return refusal(400, "The Connection header of a WebSocket handshake is Upgrade");
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

/** The sub-protocol that the client likes best, if it offers any. */
export function preferredProtocol({ headers }: Request): string | undefined {
  return items(headers.get(PROTOCOL))[0];
}

const PROTOCOL = "sec-websocket-protocol";

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
 * @throws {TypeError} If one cannot be sent, or the sub-protocol was not offered
 */
export function acceptanceHeaders(response: Partial<ResponseDictionary>, { headers: asked }: Request): Headers {
  for (const key of Object.keys(response)) {
    const meant = fieldMeantBy(key);
    // What was meant to refuse must not accept.
    if (meant !== undefined && meant !== key) {
      throw new TypeError(`Cannot accept the WebSocket with response.${key}: write response.${meant}`);
    }
  }
  const headers = headersOf(response);
  for (const name of OWN) {
    if (headers.has(name)) {
      throw new TypeError(`Cannot accept the WebSocket: the header "${name}" is not for a callback to set`);
    }
  }
  const protocol = headers.get(PROTOCOL);
  const offered = asked.get(PROTOCOL);
  if (protocol !== null && !items(offered).includes(protocol)) {
    throw new TypeError(
      `Cannot accept the WebSocket: the client does not offer the sub-protocol "${protocol}", but ${offered ?? "none"}`,
    );
  }
  return headers;
}
