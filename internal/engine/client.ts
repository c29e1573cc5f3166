/** The address of a client, even behind trusted proxies. */

import { type Address, canonicalIP, formatAddress } from "./address.ts";
import { trimmed } from "./header_values.ts";
import { headerOf } from "./deno.ts";
import type { TrustedProxies } from "./proxies.ts";

/** The other end of the connection. Undefined on a Unix socket, and for a `Request` that came over no connection. */
export function peerOf(info: Deno.ServeHandlerInfo | undefined): Address | undefined {
  const address = info?.remoteAddr;
  return address !== undefined && "hostname" in address ? address : undefined;
}

/** The address in an item of `X-Forwarded-For`, to which some proxies add a port. */
function forwardedIP(item: string): string | undefined {
  return canonicalIP(trimmed(item).replace(/^(\d+\.\d+\.\d+\.\d+|\[[^\]]*\]):\d+$/, "$1"));
}

/** Proxies in a row that are looked at. The client writes the head of the header, and may claim any number. */
const MAX_HOPS = 32;

let unnamed = 0;

/** A name for a client without an address, as on a Unix socket. It is unique to each request and each WebSocket. */
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
  proxies: TrustedProxies | undefined,
): string {
  const peer = peerOf(info);
  if (peer === undefined) return unnamedClient(info);
  if (!proxies?.has(peer.hostname)) return formatAddress(peer.hostname, peer.port);
  let client = peer.hostname;
  for (const item of lastItems(headerOf(request, "x-forwarded-for") ?? "")) {
    const forwarded = forwardedIP(item);
    // No proxy wrote this, so neither it nor what stands in front of it can be trusted.
    if (forwarded === undefined) break;
    client = forwarded;
    if (!proxies.has(forwarded)) break;
  }
  return formatAddress(client, peer.port);
}

/** The items of a list from the last one on, as many as there may be proxies. */
function* lastItems(list: string): Generator<string> {
  let end = list.length;
  for (let hops = 0; hops < MAX_HOPS && end >= 0; hops++) {
    // `lastIndexOf` takes a negative position for the first one.
    const comma = end === 0 ? -1 : list.lastIndexOf(",", end - 1);
    yield list.slice(comma + 1, end);
    end = comma;
  }
}
