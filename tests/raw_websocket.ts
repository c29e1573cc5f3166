/** A WebSocket client that sends what it is told, byte by byte, and reads only when it is told. */

/** The headers of a right handshake. */
export const HANDSHAKE = [
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: keep-alive, Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** The handshake with the header of this name replaced, or left out. */
export function handshake(name: string, value?: string): string[] {
  const others = HANDSHAKE.filter((line) => !line.startsWith(`${name}:`));
  return value === undefined ? others : [...others, `${name}: ${value}`];
}

/** A frame (RFC 6455, section 5.2). */
export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A connection whose handshake has been sent. */
export class RawWebSocket implements Disposable {
  readonly connection: Deno.TcpConn;
  #buffer = new Uint8Array(0);

  private constructor(connection: Deno.TcpConn) {
    this.connection = connection;
  }

  /** Sends a handshake; the answer is not read. */
  static async open(port: number, headers = HANDSHAKE, target = "/", method = "GET"): Promise<RawWebSocket> {
    const raw = new RawWebSocket(await Deno.connect({ port, hostname: "127.0.0.1" }));
    await raw.write([`${method} ${target} HTTP/1.1`, ...headers, "", ""].join("\r\n"));
    return raw;
  }

  /** Sends a handshake, and reads the answer. */
  static async connect(port: number, target?: string): Promise<RawWebSocket> {
    const raw = await RawWebSocket.open(port, HANDSHAKE, target);
    await raw.head();
    return raw;
  }

  /** The server's name for this client. */
  get client(): string {
    const { hostname, port } = this.connection.localAddr;
    return `${hostname}:${port}`;
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.connection.write(bytes.subarray(sent));
  }

  /** Sends a frame, masked unless told otherwise. */
  send(opcode: number, payload: string | Uint8Array = "", { fin = true, masked = true } = {}): Promise<void> {
    const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    const long = data.length > 65535 ? 8 : data.length > 125 ? 2 : 0;
    const head = new DataView(new ArrayBuffer(2 + long + (masked ? 4 : 0)));
    head.setUint8(0, (fin ? 0x80 : 0) | opcode);
    head.setUint8(1, (masked ? 0x80 : 0) | (long === 8 ? 127 : long === 2 ? 126 : data.length));
    if (long === 2) head.setUint16(2, data.length);
    if (long === 8) head.setBigUint64(2, BigInt(data.length));
    const mask = [7, 77, 177, 27];
    if (masked) mask.forEach((byte, index) => head.setUint8(2 + long + index, byte));
    const frame = new Uint8Array(head.byteLength + data.length);
    frame.set(new Uint8Array(head.buffer));
    frame.set(masked ? data.map((byte, index) => byte ^ mask[index & 3]!) : data, head.byteLength);
    return this.write(frame);
  }

  /** Sends a close. */
  close(code?: number, reason = ""): Promise<void> {
    const text = new TextEncoder().encode(reason);
    return this.send(CLOSE, code === undefined ? "" : new Uint8Array([code >> 8, code & 255, ...text]));
  }

  /** The head of the answer to the handshake, as far as it comes. */
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

  /** Code and reason of the server's close, which may come behind other frames; undefined where the connection just ends. */
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

/** Sends a handshake and drops the connection with a reset, at once or after some bytes more, in a process that can. */
export async function reset(port: number, after = "", count = 1): Promise<void> {
  const head = ["GET / HTTP/1.1", ...HANDSHAKE, "", ""].join("\r\n");
  const script = `import socket,struct,sys
for _ in range(${count}):
  s=socket.create_connection(("127.0.0.1",${port}))
  s.sendall(${JSON.stringify(head + after)}.encode("latin1"))
  ${after === "" ? "pass" : "s.recv(4096)"}
  s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack("ii",1,0))
  s.close()
`;
  const { success } = await new Deno.Command("python3", { args: ["-c", script] }).output();
  if (!success) throw new Error("python3 could not send the reset");
}
