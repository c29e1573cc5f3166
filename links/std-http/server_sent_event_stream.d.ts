/** An event, or a comment, for the client. */
export interface ServerSentEventMessage {
  /** Ignored by the client. */
  comment?: string;
  /** The event's type; `"message"` if absent. */
  event?: string;
  /** The event's text. */
  data?: string;
  /** What the client sends as `Last-Event-ID` when it reconnects. */
  id?: string | number;
  /** Milliseconds that the client waits before it reconnects. */
  retry?: number;
}

/** From messages to the bytes of an event stream. */
export declare class ServerSentEventStream extends TransformStream<ServerSentEventMessage, Uint8Array<ArrayBuffer>> {
  constructor();
}
