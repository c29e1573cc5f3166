/** WebSockets: the handshake, one connection, and the set of them. */

import { isClientAddress } from "./address.ts";
import { clientAddressOf, targetOf } from "./request.ts";
import { refusal } from "./response.ts";
import { within } from "./within.ts";

/**
 * What the connections tell the server. They never throw; a Promise that comes back never rejects, and is waited for before
 * the next callback of that client.
 */
export interface WebSocketEvents {
  open(client: string, uri: string): unknown;
  text(client: string, data: string): unknown;
  binary(client: string, data: Uint8Array<ArrayBuffer>): unknown;
  close(client: string, code: number, reason: string): unknown;
}

/** Seconds without a sign of life after which the runtime gives a peer up; it asks for one at half of it. */
const IDLE_TIMEOUT = 30;
/** Milliseconds for a peer to answer the close of a server that stops: a phone that sleeps never does. */
const CLOSE_TIMEOUT = 1_000;
/** RFC 6455, section 7.4.1: a connection that ended without a close. */
const ABNORMAL = 1006;

/** Whether an `Upgrade` header asks for a WebSocket; other protocols are not spoken, and HTTP goes on. */
export function asksForWebSocket(upgrade: string): boolean {
  return hasToken(upgrade, "websocket");
}

function hasToken(list: string | null, token: string): boolean {
  // White space is space and tab (RFC 9110, section 5.6.3), as the runtime has it, which checks the same again.
  return list !== null && list.split(/[ \t]*,[ \t]*/).some((item) => item.toLowerCase() === token);
}

/** The answer to a handshake that is none (RFC 6455, section 4.2.1), or undefined where it is right. */
function objection({ method, headers }: Request): Response | undefined {
  if (method !== "GET") return refusal(405, "A WebSocket is opened with GET", { allow: "GET" });
  if (!hasToken(headers.get("connection"), "upgrade")) {
    return refusal(400, "The Connection header of a WebSocket handshake is Upgrade");
  }
  if (headers.get("sec-websocket-version") !== "13") {
    return refusal(426, "The WebSocket version is 13", { "sec-websocket-version": "13" });
  }
  if (!/^[a-z0-9+/]{22}==$/i.test(headers.get("sec-websocket-key") ?? "")) {
    return refusal(400, "The Sec-WebSocket-Key header is 16 bytes in base64");
  }
  return undefined;
}

/** What a connection tells the set it is in. */
interface Membership {
  /** It is open. False: the set takes no more. */
  opened(connection: Connection): boolean;
  /** Nothing comes from it any more. */
  closed(connection: Connection): void;
  /** Its last callback has settled. */
  done(): void;
}

/** One connection. Its callbacks run one at a time and in order, open first and close last. */
class Connection {
  readonly client: string;
  readonly #socket: WebSocket;
  readonly #events: WebSocketEvents;
  readonly #set: Membership;
  /** What waits for an async callback to settle; undefined while none runs. */
  #waiting: (() => unknown)[] | undefined;
  #state: "connecting" | "open" | "closed" = "connecting";
  /** The close that we have sent. */
  #ours: { code: number; reason: string } | undefined;

