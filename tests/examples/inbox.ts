/** The messages of a WebSocket, to be read one after the other. */

import { once } from "../helpers.ts";

/** An open WebSocket, and its messages in their order. */
export class Inbox implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly #closed: Promise<CloseEvent>;
  readonly #arrived: (string | ArrayBuffer)[] = [];
  readonly #waiting: ((message: string | ArrayBuffer) => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.#closed = once(socket, "close");
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const take = this.#waiting.shift();
      if (take) take(data);
      else this.#arrived.push(data);
    };
  }

  /**
   * Opens a WebSocket.
   *
   * @param url Of the server, or of the WebSocket
   * @param headers Those of a client that is not a browser
   */
  static open(url: string, headers: Record<string, string> = {}): Promise<Inbox> {
    const socket = new WebSocket(url.replace("http", "ws"), { headers });
    const inbox = new Inbox(socket);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(inbox);
      socket.onerror = (event) => reject(new Error(`No WebSocket at ${url}: ${(event as ErrorEvent).message}`));
    });
  }

  /** The next message, as soon as there is one. */
  next(): Promise<string | ArrayBuffer> {
    const message = this.#arrived.shift();
    return message === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(message);
  }

  /** The next message, parsed. */
  // deno-lint-ignore no-explicit-any -- as JSON.parse
  async json(): Promise<any> {
    return JSON.parse(await this.next() as string);
  }

  /** The first message that is as wanted; those before it are dropped. */
  // deno-lint-ignore no-explicit-any -- as JSON.parse
  async until(wanted: (message: any) => boolean): Promise<any> {
    for (;;) {
      const message = await this.json();
      if (wanted(message)) return message;
    }
  }

  /** Resolves when the WebSocket is closed. */
  get closed(): Promise<CloseEvent> {
    return this.#closed;
  }

  async [Symbol.asyncDispose]() {
    this.socket.close();
    await this.#closed;
  }
}
