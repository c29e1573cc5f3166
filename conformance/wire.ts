/** A TCP connection that ends at a deadline. */

/** A connection to a server on this machine. */
export class Wire implements Disposable {
  /** Whether the deadline came before the end. */
  late = false;
  readonly #connection: Deno.TcpConn;
  readonly #deadline: ReturnType<typeof setTimeout>;
  readonly #chunk = new Uint8Array(65_536);
  #quiet: ReturnType<typeof setTimeout> | undefined;

  private constructor(connection: Deno.TcpConn, milliseconds: number) {
    this.#connection = connection;
    this.#deadline = setTimeout(() => {
      this.late = true;
      this.#close();
    }, milliseconds);
  }

  /** @param milliseconds Until the deadline */
  static async open(port: number, milliseconds: number): Promise<Wire> {
    return new Wire(await Deno.connect({ port, hostname: "127.0.0.1" }), milliseconds);
  }

  /** The port at this end. */
  get port(): number {
    return this.#connection.localAddr.port;
  }

  /** Sends bytes. What the server does not take any more is left. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
    } catch {
      // The server has ended the connection: what it sent before can still be read.
    }
  }

  /** Tells the server that nothing more is sent. */
  async end(): Promise<void> {
    clearTimeout(this.#quiet);
    await this.#connection.closeWrite().catch(() => {});
  }

  /** Tells the server so once nothing has come from it for a while. */
  endAfter(milliseconds: number): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => void this.end(), milliseconds);
  }

  /** What has come, or undefined at the end. It is valid until the next read. */
  async read(): Promise<Uint8Array | undefined> {
    const read = await this.#connection.read(this.#chunk).catch(() => null);
    return read === null ? undefined : this.#chunk.subarray(0, read);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#quiet);
    if (!this.late) this.#close();
  }

  #close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }
}
