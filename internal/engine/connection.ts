/** One WebSocket connection. */

import { MESSAGE_COST } from "./deno.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits, Settings } from "./limits.ts";
import { type Message, Outbox } from "./outbox.ts";
import { Queue } from "./queue.ts";

/** Looks at a connection, half a second apart, in which it opens: otherwise the client had left before, and no event comes (L1). */
const OPEN_LOOKS = 3;
/** Milliseconds for a peer to answer a close, unless `idleTimeout` is less: if it never does, no event comes (W3). */
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
 * What is going on, with what belongs to it. `open` and `closing` become `closed` exactly once, which reports the close;
 * `connecting` may become `closed` without a report.
 */
type State =
  /** The handshake is answered. `looks` counts the looks at it. */
  | { readonly is: "connecting"; looks: number }
  | { readonly is: "open" }
  /** We have sent a close. `since` is the first look after that, in milliseconds as `check()` counts them. */
  | { readonly is: "closing"; readonly end: End; since: number | undefined }
  | { readonly is: "closed" };

const OPEN: State = { is: "open" };
const CLOSED: State = { is: "closed" };

/** What a connection tells the set that it is in. */
export interface Membership {
  /** It is open. False: the set takes no more. A Promise: when the close of the client that had its address before is handled. */
  opened(connection: Connection): boolean | Promise<void>;
  /** It is closed. */
  closed(connection: Connection): void;
  /** Its last event is handled. */
  done(connection: Connection): void;
  /** Deno has let go of its socket. */
  gone(connection: Connection): void;
}

/** What the connections of a set share. */
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
  /** Deno has let go of the socket, which may be before or after the close; after a time-out it says so twice (W5). */
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
        // What broke or fell silent is not clean, whatever its code.
        const { code, reason, wasClean } = event as CloseEvent;
        // Deno's own close: a ping was not answered. The close of a peer is clean.
        if (code === GOING_AWAY && !wasClean && this.#state.is === "open") {
          this.#warn("silent", "answers no ping", "idleTimeout");
        }
        this.#finish({ code: wasClean ? code : ABNORMAL, reason });
        return this.#letGo();
      }
      case "error":
        // A close event follows, unless there never was a socket.
        event.preventDefault();
        if (this.#state.is === "connecting") this.#letGo();
    }
  }

  /** Bytes that wait to be sent to the client. */
  get buffered(): number {
    return this.#outbox.bytes;
  }

  /** False if the connection is not open, or too much waits to be sent to it. */
  send(data: Message): boolean {
    if (this.#state.is !== "open" || this.#socket.readyState !== WebSocket.OPEN) return false;
    const { hooks, settings } = this.#shared;
    if (this.#outbox.send(data, settings.limits.maxBufferedAmount)) return true;
    hooks.warn(
      "unsent",
      `${this.client} does not take its messages, so further ones are dropped: see parameter "maxBufferedAmount"`,
    );
    return false;
  }

  /** Closes the connection. The close is reported when the peer answers it, or in `CLOSE_TIMEOUT`. */
  close(code: number, reason: string): void {
    if (this.#state.is !== "open") return;
    this.#state = { is: "closing", end: { code, reason }, since: undefined };
    this.#socket.close(code, reason);
  }

  /** Takes the peer for gone: reports the close now, behind the events that wait. */
  abort(): void {
    this.#finish({ code: ABNORMAL, reason: "" });
  }

  /** Drops a peer that does not do what it should, as far as that can be told now. */
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
        this.#warn("stuck", "reads nothing of what is sent to it", "idleTimeout");
        this.#finish({ code: ABNORMAL, reason: "The client took nothing of what waited for it" });
        // Deno cannot drop it; it lets go when the peer leaves (W4).
        this.#socket.close();
    }
  }

  /** Takes a client that never opened its socket for gone. */
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
      return this.close(MESSAGE_TOO_BIG, `Messages are of ${maxMessageSize} bytes at most`);
    }
    const cost = size + MESSAGE_COST;
    // One message of any size may wait while another is handled.
    const limit = Math.max(maxBufferedAmount, maxMessageSize + MESSAGE_COST);
    if (this.#queue.isBusy && !this.#queue.hasRoomFor(cost, limit)) {
      hooks.warn(
        "unhandled",
        `${this.client} is closed, since its messages come faster than they are handled: see parameter "maxBufferedAmount"`,
      );
      return this.close(POLICY_VIOLATION, "Messages come faster than they are handled");
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

/** The bytes of a text; encoded to count them only if its length leaves a doubt. */
function sizeOf(text: string, limit: number): number {
  return text.length * 3 <= limit || text.length > limit ? text.length : new TextEncoder().encode(text).length;
}
