/** An HTTP client on raw TCP, which tells what became of a request: `fetch` would try again by itself. */

/** The connection was refused, reset or closed before the first byte of an answer. */
export class Refused extends Error {}

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Milliseconds for an answer to arrive whole. */
const TIMEOUT = 30_000;

/** Requests one after the other, on one connection as long as the server keeps it. */
export class HTTPClient implements Disposable {
  readonly #port: number;
  #connection: Deno.TcpConn | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /**
   * Sends a request, and waits for the whole answer.
   *
   * @throws {Refused} If no byte of an answer came
   * @throws {Error} If the answer was cut off, or took too long
   */
  async request(method: string, target: string, body = new Uint8Array(0)): Promise<Answer> {
    try {
      this.#connection ??= await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    } catch (error) {
      throw new Refused("The connection was refused", { cause: error });
    }
    const connection = this.#connection;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, TIMEOUT);
    try {
      const head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`;
      // The answer may come before all is sent, and sending fails then.
      const sent = writeAll(connection, [new TextEncoder().encode(head), body]).catch(() => {});
      const answer = await read(connection);
      // After a refusal the server closes.
      if (answer.status >= 400) this[Symbol.dispose]();
      await sent;
      return answer;
    } catch (error) {
      this[Symbol.dispose]();
      throw late ? new Error(`The answer took longer than ${TIMEOUT} ms`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection?.close();
    } catch {
      // Closed before.
    }
    this.#connection = undefined;
  }
}

export async function writeAll(connection: Deno.Conn, parts: Uint8Array[]): Promise<void> {
  for (const part of parts) {
    for (let sent = 0; sent < part.length;) sent += await connection.write(part.subarray(sent));
  }
}

async function read(connection: Deno.Conn): Promise<Answer> {
  let bytes = new Uint8Array(1 << 16);
  let length = 0;
  const more = async () => {
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
    const count = await connection.read(bytes.subarray(length)).catch(() => null);
    if (count === null && length === 0) throw new Refused("The connection ended before an answer");
    if (count === null) throw new Error(`The answer was cut off after ${length} bytes`);
    length += count;
  };
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    await more();
    head = new TextDecoder("latin1").decode(bytes.subarray(0, Math.min(length, 4096)));
  }
  const start = head.indexOf("\r\n\r\n") + 4;
  const size = /^content-length: (\d+)\r$/im.exec(head.slice(0, start))?.[1];
  if (size === undefined) throw new Error(`The answer has no length: ${head.slice(0, start)}`);
  while (length < start + Number(size)) await more();
  return { status: Number(head.slice(9, 12)), body: bytes.slice(start, start + Number(size)) };
}
