/** Sends the bodies of answers piece by piece, so that a client that reads nothing can be dropped, and a stop can end an endless stream. */

import type { Settings } from "./limits.ts";

/**
 * Piece size in bytes. Smaller pieces hurt throughput; larger ones keep more in memory for each slow client.
 */
const PIECE = 64 * 1024;
/** Milliseconds between two checks of the bodies under way. */
const CHECK_INTERVAL = 500;

type Bytes = Uint8Array<ArrayBuffer>;

/** A text in pieces of about the size of `PIECE` in bytes, which never end in the middle of a character. */
function* piecesOf(text: string): Generator<string, undefined> {
  // The number of characters, if those of many bytes are spread evenly over the text.
  const count = Math.ceil(PIECE * text.length / Buffer.byteLength(text));
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + count, text.length);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end--;
    yield text.slice(start, end);
    start = end;
  }
  return undefined;
}

/** A body under way. */
interface Sending {
  /** The address of the client. */
  readonly client: string;
  /** Checks since the last piece was handed to the client; undefined once it asks for the next one. */
  looks: number | undefined;
  /** Fails the answer, and cancels the source. */
  fail(error: Error): void;
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
  bytes(bytes: Bytes, client: string): ReadableStream<Bytes> {
    let sent = 0;
    return this.#stream(client, {
      next() {
        if (bytes.buffer.detached) {
          throw new TypeError("The bytes of `response.data` were transferred before they were sent");
        }
        if (sent === bytes.length) return undefined;
        const piece = bytes.subarray(sent, sent + PIECE);
        sent += piece.length;
        return piece;
      },
    });
  }

  /**
   * Sends text as UTF-8, encoded piece by piece: a slow client costs one piece, not a second copy.
   *
   * @param bounds The first byte to send, and the one behind the last
   */
  text(text: string, client: string, [first, end]: readonly [number, number] = [0, Infinity]): ReadableStream<Bytes> {
    const pieces = piecesOf(text);
    let at = 0;
    return this.#stream(client, {
      next() {
        while (at < end) {
          const { value: piece } = pieces.next();
          if (piece === undefined) return undefined;
          const start = at;
          at += Buffer.byteLength(piece);
          if (at <= first) continue;
          // Beyond ASCII, it takes half the time of a TextEncoder.
          return Buffer.from(piece).subarray(Math.max(0, first - start), end - start);
        }
        return undefined;
      },
    });
  }

  /**
   * Sends a stream.
   *
   * @param endless Whether a stop ends it
   */
  stream(source: ReadableStream, client: string, endless = false): ReadableStream<Bytes> {
    const reader: ReadableStreamDefaultReader<Bytes> = source.getReader();
    let rest: Bytes | undefined;
    return this.#stream(client, {
      async next() {
        if (rest === undefined || rest.length === 0) {
          const { done, value } = await reader.read();
          if (done) return undefined;
          rest = value;
        }
        // A piece of another type fails when it is sent.
        if (!(rest instanceof Uint8Array) || rest.length <= PIECE) {
          const piece = rest;
          rest = undefined;
          return piece;
        }
        const piece = rest.subarray(0, PIECE);
        rest = rest.subarray(PIECE);
        return piece;
      },
      // Ends the read under way too, whatever the source does.
      cancel: (reason) => void reader.cancel(reason).catch(() => {}),
    }, endless);
  }

  /** Ends the streams that never end by themselves. */
  end(): void {
    for (const sending of this.#endless) sending.end();
  }

  #stream(client: string, source: Source, endless = false): ReadableStream<Bytes> {
    const sending: Sending = {
      client,
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
    const give = (piece: Bytes | undefined) => {
      // It failed or ended while the source was being read.
      if (!this.#all.has(sending)) return;
      if (piece === undefined) {
        this.#forget(sending);
        controller.close();
      } else {
        controller.enqueue(piece);
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
        let piece;
        try {
          piece = source.next();
          if (!(piece instanceof Promise)) return void give(piece);
        } catch (error) {
          this.#forget(sending);
          throw error;
        }
        return piece.then(give, (error) => {
          this.#forget(sending);
          throw error;
        });
      },
      cancel: (reason) => {
        this.#forget(sending);
        source.cancel?.(reason);
      },
    }, { highWaterMark: 0 });
  }

  #add(sending: Sending, endless: boolean): void {
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

/** Where the pieces come from. */
interface Source {
  /** The next piece, or undefined at the end. */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
  cancel?(reason: unknown): void;
}
