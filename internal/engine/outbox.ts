/** The messages that wait to be sent to one WebSocket client, and their cost. */

import { MESSAGE_COST } from "./deno.ts";

/** A message that can be sent. */
export type Message = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** Messages in a batch. The socket reports only bytes, so the number of waiting messages is known to within one batch. */
const BATCH = 256;
/**
 * Empty messages that count as sent at each check of the connection, since the socket does not report them. A client that gets other
 * messages too is never affected.
 */
const EMPTY_PER_LOOK = 32;
/** Bytes a second. The socket reports a message only when all of it has been sent, so a large one gets the time that this rate takes. */
const LOWEST_RATE = 64 * 1024;

interface Batch {
  messages: number;
  /** A lower bound. */
  bytes: number;
}

/** The messages on their way to one client. */
export class Outbox {
  readonly #socket: WebSocket;
  /** Upper bound of the cost of the waiting messages, in bytes; reading `bufferedAmount` costs a fraction of a send. */
  #cost = 0;
  /** Full batches that may still wait, oldest first. */
  #batches: Batch[] | undefined;
  /** Messages in the batch that is being filled, and a lower bound of their bytes. */
  #messages = 0;
  #bytes = 0;
  /** Empty messages since the last one with data. */
  #empty = 0;
  /** When the client was last seen making progress, in milliseconds by the clock of `isStuck()`; undefined while nothing waits. */
  #since: number | undefined;
  /** Bytes that were waiting then, and bytes that have been added since. */
  #unsent = 0;
  #added = 0;
  /** Bytes of the largest message since the outbox was last empty. */
  #largest = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends a message, unless the waiting ones cost more than a limit. */
  send(data: Message, limit: number): boolean {
    if (this.#cost > limit && this.#settle() > limit) return false;
    const before = this.#since === undefined ? 0 : this.bytes;
    this.#socket.send(data);
    if (this.#since !== undefined) this.#added += this.bytes - before;
    this.#count(data);
    return true;
  }

  /** Whether the client has read nothing for `timeout` milliseconds, plus the time that a large message takes. */
  isStuck(now: number, timeout: number): boolean {
    const unsent = this.bytes;
    if (unsent === 0) {
      this.#since = undefined;
      this.#largest = 0;
      if (this.#empty > 0) this.#empty = Math.max(0, this.#empty - EMPTY_PER_LOOK);
      return false;
    }
    const taken = this.#since !== undefined && unsent < this.#unsent + this.#added;
    if (this.#since === undefined || taken) {
      this.#since = now;
      this.#unsent = unsent;
      this.#added = 0;
    }
    return timeout > 0 && now - this.#since >= timeout + this.#largest / LOWEST_RATE * 1000;
  }

  #count(data: Message): void {
    const least = typeof data === "string" ? data.length : data.byteLength;
    this.#cost += MESSAGE_COST + (typeof data === "string" ? least * 3 : least);
    this.#empty = least === 0 ? this.#empty + 1 : 0;
    this.#bytes += least;
    this.#largest = Math.max(this.#largest, least);
    if (++this.#messages < BATCH) return;
    (this.#batches ??= []).push({ messages: this.#messages, bytes: this.#bytes });
    this.#messages = this.#bytes = 0;
  }

  /** Corrects the cost of the waiting messages by what the socket reports. */
  #settle(): number {
    const unsent = this.bytes;
    let messages;
    if (unsent === 0) {
      // Only empty messages may still wait.
      messages = this.#messages = this.#empty;
      this.#bytes = 0;
      this.#batches = undefined;
    } else {
      const batches = this.#batches ?? [];
      let newer = this.#bytes + batches.reduce((sum, { bytes }) => sum + bytes, 0);
      // Messages are sent in order: if all unsent bytes fit into newer batches, the oldest one has been sent.
      while (batches.length > 0 && newer - batches[0]!.bytes >= unsent) newer -= batches.shift()!.bytes;
      messages = batches.reduce((sum, batch) => sum + batch.messages, this.#messages);
    }
    return this.#cost = unsent + messages * MESSAGE_COST;
  }
}
