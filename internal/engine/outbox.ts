/** What waits to be sent to one WebSocket client, and what it costs. */

import { MESSAGE_COST } from "./deno.ts";

/** What may be sent. */
export type Message = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** Messages of a batch. The socket tells bytes only, so the number of messages that wait is known to within one batch. */
const BATCH = 256;
/**
 * Empty messages that count as sent at each look at the connection: the socket tells nothing of them. A client that gets other messages
 * too is never affected.
 */
const EMPTY_PER_LOOK = 32;
/** Bytes a second: the socket tells of a message when all of it is sent, so a large one has the time that this rate takes. */
const LOWEST_RATE = 64 * 1024;

interface Batch {
  messages: number;
  /** At least. */
  bytes: number;
}

/** The messages on their way to one client. */
export class Outbox {
  readonly #socket: WebSocket;
  /** What waits costs, at most, in bytes. To ask the socket costs a fraction of a send. */
  #cost = 0;
  /** Full ones that may still wait, oldest first. */
  #batches: Batch[] | undefined;
  /** Messages of the one that is being filled, and their bytes at least. */
  #messages = 0;
  #bytes = 0;
  /** Empty messages since the last other one. */
  #empty = 0;
  /** When the client was last seen making progress, in milliseconds as `isStuck()` is told; undefined while nothing waits. */
  #since: number | undefined;
  /** Bytes that waited then, and that have been added since. */
  #unsent = 0;
  #added = 0;
  /** Bytes of the largest message since nothing waited. */
  #largest = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Bytes that wait to be sent. */
  get bytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends a message, unless what waits costs more than a limit. */
  send(data: Message, limit: number): boolean {
    if (this.#cost > limit && this.#settle() > limit) return false;
    const before = this.#since === undefined ? 0 : this.bytes;
    this.#socket.send(data);
    if (this.#since !== undefined) this.#added += this.bytes - before;
    this.#count(data);
    return true;
  }

  /** Whether the client has taken nothing of what waits for some milliseconds, and those that a large message takes. */
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

  /** What waits costs, as far as the socket tells. */
  #settle(): number {
    const unsent = this.bytes;
    let messages;
    if (unsent === 0) {
      // An empty message may wait behind nothing else.
      messages = this.#messages = this.#empty;
      this.#bytes = 0;
      this.#batches = undefined;
    } else {
      const batches = this.#batches ?? [];
      let newer = this.#bytes + batches.reduce((sum, { bytes }) => sum + bytes, 0);
      // What is sent is sent in order: if all that waits fits into newer batches, the oldest one is gone.
      while (batches.length > 0 && newer - batches[0]!.bytes >= unsent) newer -= batches.shift()!.bytes;
      messages = batches.reduce((sum, batch) => sum + batch.messages, this.#messages);
    }
    return this.#cost = unsent + messages * MESSAGE_COST;
  }
}
