/** One request on its way through the server, and everything known about it. */

import type { Address } from "./address.ts";
import type { RequestBody } from "./body.ts";
import { clientAddressOf, peerOf } from "./client.ts";
import type { Settings } from "./limits.ts";
import type { TrustedProxies } from "./proxies.ts";
import type { Recipient, Sendings } from "./sending.ts";
import { targetOf } from "./target.ts";

/** Everything that the requests of one listener share. */
export interface Context {
  /** The address it listens on. Undefined if only the owner of the listener knows it. */
  readonly listening: Address | undefined;
  /** Undefined if no proxy is trusted. */
  readonly proxies: TrustedProxies | undefined;
  readonly settings: Settings;
  /** Aborts when the server begins to stop. */
  readonly stopped: AbortSignal;
  /** The bodies of answers under way. */
  readonly sendings: Sendings;
  /** Whether only Deno reads the answers. */
  readonly isReadByDeno: boolean;
}

/** One request. Properties that cost something are computed when they are first read. */
export class Exchange implements Recipient {
  // Only declared: most requests never have them, and every request would pay for their initialization.
  declare private knownTarget?: string;
  declare private knownClient?: string;
  /** The body. Undefined if there cannot be one. */
  body: RequestBody | undefined = undefined;
  /** The body's bytes, if they have been received. */
  data: Uint8Array<ArrayBuffer> | undefined = undefined;

  constructor(
    readonly request: Request,
    readonly info: Deno.ServeHandlerInfo | undefined,
    readonly context: Context,
  ) {}

  /**
   * Path and query, as sent.
   *
   * @throws {Error} 400 if the host is not valid
   */
  get target(): string {
    return this.knownTarget ??= targetOf(this.request);
  }

  /** The address of the client, behind trusted proxies too. */
  get client(): string {
    return this.knownClient ??= clientAddressOf(this.request, this.info, this.context.proxies);
  }

  get isReadByDeno(): boolean {
    return this.context.isReadByDeno;
  }

  /** The other end of the connection. Undefined on a Unix socket, and for a `Request` that came over no connection. */
  get peer(): Address | undefined {
    return peerOf(this.info);
  }
}
