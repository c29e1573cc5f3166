/** The limits of the engine. */

/** The limits, and other settings of the engine. Sizes are in bytes, times in seconds; a time of 0 is no limit. */
export interface Limits {
  /** Web pages that may open a WebSocket, or send a request that changes something. */
  readonly origins: "same" | "any" | readonly string[];
  /** Whether the listener speaks TLS. */
  readonly secure: boolean;
  /** Proxies whose `X-Forwarded-For` is trusted: addresses, networks such as `10.0.0.0/8`, and `loopback`. */
  readonly trustedProxies: readonly string[];
  /** Whether `Deno.serve` compresses answers. */
  readonly compression: boolean;
  /** Whether a body is received before the request is answered, or read by whoever answers it. */
  readonly body: "buffer" | "stream";
  /** The largest request body. */
  readonly maxBodySize: number;
  /** The most that all request bodies in memory may take together. */
  readonly maxBodyMemory: number;
  /** The most fields and files of a form. */
  readonly maxFormFields: number;
  /** The time for a body to make progress, and for an answer. */
  readonly requestTimeout: number;
  /** The most WebSockets at once. */
  readonly maxConnections: number;
  /** The largest WebSocket message from a client. */
  readonly maxMessageSize: number;
  /** The most that may wait for one WebSocket client. */
  readonly maxBufferedAmount: number;
  /** The time for a client that does not read, or does not answer pings. */
  readonly idleTimeout: number;
}

/** The limits in force. Each change replaces them, so read them when you need them. */
export interface Settings {
  readonly limits: Limits;
}
