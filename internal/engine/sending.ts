/** Sends the bodies of answers piece by piece, so that a client that reads nothing can be dropped, and a stop can end an endless stream. */

import { free, keepFreedMemory } from "./deno.ts";
import type { Settings } from "./limits.ts";

/**
 * Piece size in bytes. Smaller pieces hurt throughput; larger ones keep more in memory for each slow client.
 */
const PIECE = 64 * 1024;
/** How much of a Blob is read at once, in bytes. Smaller sections cost several times as much. */
const SECTION = 256 * 1024;
/** The most bytes of UTF-8 for one unit of UTF-16. */
const LONGEST = 3;
/** Milliseconds between two checks of the bodies under way. */
const CHECK_INTERVAL = 500;

type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();

/** The text for the next piece, if it is ASCII; of any other text, only the start fits. Never ends between the halves of a surrogate pair. */
function charactersFrom(text: string, start: number): string {
  let end = Math.min(start + PIECE, text.length);
  const last = text.charCodeAt(end - 1);
  if (end < text.length && last >= 0xd800 && last < 0xdc00) end--;
  return text.slice(start, end);
}

/** The bytes of a Blob, read in sections. The stream of the whole Blob would copy all of it at once. */
async function* sectionsOf(blob: Blob): AsyncGenerator<Bytes, undefined> {
  for (let start = 0; start < blob.size; start += SECTION) yield* blob.slice(start, start + SECTION).stream();
  return undefined;
}

/** Who gets an answer. */
export interface Recipient {
  /** The address of the client. */
  readonly client: string;
  /** Whether only Deno reads the answer. A piece is then no longer needed when the next one is asked for. */
  readonly isReadByDeno: boolean;
}

/** A body under way. */
interface Sending {
  /** The address of the client. */
  readonly client: string;
  /** Checks since the last piece was handed to the client; undefined once it asks for the next one. */
  looks: number | undefined;
  /** Fails the answer, and cancels the source. */
  fail(error: unknown): void;
  /** Ends the answer as if the source had ended. */
  end(): void;
}

/** The error of an answer that its client does not read. Deno reports it only when that client reads again or leaves. */
export class Stalled extends Error {
  override name = "Stalled";
}

/** The bodies that one run sends. */
export class Sendings {
  readonly #settings: Settings;
  readonly #stalled: (client: string) => void;
  readonly #all = new Set<Sending>();
  /** Those that never end by themselves. */
  readonly #endless = new Set<Sending>();
  #checks: ReturnType<typeof setInterval> | undefined;

  /** @param stalled Called for each client that is dropped because it made no progress for `idleTimeout` */
  constructor(settings: Settings, stalled: (client: string) => void) {
    this.#settings = settings;
    this.#stalled = stalled;
  }

  /** Sends bytes. They are not copied, so changing the buffer before it has been sent changes the answer. */
  bytes(bytes: Bytes, to: Recipient): ReadableStream<Bytes> {
    const left = [bytes];
    return this.#stream(to, { next: () => left.pop() });
  }

