/** One WebSocket connection. */

import { MESSAGE_COST } from "./deno.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits, Settings } from "./limits.ts";
import { type Message, Outbox } from "./outbox.ts";
import { Queue } from "./queue.ts";

/** Checks, half a second apart, within which a connection must open; if it has not, the client left before, and no event comes (L1). */
const OPEN_LOOKS = 3;
/** Milliseconds that a client has to answer a close, unless `idleTimeout` is less: if it never does, no event comes (W3). */
const CLOSE_TIMEOUT = 5_000;
/** RFC 6455, section 7.4.1: the code for a connection that ended without a close. */
const ABNORMAL = 1006;
/** Codes that may be sent (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const MESSAGE_TOO_BIG = 1009;

/** The events of a socket. */
const EVENTS = ["open", "message", "close", "error"];

/** How a connection ends. */
interface End {
  readonly code: number;
  readonly reason: string;
}

/**
 * The state of a connection, with its data. `open` and `closing` become `closed` exactly once, which reports the close;
 * `connecting` may become `closed` without a report.
 */
type State =
  /** The handshake has been answered. `looks` counts the checks since then. */
  | { readonly is: "connecting"; looks: number }
  | { readonly is: "open" }
  /** We have sent a close. `since` is the time of the first check after that, in milliseconds by the clock of `check()`. */
  | { readonly is: "closing"; readonly end: End; since: number | undefined }
  | { readonly is: "closed" };

const OPEN: State = { is: "open" };
const CLOSED: State = { is: "closed" };

/** The reports of a connection to the set that it is in. */
export interface Membership {
  /**
   * It is open. Returns false if the set accepts no more, or a promise that resolves when the close of the client that had this address
   * before has been handled.
   */
  opened(connection: Connection): boolean | Promise<void>;
  /** It is closed. */
  closed(connection: Connection): void;
  /** Its last event has been handled. */
  done(connection: Connection): void;
  /** Deno has released its socket. */
  gone(connection: Connection): void;
}

/** Everything that the connections of a set share. */
export interface Shared {
  readonly hooks: Hooks;
  readonly settings: Settings;
  readonly set: Membership;
}

/** One connection. Its events are handled one at a time and in order, open first and close last. */
export class Connection implements EventListenerObject {
  readonly client: string;
  /** The path and query it connected to. */
  readonly uri: string;
  /** When it was opened, in milliseconds since 1970. */
  opened = 0;
  readonly #socket: WebSocket;
  readonly #shared: Shared;
  readonly #queue = new Queue();
  readonly #outbox: Outbox;
  #state: State = { is: "connecting", looks: 0 };
  /** Deno has released the socket, which may happen before or after the close. After a time-out it says so twice (W5). */
  #gone = false;

  constructor(socket: WebSocket, client: string, uri: string, shared: Shared) {
    this.client = client;
    this.uri = uri;
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#shared = shared;
    // One listener object in place of four closures saves memory on thousands of idle connections.
    for (const type of EVENTS) socket.addEventListener(type, this);
  }

