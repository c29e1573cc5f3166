/** Checks what callers want to send to a WebSocket client. */

import { fastest } from "./deno.ts";
import type { Message } from "./outbox.ts";

function shown(value: unknown): string {
  if (value === undefined) return "undefined";
  return typeof value === "object" ? Deno.inspect(value, { depth: 0, strAbbreviateSize: 40 }) : `a ${typeof value}`;
}

/** @throws {TypeError} If it is not a string */
export function checkText(data: unknown): string {
  if (typeof data === "string") return data;
  throw new TypeError(`Cannot send text: the data is not a string, but ${shown(data)}`);
}

/**
 * Bytes as `WebSocket.send` takes them. Never a Blob (P2).
 *
 * @throws {TypeError} If it is not bytes
 */
export function checkBytes(data: unknown): Exclude<Message, string> {
  if (data instanceof ArrayBuffer) return data;
  if (!ArrayBuffer.isView(data)) {
    throw new TypeError(`Cannot send bytes: the data is not a Uint8Array, but ${shown(data)}`);
  }
  if (data.buffer instanceof ArrayBuffer) return fastest(data as ArrayBufferView<ArrayBuffer>);
  // Memory that is shared with a worker may change while it is sent.
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

/**
 * Checks the code and reason for a close frame (RFC 6455, sections 5.5 and 7.4).
 *
 * @throws {TypeError} If the reason is not a string
 * @throws {RangeError} If the code must not be sent, or the reason is too long
 */
export function checkClose(code: number, reason: string): void {
  const sendable = code === 1000 || code === 1001 || code === 1003 || (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999);
  if (!sendable || !Number.isInteger(code)) {
    throw new RangeError(
      `Cannot close with code ${Deno.inspect(code)}: use 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999`,
    );
  }
  if (typeof reason !== "string") {
    throw new TypeError(`Cannot close with this reason: it is not a string, but ${shown(reason)}`);
  }
  if (new TextEncoder().encode(reason).length > 123) {
    throw new RangeError("Cannot close with this reason: it is longer than 123 bytes of UTF-8");
  }
}
