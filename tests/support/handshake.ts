/** The handshake of a WebSocket client, as it goes over the wire (RFC 6455, section 4.1). */

/** The headers of a valid handshake, except Host. */
export const UPGRADE: readonly string[] = [
  "Upgrade: websocket",
  "Connection: keep-alive, Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** The headers of a valid handshake. */
export const HANDSHAKE: readonly string[] = ["Host: localhost", ...UPGRADE];

/** The headers of a handshake in which the one of this name is replaced, or left out. */
export function handshake(name: string, value?: string): string[] {
  const others = HANDSHAKE.filter((line) => !line.startsWith(`${name}:`));
  return value === undefined ? others : [...others, `${name}: ${value}`];
}

/** A whole request with these headers. */
export function handshakeRequest(target = "/", headers: readonly string[] = HANDSHAKE, method = "GET"): string {
  return [`${method} ${target} HTTP/1.1`, ...headers, "", ""].join("\r\n");
}
