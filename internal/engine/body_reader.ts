/** Reading the stream of a request body chunk by chunk. */

import { isMadeByDeno } from "./deno.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Size of the buffers that are used again, in bytes, and how many are kept. */
const BUFFER = 64 * 1024;
const KEPT = 16;

/** Reads the chunks of a body. */
export interface BodyReader {
  /** @param room Where the chunk should go. Its buffer is detached, and becomes the buffer of the chunk */
  read(room?: Bytes): Promise<ReadableStreamReadResult<Bytes>>;
  /** Ends the body, and the read under way. */
  cancel(reason?: unknown): Promise<void>;
}

/** Buffers that the bodies of a run use one after the other. */
export class Buffers {
  readonly #kept: Bytes[] = [];

  take(): Bytes {
    return this.#kept.pop() ?? new Uint8Array(BUFFER);
  }

  giveBack(buffer: Bytes): void {
    if (this.#kept.length < KEPT) this.#kept.push(buffer);
  }
}

/** Reads into one buffer again and again, so a chunk can be used until the next read. A new buffer for each chunk costs twice as much (C10). */
class ReusingReader implements BodyReader {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #buffers: Buffers;
  #buffer: Bytes | undefined;

  constructor(reader: ReadableStreamBYOBReader, buffers: Buffers) {
    this.#reader = reader;
    this.#buffers = buffers;
  }

  async read(room?: Bytes): Promise<ReadableStreamReadResult<Bytes>> {
    if (room) return await this.#reader.read(room);
    const buffer = this.#buffer ?? this.#buffers.take();
    this.#buffer = undefined;
    const result = await this.#reader.read(buffer);
    // A read that was cancelled keeps its buffer.
    if (result.value === undefined) return { done: true };
    const own = new Uint8Array(result.value.buffer);
    if (result.done) this.#buffers.giveBack(own);
    else this.#buffer = own;
    return result;
  }

  // The last chunk may still be in use, so its buffer is left to the garbage collector.
  cancel(reason?: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}

const TAKEN = "Cannot read the body: a function around `fetch` has read it, or is reading it";

/** The original property of a Fetch `Request`, even after `bound()` has replaced it. */
function original<Name extends "body" | "bodyUsed">(name: Name, request: Request): Request[Name] {
  return Object.getOwnPropertyDescriptor(Request.prototype, name)!.get!.call(request);
}

/** The original body of a Fetch `Request`. */
export function bodyOf(request: Request): Request["body"] {
  return original("body", request);
}

/**
 * Reads the body of a request. Null if it has none.
 *
 * @param keeps Whether somebody keeps the chunks, so that each needs a separate buffer
 * @throws {TypeError} If something else has begun to read the body
 */
export function readerOf(request: Request, buffers: Buffers, keeps: boolean): BodyReader | null {
  const stream = bodyOf(request);
  if (stream === null) return null;
  if (stream.locked || original("bodyUsed", request)) throw new TypeError(TAKEN);
  // The stream of a program may forget to answer the last read of a reader with buffers, which then would wait for ever.
  if (keeps || !isMadeByDeno(request)) return stream.getReader();
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    // Deno makes an ordinary stream of a body that has arrived with its head.
    return stream.getReader();
  }
  return new ReusingReader(reader, buffers);
}
