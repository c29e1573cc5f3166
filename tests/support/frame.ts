/** WebSocket frames, as they go over the wire (RFC 6455, section 5.2). */

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** How a frame differs from a client's usual one. */
export interface FrameOptions {
  /** Whether it is the last frame of its message. */
  readonly fin?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
  /** Clients mask, servers do not. */
  readonly masked?: boolean;
  /** How many bytes of length follow the first one; the fewest possible unless given. */
  readonly lengthSize?: 0 | 2 | 8;
  /** The length to announce, if it is not that of the payload. */
  readonly length?: number;
}

const MASK = [7, 77, 177, 27];

/** The bytes of a frame. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = "",
  options: FrameOptions = {},
): Uint8Array<ArrayBuffer> {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { fin = true, reserved = 0, masked = true, length = data.length } = options;
  const { lengthSize = length > 65_535 ? 8 : length > 125 ? 2 : 0 } = options;
  const head = new DataView(new ArrayBuffer(2 + lengthSize + (masked ? 4 : 0)));
  head.setUint8(0, (fin ? 0x80 : 0) | reserved << 4 | opcode);
  head.setUint8(1, (masked ? 0x80 : 0) | (lengthSize === 8 ? 127 : lengthSize === 2 ? 126 : length));
  if (lengthSize === 2) head.setUint16(2, length);
  if (lengthSize === 8) head.setBigUint64(2, BigInt(length));
  if (masked) MASK.forEach((byte, index) => head.setUint8(2 + lengthSize + index, byte));
  const bytes = new Uint8Array(head.byteLength + data.length);
  bytes.set(new Uint8Array(head.buffer));
  bytes.set(masked ? data.map((byte, index) => byte ^ MASK[index & 3]!) : data, head.byteLength);
  return bytes;
}

/** The payload of a close. */
export function closePayload(code: number, reason: string | Uint8Array = ""): Uint8Array<ArrayBuffer> {
  const text = typeof reason === "string" ? new TextEncoder().encode(reason) : reason;
  return new Uint8Array([code >> 8, code & 255, ...text]);
}