  /** Handles an event of the socket. */
  handleEvent(event: Event): void {
    switch (event.type) {
      case "message":
        return this.#receive((event as MessageEvent).data);
      case "open":
        return this.#open();
      case "close": {
        // A connection that broke or fell silent is not clean, whatever its code.
        const { code, reason, wasClean } = event as CloseEvent;
        // Deno's own close: a ping was not answered. The close of a peer is clean.
        if (code === GOING_AWAY && !wasClean && this.#state.is === "open") {
          this.#warn("silent", "does not answer pings", "idleTimeout");
        }
        this.#finish({ code: wasClean ? code : ABNORMAL, reason });
        return this.#letGo();
      }
      case "error":
        // A close event follows, unless the socket never opened.
        event.preventDefault();
        if (this.#state.is === "connecting") this.#letGo();
    }
  }

  /** Bytes that wait to be sent to the client. */
  get buffered(): number {
    return this.#outbox.bytes;
  }

  /** Sends a message. False if the connection is not open, or too much waits to be sent. */
  send(data: Message): boolean {
    if (this.#state.is !== "open" || this.#socket.readyState !== WebSocket.OPEN) return false;
    const { hooks, settings } = this.#shared;
    if (this.#outbox.send(data, settings.limits.maxBufferedAmount)) return true;
    hooks.warn(
      "unsent",
      `${this.client} does not read its messages, so further ones are dropped: see parameter "maxBufferedAmount"`,
    );
    return false;
  }

  /** Closes the connection. The close is reported when the client answers it, or after `CLOSE_TIMEOUT`. */
  close(code: number, reason: string): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "closing", end: { code, reason }, since: undefined };
    this.#socket.close(code, reason);
  }

  /** Assumes that the client is gone: reports the close now, after the events that wait. */
  abort(): void {
    this.#finish({ code: ABNORMAL, reason: "" });
  }

  /** Drops a client that does not open, close or read in time. */
  check(now: number): void {
    const state = this.#state;
    const idleTimeout = this.#shared.settings.limits.idleTimeout * 1000;
    switch (state.is) {
      case "connecting":
        if (++state.looks >= OPEN_LOOKS) this.forget();
        break;
      case "closing":
        state.since ??= now;
        if (now - state.since >= Math.min(CLOSE_TIMEOUT, idleTimeout || CLOSE_TIMEOUT)) this.abort();
        break;
      case "open":
        if (!this.#outbox.isStuck(now, idleTimeout)) break;
        this.#warn("stuck", "does not read its messages", "idleTimeout");
        this.#finish({ code: ABNORMAL, reason: "The client stopped reading" });
        // Deno cannot drop the connection; it releases it when the client leaves (W4).
        this.#socket.close();
    }
  }

  /** Releases a connection that never opened. */
  forget(): void {
    if (this.#state.is !== "connecting") return;
    this.#state = CLOSED;
    this.#letGo();
  }

  /** Drops the events that wait, except the close. */
  dropEvents(): void {
    this.#queue.drop(this.#state.is === "closed" ? 1 : 0);
  }

  #open(): void {
    if (this.#state.is !== "connecting") return this.#socket.close(GOING_AWAY);
    const before = this.#shared.set.opened(this);
    if (before === false) {
      this.#state = CLOSED;
      return this.#socket.close(GOING_AWAY);
    }
    this.#state = OPEN;
    this.opened = Date.now();
    if (before instanceof Promise) this.#queue.run(() => before);
    this.#queue.run(() => this.#shared.hooks.open(this.client, this.uri));
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#state.is !== "open") return;
    const { hooks, settings } = this.#shared;
    const { maxMessageSize, maxBufferedAmount } = settings.limits;
    const size = typeof data === "string" ? sizeOf(data, maxMessageSize) : data.byteLength;
    if (size > maxMessageSize) {
      this.#warn("too big", `sent a message of more than ${maxMessageSize} bytes`, "maxMessageSize");
      return this.close(MESSAGE_TOO_BIG, `Messages are limited to ${maxMessageSize} bytes`);
    }
    const cost = size + MESSAGE_COST;
    // One message of any size may wait while another is handled.
    const limit = Math.max(maxBufferedAmount, maxMessageSize + MESSAGE_COST);
    if (this.#queue.isBusy && !this.#queue.hasRoomFor(cost, limit)) {
      hooks.warn(
        "unhandled",
        `${this.client} was disconnected, since its messages arrive faster than they are handled: see parameter "maxBufferedAmount"`,
      );
      return this.close(POLICY_VIOLATION, "Messages arrive faster than they are handled");
    }
    this.#queue.run(
      typeof data === "string"
        ? () => hooks.text(this.client, data)
        : () => hooks.binary(this.client, new Uint8Array(data)),
      cost,
    );
  }

  /** Reports the close, once, if the connection was ever open. If we closed first, our code and reason count. */
  #finish(end: End): void {
    const state = this.#state;
    if (state.is !== "open" && state.is !== "closing") return;
    const { hooks, set } = this.#shared;
    const { code, reason } = state.is === "closing" ? state.end : end;
    this.#state = CLOSED;
    set.closed(this);
    this.#queue.run(() => {
      const result = hooks.close(this.client, code, reason);
      if (result instanceof Promise) return result.then(() => set.done(this));
      set.done(this);
      return undefined;
    });
  }

  /** Tells why the client is dropped. */
  #warn(kind: string, why: string, limit: keyof Limits): void {
    this.#shared.hooks.warn(kind, `${this.client} ${why}, so it is dropped: see parameter "${limit}"`);
  }

  #letGo(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#shared.set.gone(this);
  }
}

/** The length of a text in bytes of UTF-8. Encodes it only if its length in characters leaves a doubt about the limit. */
function sizeOf(text: string, limit: number): number {
  return text.length * 3 <= limit || text.length > limit ? text.length : new TextEncoder().encode(text).length;
}
