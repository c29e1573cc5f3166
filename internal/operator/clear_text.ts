/** Noticing that a password has come over a network without TLS. */

import { type Address, canonicalIP, isLoopback } from "../engine/address.ts";

/** Basic credentials, which callbacks may take without the name of the scheme too. */
const BASIC = /^(?:basic +)?\S+$/i;

/** What is said of it, once. */
export const CLEAR_TEXT =
  'A password has come over the network in the clear, where others can read it: set parameter "secure", or put a proxy with TLS in front';

/** Watches for the first request whose Basic credentials a callback has read and answered with success. */
export class ClearText {
  readonly #read = new WeakSet<Request>();
  readonly #warn: () => void;
  #warned = false;
  /** Whether there is a request to look at. */
  suspects = false;

  constructor(warn: () => void) {
    this.#warn = warn;
  }

  /** A callback reads the `Authorization` of a request. */
  authorizationRead(request: Request, value: string | null, peer: Address | undefined): void {
    if (this.#warned || value === null || peer === undefined || !BASIC.test(value)) return;
    if (isLoopback(canonicalIP(peer.hostname) ?? "")) return;
    this.#read.add(request);
    this.suspects = true;
  }

  /** A request is answered. */
  answered(request: Request, status: number): void {
    if (this.#warned || status >= 400 || !this.#read.has(request)) return;
    this.#warned = true;
    this.suspects = false;
    this.#warn();
  }
}
