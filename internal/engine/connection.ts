/** One WebSocket connection. */

import type { Cooks } from "../operator/cooks.ts";
import { type Message, MESSAGE_COST, Outbox } from "./outbox.ts";
import type { WebServerParameters } from "../operator/parameters.ts";

/** Looks at a connection, half a second apart, in which it opens: otherwise the client had left before. */
const OPEN_LOOKS = 3;
/** Milliseconds for a peer to answer a close, unless `idleTimeout` is less. */
const CLOSE_TIMEOUT = 5_000;
/** RFC 6455, section 7.4.1: a connection that ended without a close. */
const ABNORMAL = 1006;
/** The code of a close by Deno itself when a ping was not answered; that of a peer is clean. */
const GOING_AWAY = 1001;
/** Codes that may be sent (RFC 6455, section 7.4.1). */
const POLICY_VIOLATION = 1008;
const MESSAGE_TOO_BIG = 1009;

/** What the runtime tells of a socket. */
const EVENTS = ["open", "message", "close", "error"];

/** How a connection ends. */
interface End {
  readonly code: number;
  readonly reason: string;
}

/** What a connection tells the set it is in. */
export interface Membership {
  /** It is open. False: the set takes no more. A Promise: when whoever had its address before has been reported closed. */
  opened(connection: Connection): boolean | Promise<void>;
  /** Nothing comes from it any more. */
  closed(connection: Connection): void;
  /** Its last callback has settled. */
  done(connection: Connection): void;
  /** The runtime has let go of it. */
  gone(connection: Connection): void;
}

/** What a connection has in common with others. */
export interface Shared {
  readonly cooks: Cooks;
  readonly parameters: () => WebServerParameters;
  readonly set: Membership;
}

/** One connection. Its callbacks run one at a time and in order, open first and close last. */
export class Connection implements EventListenerObject {
  readonly client: string;
  /** The path and query it connected to. */
  readonly uri: string;
  /** When it was opened, in milliseconds since 1970. */
  opened = 0;
  readonly #socket: WebSocket;
  readonly #shared: Shared;
  #state: "connecting" | "open" | "closed" = "connecting";
  /** The close that we have sent. */
  #ours: End | undefined;
  /** The runtime has let go. */
  #gone = false;
  /** What waits for an async callback to settle; undefined while none runs. */
  #waiting: (() => unknown)[] | undefined;
  /** Bytes of it. */
  #waitingSize = 0;
  readonly #outbox: Outbox;
  /** How often it was looked at while it was connecting. */
  #looks = 0;
  /** When our close was sent, as far as the looks tell, in milliseconds as `check()` counts them. */
  #closing: number | undefined;

  constructor(socket: WebSocket, client: string, uri: string, shared: Shared) {
    this.client = client;
    this.uri = uri;
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#shared = shared;
    // Never "blob": a Blob on a socket whose peer resets crashes the runtime.
    socket.binaryType = "arraybuffer";
    // Listening itself, a connection has no four functions of its own: of idle ones, there are many.
    for (const type of EVENTS) socket.addEventListener(type, this);
  }

