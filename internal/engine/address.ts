/** Addresses as text: `ip:port`, `[ip6]:port`. */

/** An address to listen on, or that is listened on. */
export interface Address {
  /** An IP address, without brackets. */
  readonly hostname: string;
  /** The TCP port. */
  readonly port: number;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const CLIENT = /^(?:(?:[\d.]+|\[[\w:.%-]+\]):\d{1,5}|(?:unix|vsock):\d+)$/i;

/** The address as text. An IPv4 address in IPv6 form (`::ffff:127.0.0.1`) becomes the IPv4 address. */
export function formatAddress(hostname: string, port: number): string {
  if (hostname.startsWith("::ffff:") && hostname.includes(".")) hostname = hostname.slice(7);
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether the text has the form of a client's address; to tell swapped arguments from a client that is gone. */
export function isClientAddress(text: string): boolean {
  return CLIENT.test(text);
}

/** Whether the address stands for all interfaces. */
export function isWildcard(hostname: string): boolean {
  return hostname === "::" || hostname === "0.0.0.0";
}

/** Whether this is a loopback IP address, with or without brackets. */
export function isLoopback(hostname: string): boolean {
  return /^(?:127(?:\.\d{1,3}){3}|\[::1\]|::1)$/.test(hostname);
}

/** The IP address in a `Host` header, brackets included, or undefined if it is a name. */
function literalOf(host: string): string | undefined {
  const hostname = host.replace(/:\d*$/, "");
  return IPV4.test(hostname) || (hostname.startsWith("[") && URL.canParse(`http://${hostname}/`))
    ? hostname
    : undefined;
}

/**
 * The address that a request was sent to, as far as it is known: on a wildcard address, Deno does not say which one it came in by.
 *
 * @param host The `Host` header
 * @param client The address of the client
 */
export function serverAddress(listening: Address | undefined, host: string | null, client: string): string {
  const { hostname, port } = listening ?? { hostname: "0.0.0.0", port: Number(/:(\d+)$/.exec(host ?? "")?.[1] ?? 80) };
  if (!isWildcard(hostname)) return formatAddress(hostname, port);
  const literal = host === null ? undefined : literalOf(host);
  if (literal !== undefined) return `${literal}:${port}`;
  if (isLoopback(client.slice(0, client.lastIndexOf(":")))) {
    return client.startsWith("[") ? `[::1]:${port}` : `127.0.0.1:${port}`;
  }
  return formatAddress(hostname, port);
}

/** An IP address in its canonical form, without brackets, or undefined if the text is not an IP address. */
export function canonicalIP(text: string): string | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (IPV4.test(bare)) return bare;
  if (!bare.includes(":") || !URL.canParse(`http://[${bare}]/`)) return undefined;
  const ipv6 = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(ipv6);
  if (mapped === null) return ipv6;
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
