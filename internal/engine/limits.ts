/** What the engine keeps to. */

/** The limits, and what else the engine is told. Sizes are in bytes, times in seconds; a time of 0 is no limit. */
export interface Limits {
  /** Web pages that may open a WebSocket, or send a request that changes something. */
  readonly origins: "same" | "any" | readonly string[];
  /** Whether the listener speaks TLS. */
  readonly secure: boolean;
  /** Proxies whose `X-Forwarded-For` is trusted: addresses, networks such as `10.0.0.0/8`, and `loopback`. */
  readonly trustedProxies: readonly string[];
  /** Whether a body is received before the request is answered, or read by whoever answers it. */
  readonly body: "buffer" | "stream";
  /** Of one body. */
  readonly maxBodySize: number;
  /** Of all bodies in memory. */
  readonly maxBodyMemory: number;
  /** Fields and files of a form. */
  readonly maxFormFields: number;
  /** For a body to make progress, and for an answer. */
  readonly requestTimeout: number;
  /** WebSockets at once. */
  readonly maxConnections: number;
  /** Of one WebSocket message from a client. */
  readonly maxMessageSize: number;
  /** Of what waits for one WebSocket client. */
  readonly maxBufferedAmount: number;
  /** For a client that takes nothing, or answers no ping. */
  readonly idleTimeout: number;
}

/** The limits in force. Each change replaces them, so read them when you need them. */
export interface Settings {
  readonly limits: Limits;
}