  constructor(socket: WebSocket, client: string, uri: string, events: WebSocketEvents, set: Membership) {
    this.client = client;
    this.#socket = socket;
    this.#events = events;
    this.#set = set;
    // Never "blob": a Blob on a socket whose peer resets crashes the runtime.
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      if (!set.opened(this)) {
        this.#state = "closed";
        socket.close(1001);
        return;
      }
      this.#state = "open";
      this.#run(() => events.open(client, uri));
    };
    socket.onmessage = ({ data }) => {
      if (this.#state !== "open") return;
      if (typeof data === "string") this.#run(() => events.text(client, data));
      else this.#run(() => events.binary(client, new Uint8Array(data)));
    };
    // Where we closed first, our code counts. The runtime says 0 for a connection that broke.
    socket.onclose = ({ code, reason }) => this.finish(this.#ours ?? { code: code === 0 ? ABNORMAL : code, reason });
    // A close event follows.
    socket.onerror = (event) => event.preventDefault();
  }

  /** False where the connection is closed or closing. */
  send(data: string | ArrayBuffer | ArrayBufferView<ArrayBuffer>): boolean {
    if (this.#ours || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#ours || this.#state !== "open") return;
    this.#ours = { code, reason };
    this.#socket.close(code, reason);
  }

  /** Reports the close: once, if it was ever open, and behind what is still to be handled. */
  finish({ code, reason } = this.#ours ?? { code: ABNORMAL, reason: "" }): void {
    if (this.#state !== "open") return;
    this.#state = "closed";
    this.#set.closed(this);
    this.#run(() => {
      const result = this.#events.close(this.client, code, reason);
      if (result instanceof Promise) return result.then(() => this.#set.done());
      this.#set.done();
      return undefined;
    });
  }

  #run(task: () => unknown): void {
    if (this.#waiting) {
      this.#waiting.push(task);
      return;
    }
    const result = task();
    if (result instanceof Promise) {
      this.#waiting = [];
      void this.#drain(result);
    }
  }

  async #drain(first: Promise<unknown>): Promise<void> {
    await first;
    for (let task = this.#waiting?.shift(); task; task = this.#waiting?.shift()) await task();
    this.#waiting = undefined;
  }
}

/**
 * Checks what a close frame is to carry (RFC 6455, sections 5.5 and 7.4).
 *
 * @throws {RangeError} If the code may not be sent, or the reason is too long
 */
export function checkClose(code: number, reason: string): void {
  const sendable = code === 1000 || code === 1001 || code === 1003 || (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999);
  if (!sendable || !Number.isInteger(code)) {
    throw new RangeError(`Cannot close with code ${code}: it takes 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999`);
  }
  if (new TextEncoder().encode(reason).length > 123) {
    throw new RangeError("Cannot close with this reason: it takes up to 123 bytes of UTF-8");
  }
}

/** The connections that came by one listener, by the address of their clients. */
export class WebSockets {
  readonly #events: WebSocketEvents;
  readonly #open = new Map<string, Connection>();
  /** Closed connections whose last callback is still to settle. */
  #finishing = 0;
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(events: WebSocketEvents) {
    this.#events = events;
  }

  get size(): number {
    return this.#open.size;
  }

  clients(): string[] {
    return [...this.#open.keys()];
  }

  /**
   * The connection of a client, or undefined if it is gone.
   *
   * @throws {TypeError} If `client` is no address, as happens with swapped arguments
   */
  find(client: string): Connection | undefined {
    const connection = this.#open.get(client);
    if (connection === undefined && !isClientAddress(client)) {
      throw new TypeError(
        `Cannot find the client ${Deno.inspect(client, { strAbbreviateSize: 80 })}: it is no address such as ` +
          `"127.0.0.1:50112". The client is the first argument`,
      );
    }
    return connection;
  }

  /**
   * The answer to a handshake. All of it is synchronous, since a client that leaves while an answer is awaited leaks a
   * file descriptor of the runtime; and nothing may fail once the request is upgraded.
   */
  accept(request: Request, info: Deno.ServeHandlerInfo | undefined): Response {
    const refused = objection(request);
    if (refused) return refused;
    const uri = targetOf(request);
    const client = clientAddressOf(info);
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
    new Connection(socket, client, uri, this.#events, this.#membership);
    return response;
  }

  readonly #membership: Membership = {
    opened: (connection) => {
      if (this.#closed) return false;
      // The address is free again, so whoever had it is gone, though no close has come.
      this.#open.get(connection.client)?.finish();
      this.#open.set(connection.client, connection);
      return true;
    },
    closed: ({ client }) => {
      this.#open.delete(client);
      this.#finishing++;
    },
    done: () => {
      this.#finishing--;
      if (this.#empty) this.#whenEmpty?.();
    },
  };

  get #empty(): boolean {
    return this.#open.size === 0 && this.#finishing === 0;
  }

  /**
   * Closes every connection, and takes no more. Peers that do not answer in time are taken for gone; resolves when all
   * callbacks have settled.
   */
  async close(code: number, reason: string): Promise<void> {
    this.#closed = true;
    for (const connection of [...this.#open.values()]) connection.close(code, reason);
    if (this.#empty) return;
    const empty = new Promise<void>((resolve) => this.#whenEmpty = resolve);
    await within(CLOSE_TIMEOUT, empty);
    for (const connection of [...this.#open.values()]) connection.finish();
    await empty;
  }
}
