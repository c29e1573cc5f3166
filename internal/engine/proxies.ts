/** Which proxies are trusted: addresses and networks. */

import type { BlockList } from "node:net";
import { canonicalIP } from "./address.ts";
import { builtin } from "./deno.ts";

/** Stands for all addresses of a machine for itself. */
const LOOPBACK = "loopback";
const LOOPBACK_NETWORKS = ["127.0.0.0/8", "::1"];

/** An address or a network, as `BlockList` takes it. */
interface Network {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  /** The number of bits that all addresses of the network share. */
  readonly prefix: number;
}

/** Reads `10.0.0.0/8`, `fd00::/8` or an address; undefined if the text is neither. */
function networkOf(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const address = canonicalIP(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const [family, bits] = address.includes(":") ? ["ipv6", 128] as const : ["ipv4", 32] as const;
  if (slash < 0) return { address, family, prefix: bits };
  const prefix = text.slice(slash + 1);
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits ? { address, family, prefix: Number(prefix) } : undefined;
}

/** Whether the text names a proxy, or a network of proxies. */
export function isProxy(text: string): boolean {
  return text === LOOPBACK || networkOf(text) !== undefined;
}

/** The proxies that are trusted. */
export class TrustedProxies {
  readonly #networks: BlockList;

  /** @param list Texts that `isProxy` accepts */
  constructor(list: readonly string[]) {
    // Loaded only if there are proxies.
    const { BlockList } = builtin("node:net");
    this.#networks = new BlockList();
    for (const text of list.flatMap((item) => item === LOOPBACK ? LOOPBACK_NETWORKS : item)) {
      const network = networkOf(text);
      if (network) this.#networks.addSubnet(network.address, network.prefix, network.family);
    }
  }

  has(hostname: string): boolean {
    const ip = canonicalIP(hostname);
    return ip !== undefined && this.#networks.check(ip, ip.includes(":") ? "ipv6" : "ipv4");
  }
}