  /** What the runtime tells of the socket. */
  handleEvent(event: Event): void {
    switch (event.type) {
      case "message":
        return this.#receive((event as MessageEvent).data);
      case "open":
        return this.#open();
      case "close": {
        // Where we closed first, our code counts. What was not closed but broke, or fell silent, is not clean.
        const { code, reason, wasClean } = event as CloseEvent;
        if (code === GOING_AWAY && !wasClean && this.#state === "open") {
          this.#warn("silent", "answers no ping", "idleTimeout");
        }
        this.finish(this.#ours ?? { code: wasClean ? code : ABNORMAL, reason });
        return this.#letGo();
      }
      case "error":
        // A close event follows, unless there never was a socket.
        event.preventDefault();
        if (this.#state === "connecting") this.#letGo();
    }
  }

  /** Bytes that wait to be sent to the client. */
  get buffered(): number {
    return this.#outbox.bytes;
  }

  /** False if the connection is closed or closing, or too much waits to be sent to it. */
  send(data: Message): boolean {
    if (this.#ours || this.#state !== "open" || this.#socket.readyState !== WebSocket.OPEN) return false;
    const { maxBufferedAmount } = this.#shared.parameters();
    if (this.#outbox.send(data, maxBufferedAmount)) return true;
    this.#shared.cooks.warn(
      "unsent",
      `${this.client} does not take its messages, so further ones are dropped: see parameter "maxBufferedAmount"`,
    );
    return false;
  }

  close(code: number, reason: string): void {
    if (this.#ours || this.#state !== "open") return;
    this.#ours = { code, reason };
    this.#socket.close(code, reason);
  }

  /** Reports the close: once, if it was ever open, and behind what is still to be handled. */
  finish({ code, reason }: End = this.#ours ?? { code: ABNORMAL, reason: "" }): void {
    if (this.#state !== "open") return;
    const { cooks, set } = this.#shared;
    this.#state = "closed";
    set.closed(this);
    this.#run(() => {
      const result = cooks.run("onWebSocketClose", [this.client, code, reason]);
      if (result instanceof Promise) return result.then(() => set.done(this));
      set.done(this);
      return undefined;
    });
  }

  /** Gives up a peer that does not do what it should, as far as that can be told now. */
  check(now: number): void {
    const idleTimeout = this.#shared.parameters().idleTimeout * 1000;
    if (this.#state === "connecting") {
      if (++this.#looks >= OPEN_LOOKS) this.forget();
    } else if (this.#state === "open" && this.#ours) {
      this.#closing ??= now;
      if (now - this.#closing >= Math.min(CLOSE_TIMEOUT, idleTimeout || CLOSE_TIMEOUT)) this.finish();
    } else if (this.#state === "open" && this.#outbox.isStuck(now, idleTimeout)) {
      this.#warn("stuck", "takes nothing of what is sent to it", "idleTimeout");
      this.finish({ code: ABNORMAL, reason: "The client took nothing of what waited for it" });
      // Deno cannot drop it; it lets go when the peer leaves.
      this.#socket.close();
    }
  }

  /** Takes a client that has not come to a socket for gone. */
  forget(): void {
    if (this.#state !== "connecting") return;
    this.#state = "closed";
    this.#letGo();
  }

  /** Leaves what waits to be handled, but for the close. */
  abandon(): void {
    if (this.#waiting) this.#waiting = this.#state === "closed" ? this.#waiting.slice(-1) : [];
  }

  #open(): void {
    if (this.#state !== "connecting") return this.#socket.close(1001);
    const before = this.#shared.set.opened(this);
    if (before === false) {
      this.#state = "closed";
      return this.#socket.close(1001);
    }
    this.#state = "open";
    this.opened = Date.now();
    if (before instanceof Promise) this.#run(() => before);
    this.#run(() => this.#shared.cooks.run("onWebSocketOpen", [this.client, this.uri]));
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#state !== "open" || this.#ours) return;
    const { cooks, parameters } = this.#shared;
    const { maxMessageSize, maxBufferedAmount } = parameters();
    const size = typeof data === "string" ? sizeOf(data, maxMessageSize) : data.byteLength;
    if (size > maxMessageSize) {
      this.#warn("too big", `sent a message of more than ${maxMessageSize} bytes`, "maxMessageSize");
      return this.close(MESSAGE_TOO_BIG, `Messages are of ${maxMessageSize} bytes at most`);
    }
    const cost = size + MESSAGE_COST;
    if (this.#waiting) {
      this.#waitingSize += cost;
      // One message of any size may wait while another is handled.
      if (this.#waitingSize > Math.max(maxBufferedAmount, maxMessageSize + MESSAGE_COST)) {
        cooks.warn(
          "unhandled",
          `${this.client} is closed, since its messages come faster than they are handled: see parameter "maxBufferedAmount"`,
        );
        return this.close(POLICY_VIOLATION, "Messages come faster than they are handled");
      }
    }
    this.#run(
      typeof data === "string"
        ? () => cooks.run("onWebSocketReceiveText", [this.client, data])
        : () => cooks.run("onWebSocketReceiveBinary", [this.client, new Uint8Array(data)]),
      cost,
    );
  }

  #run(task: () => unknown, size = 0): void {
    if (this.#waiting) {
      this.#waiting.push(
        size === 0 ? task : () => {
          this.#waitingSize -= size;
          return task();
        },
      );
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
    this.#waitingSize = 0;
  }

  /** Tells why the client is dropped. */
  #warn(kind: string, why: string, parameter: keyof WebServerParameters): void {
    this.#shared.cooks.warn(kind, `${this.client} ${why}, so it is dropped: see parameter "${parameter}"`);
  }

  #letGo(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#shared.set.gone(this);
  }
}

/** The bytes of a text, counted only where its length leaves a doubt. */
function sizeOf(text: string, limit: number): number {
  return text.length * 3 <= limit || text.length > limit ? text.length : new TextEncoder().encode(text).length;
}
