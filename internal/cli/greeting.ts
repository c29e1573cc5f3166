/** What the program says when it has started: where it listens, and what a phone opens. */

import type { ListenAddress } from "../../server.ts";
import { formatAddress, isLoopback, isWildcard } from "../engine/address.ts";

/** Addresses that a machine gives itself when nobody gives it one. */
const LINK_LOCAL = /^169\.254\./;
/** Networks inside of the machine, of containers and virtual machines. */
const VIRTUAL = /^(?:docker|br-|veth|virbr|vmnet|vboxnet|vEthernet|cni|podman|lxc)/i;

/** An address of this machine. */
export interface Place {
  readonly url: string;
  /** The network interface that has it. */
  readonly name: string;
}

/** The part of `Deno.NetworkInterfaceInfo` that counts. */
type Interface = Pick<Deno.NetworkInterfaceInfo, "name" | "family" | "address">;

/** The addresses that other machines can open, those of virtual networks last. */
export function placesOf(interfaces: readonly Interface[], port: number, scheme: string): Place[] {
  const others = interfaces.filter(({ family, address }) => family === "IPv4" && !isLoopback(address));
  const given = others.filter(({ address }) => !LINK_LOCAL.test(address));
  return (given.length > 0 ? given : others)
    .toSorted((one, other) => Number(VIRTUAL.test(one.name)) - Number(VIRTUAL.test(other.name)))
    .map(({ address, name }) => ({ url: `${scheme}//${formatAddress(address, port)}/`, name }));
}

/** What a phone can open: URLs, or why they are not known, in a sentence. */
export function forPhones({ hostname, port, url }: ListenAddress): Place[] | string {
  if (isLoopback(hostname)) {
    return `Phones cannot open this server: it listens on ${hostname}, which only this machine can open`;
  }
  if (!isWildcard(hostname)) return [{ url, name: "" }];
  // Asked first, since the call would ask the person at the terminal.
  if (Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state !== "granted") {
    return "To see the addresses for phones, run Deno with --allow-sys=networkInterfaces";
  }
  const places = placesOf(Deno.networkInterfaces(), port, new URL(url).protocol);
  return places.length > 0 ? places : "Phones cannot open this server: this machine is not in any network";
}

/** The lines that say where the server listens. */
export function greeting(name: string, address: ListenAddress): string[] {
  const { hostname, port, url } = address;
  const everywhere = isWildcard(hostname);
  const first = `${name} listens on ${url} (${everywhere ? `all interfaces, port ${port}` : hostname})`;
  if (!everywhere) return [first];
  const places = forPhones(address);
  if (typeof places === "string") return [first, places];
  return [first, ...places.map(({ url, name }) => `For phones in the same network: ${url} (${name})`)];
}
