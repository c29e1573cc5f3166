/** Who asks: the address of the client, also behind a proxy that is trusted. */

import { type Address, canonicalIP, formatAddress } from "./address.ts";
import { trimmed } from "./header_values.ts";
import { headerOf } from "./deno.ts";

/** IP addresses of proxies in canonical form. */
export type TrustedProxies = ReadonlySet<string>;

/** The other end of the connection, or undefined where there is none (a `Request` that came by no connection, a Unix socket). */
export function peerOf(info: Deno.ServeHandlerInfo | undefined): Address | undefined {
  const address = info?.remoteAddr;
  return address !== undefined && "hostname" in address ? address : undefined;
}

/** The address in an item of `X-Forwarded-For`, which some proxies give with a port. */
function forwardedIP(item: string): string | undefined {
  return canonicalIP(trimmed(item).replace(/^(\d+\.\d+\.\d+\.\d+|\[[^\]]*\]):\d+$/, "$1"));
}

let unnamed = 0;

/** A name for a client without an address, as on a Unix socket: each request or WebSocket has another. */
function unnamedClient(info: Deno.ServeHandlerInfo | undefined): string {
  return info === undefined ? "" : `${info.remoteAddr.transport}:${++unnamed}`;
}

/**
 * The address of the client: that of the peer or, if the peer is a trusted proxy, the last one in `X-Forwarded-For` that is not a
 * trusted proxy itself, with the port of the peer.
 */
export function clientAddressOf(
  request: Request,
  info: Deno.ServeHandlerInfo | undefined,
  trusted: TrustedProxies,
): string {
  const peer = peerOf(info);
  if (peer === undefined) return unnamedClient(info);
  if (trusted.size === 0 || !trusted.has(canonicalIP(peer.hostname) ?? "")) {
    return formatAddress(peer.hostname, peer.port);
  }
  let client = peer.hostname;
  for (const item of headerOf(request, "x-forwarded-for")?.split(",").reverse() ?? []) {
    const ip = forwardedIP(item);
    // What a proxy did not write is worth nothing, nor is what stands in front of it.
    if (ip === undefined) break;
    client = ip;
    if (!trusted.has(ip)) break;
  }
  return formatAddress(client, peer.port);
}
