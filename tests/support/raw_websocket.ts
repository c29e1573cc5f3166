/** A WebSocket client that sends exactly the bytes that a test wants, and reads only when asked. */

import { CLOSE, closePayload, frame as frameBytes, type FrameOptions } from "./frame.ts";
import { HANDSHAKE, handshakeRequest } from "./handshake.ts";

/** A frame (RFC 6455, section 5.2). */
export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A connection whose handshake has been sent. */
export class RawWebSocket<Connection extends Deno.Conn = Deno.TcpConn> implements Disposable {
  readonly connection: Connection;
  #buffer = new Uint8Array(0);

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Sends a handshake over a connection; the answer is not read. */
  static async over<Connection extends Deno.Conn>(
    connection: Connection,
    headers = HANDSHAKE,
    target = "/",
    method = "GET",
  ): Promise<RawWebSocket<Connection>> {
    const raw = new RawWebSocket(connection);
    await raw.write(handshakeRequest(target, headers, method));
    return raw;
  }

  /** Sends a handshake; the answer is not read. */
  static async open(port: number, headers = HANDSHAKE, target = "/", method = "GET"): Promise<RawWebSocket> {
    return await RawWebSocket.over(await Deno.connect({ port, hostname: "127.0.0.1" }), headers, target, method);
  }

  /** Sends a handshake, and reads the answer. */
  static async connect(port: number, target?: string): Promise<RawWebSocket> {
    const raw = await RawWebSocket.open(port, HANDSHAKE, target);
    await raw.head();
    return raw;
  }

  /** The server's name for this client. */
  get client(): string {
    const { hostname, port } = this.connection.localAddr as Deno.NetAddr;
    return `${hostname}:${port}`;
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.connection.write(bytes.subarray(sent));
  }

  /** Sends a frame. */
  send(opcode: number, payload: string | Uint8Array = "", options: FrameOptions = {}): Promise<void> {
    return this.write(frameBytes(opcode, payload, options));
  }

  /** Sends a close. */
  close(code?: number, reason = ""): Promise<void> {
    return this.send(CLOSE, code === undefined ? "" : closePayload(code, reason));
  }

  /** The head of the answer to the handshake; if the connection ends before it is whole, what there is of it. */
  async head(): Promise<string> {
    for (;;) {
      const text = new TextDecoder("latin1").decode(this.#buffer);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#buffer = this.#buffer.slice(end + 4);
        return text.slice(0, end);
      }
      if (!await this.#read()) return text;
    }
  }

  /** The answer to a handshake that is refused. */
  async answer(): Promise<{ status: number; head: string; body: string }> {
    const head = await this.head();
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    while (this.#buffer.length < length && await this.#read());
    return {
      status: Number(head.slice(9, 12)),
      head,
      body: new TextDecoder().decode(this.#buffer.subarray(0, length)),
    };
  }

  /** The next frame, or undefined when the connection has ended. */
  async frame(): Promise<Frame | undefined> {
    for (;;) {
      const length = this.#buffer[1] ?? 0;
      const long = length === 127 ? 8 : length === 126 ? 2 : 0;
      if (this.#buffer.length >= 2 + long) {
        const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset);
        const size = long === 8 ? Number(view.getBigUint64(2)) : long === 2 ? view.getUint16(2) : length;
        const end = 2 + long + size;
        if (this.#buffer.length >= end) {
          const payload = this.#buffer.slice(2 + long, end);
          const opcode = this.#buffer[0]! & 15;
          this.#buffer = this.#buffer.slice(end);
          return { opcode, payload };
        }
      }
      if (!await this.#read()) return undefined;
    }
  }

  /** Code and reason of the server's close, which may follow other frames; undefined if the connection just ends. */
  async closed(): Promise<{ code: number; reason: string } | undefined> {
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame()) {
      if (frame.opcode !== CLOSE) continue;
      const [high = 0, low = 0] = frame.payload;
      return { code: high << 8 | low, reason: new TextDecoder().decode(frame.payload.subarray(2)) };
    }
    return undefined;
  }

  /** Ends the connection without a close. */
  [Symbol.dispose](): void {
    try {
      this.connection.close();
    } catch {
      // It is closed already.
    }
  }

  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(65536);
    const read = await this.connection.read(chunk).catch(() => null);
    if (read === null) return false;
    const all = new Uint8Array(this.#buffer.length + read);
    all.set(this.#buffer);
    all.set(chunk.subarray(0, read), this.#buffer.length);
    this.#buffer = all;
    return true;
  }
}