  /**
   * Sends text as UTF-8, encoded piece by piece: a slow client costs one piece, not a second copy.
   *
   * @param bounds The first byte to send, and the one behind the last
   */
  text(text: string, to: Recipient, [first, end]: readonly [number, number] = [0, Infinity]): ReadableStream<Bytes> {
    let at = 0;
    let index = 0;
    return this.#stream(to, {
      isOwn: true,
      next() {
        while (at < end && index < text.length) {
          const characters = charactersFrom(text, index);
          if (at < first) {
            // What lies before the part is only counted, which takes a third of the time.
            const length = Buffer.byteLength(characters);
            if (at + length <= first) {
              at += length;
              index += characters.length;
              continue;
            }
          }
          const piece = new Uint8Array(Math.min(PIECE, LONGEST * (text.length - index)));
          const { read, written } = encoder.encodeInto(characters, piece);
          const start = at;
          at += written;
          index += read;
          if (at > first) return piece.subarray(Math.max(0, first - start), Math.min(written, end - start));
        }
        return undefined;
      },
    });
  }

  /** Sends a Blob, read section by section. */
  blob(blob: Blob, to: Recipient): ReadableStream<Bytes> {
    // A program's own kind of Blob may have its bytes elsewhere, and keep them.
    if (blob.stream !== Blob.prototype.stream) return this.stream(blob.stream(), to);
    const sections = sectionsOf(blob);
    return this.#stream(to, {
      isOwn: true,
      next: async () => (await sections.next()).value,
      cancel: () => void sections.return(undefined),
    });
  }

  /**
   * Sends a stream.
   *
   * @param endless Whether a stop ends it
   */
  stream(source: ReadableStream, to: Recipient, endless = false): ReadableStream<Bytes> {
    const reader: ReadableStreamDefaultReader<unknown> = source.getReader();
    return this.#stream(to, {
      async next() {
        const { done, value } = await reader.read();
        if (done) return undefined;
        if (value instanceof Uint8Array) return value as Bytes;
        throw new TypeError("Cannot send the stream: it has a chunk that is not a Uint8Array");
      },
      // Ends the read under way too, whatever the source does.
      cancel: (reason) => void reader.cancel(reason).catch(() => {}),
    }, endless);
  }

  /** Ends the streams that never end by themselves. */
  end(): void {
    for (const sending of this.#endless) sending.end();
  }

  #stream(to: Recipient, source: Source, endless = false): ReadableStream<Bytes> {
    const sending: Sending = {
      client: to.client,
      looks: undefined,
      fail: (error) => {
        this.#forget(sending);
        source.cancel?.(error);
        controller.error(error);
      },
      end: () => {
        this.#forget(sending);
        source.cancel?.("The server is stopping");
        controller.close();
      },
    };
    let controller: ReadableStreamDefaultController<Bytes>;
    let begun = false;
    const frees = to.isReadByDeno && source.isOwn;
    /** What the source gave last, and what is left of it. */
    let given: Bytes | undefined;
    let rest: Bytes | undefined;
    const give = (bytes: Bytes | undefined) => {
      // It failed or ended while the source was being read.
      if (!this.#all.has(sending)) return;
      if (frees && given && given.buffer !== bytes?.buffer) free(given.buffer);
      given = bytes;
      if (bytes === undefined) {
        this.#forget(sending);
        controller.close();
      } else if (bytes.buffer.detached || (bytes === rest && bytes.length === 0)) {
        sending.fail(
          new TypeError("The bytes of the answer were transferred, or cut by `resize()`, before they were sent"),
        );
      } else {
        const isLarge = bytes.length > PIECE;
        rest = isLarge ? bytes.subarray(PIECE) : undefined;
        controller.enqueue(isLarge ? bytes.subarray(0, PIECE) : bytes);
        sending.looks = 0;
      }
    };
    return new ReadableStream<Bytes>({
      start: (own) => {
        controller = own;
      },
      pull: (): Promise<void> | undefined => {
        if (!begun) {
          begun = true;
          this.#add(sending, endless);
        }
        sending.looks = undefined;
        if (rest) return void give(rest);
        let next;
        try {
          next = source.next();
          if (!(next instanceof Promise)) return void give(next);
        } catch (error) {
          return void sending.fail(error);
        }
        return next.then(give, sending.fail);
      },
      cancel: (reason) => {
        this.#forget(sending);
        source.cancel?.(reason);
      },
    }, { highWaterMark: 0 });
  }

  #add(sending: Sending, endless: boolean): void {
    keepFreedMemory();
    this.#all.add(sending);
    if (endless) this.#endless.add(sending);
    this.#checks ??= this.#startChecks();
  }

  #forget(sending: Sending): void {
    this.#all.delete(sending);
    this.#endless.delete(sending);
    if (this.#all.size > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
  }

  #startChecks(): ReturnType<typeof setInterval> {
    const checks = setInterval(() => this.#check(), CHECK_INTERVAL);
    Deno.unrefTimer(checks);
    return checks;
  }

  #check(): void {
    const idleTimeout = this.#settings.limits.idleTimeout * 1000;
    for (const sending of this.#all) {
      // Counts checks, not time: while a callback blocks the process, no client can read anything.
      if (idleTimeout === 0 || sending.looks === undefined || ++sending.looks * CHECK_INTERVAL <= idleTimeout) continue;
      sending.fail(new Stalled("The client did not read its answer"));
      this.#stalled(sending.client);
    }
  }
}

/** Where the bytes come from. */
interface Source {
  /** Whether nobody else has the bytes that it gives. */
  readonly isOwn?: boolean;
  /** The next bytes, or undefined at the end. */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
  cancel?(reason: unknown): void;
}
