/** Bodies of answers on their way out, piece by piece: a client that takes nothing is dropped, and a stop can end what has no end. */

import type { Settings } from "./limits.ts";

/**
 * Bytes of a piece. Smaller pieces cost throughput, and of larger ones more waits for each client that is slow.
 */
const PIECE = 64 * 1024;
/** Milliseconds between two looks at what is under way. */
const CHECK_INTERVAL = 500;

type Bytes = Uint8Array<ArrayBuffer>;

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

/** A body under way. */
interface Sending {
  /** Looks at it since the client was given its last piece, while it has not asked for the next one. */
  looks: number | undefined;
  /** Fails the answer, and cancels the source. */
  fail(error: Error): void;
  /** Ends the answer as if the source had ended. */
  end(): void;
}

/** Why an answer fails whose client takes nothing. Deno tells of it only when that client moves or leaves. */
export class Stalled extends Error {
  override name = "Stalled";
}

/** The bodies that one run sends. */
export class Sendings {
  readonly #settings: Settings;
  readonly #stalled: () => void;
  readonly #all = new Set<Sending>();
  /** Those that have no end of their own. */
  readonly #endless = new Set<Sending>();
  #checks: ReturnType<typeof setInterval> | undefined;

  /** @param stalled Called for each client that is dropped, since it made no progress for `idleTimeout` */
  constructor(settings: Settings, stalled: () => void) {
    this.#settings = settings;
    this.#stalled = stalled;
  }

  /** Sends bytes. They are not copied: what happens to the buffer before its end is sent happens to the answer. */
  bytes(bytes: Bytes): ReadableStream<Bytes> {
    let sent = 0;
    return this.#stream({
      next() {
        if (bytes.buffer.detached) {
          throw new TypeError("The bytes of `response.data` were given away before they were sent");
        }
        if (sent === bytes.length) return undefined;
        const piece = bytes.subarray(sent, sent + PIECE);
        sent += piece.length;
        return piece;
      },
    });
  }

  /** Sends text as UTF-8, encoded piece by piece: a client that is slow holds one piece, not a second copy. */
  text(text: string): ReadableStream<Bytes> {
    // Characters of a piece, if those with many bytes are spread evenly over the text.
    const count = Math.ceil(PIECE * text.length / Buffer.byteLength(text));
    let sent = 0;
    return this.#stream({
      next() {
        if (sent === text.length) return undefined;
        const start = sent;
        sent = Math.min(start + count, text.length);
        // Never only the first half of a character.
        if (sent < text.length && isHighSurrogate(text.charCodeAt(sent - 1))) sent--;
        // Beyond ASCII, it takes half the time of a TextEncoder.
        return Buffer.from(text.slice(start, sent));
      },
    });
  }

  /**
   * Sends a stream.
   *
   * @param endless Whether a stop ends it
   */
  stream(source: ReadableStream, endless: boolean): ReadableStream<Bytes> {
    const reader: ReadableStreamDefaultReader<Bytes> = source.getReader();
    let rest: Bytes | undefined;
    return this.#stream({
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

  /** Ends what has no end of its own. */
  end(): void {
    for (const sending of this.#endless) sending.end();
  }

  #stream(source: Source, endless = false): ReadableStream<Bytes> {
    const sending: Sending = {
      looks: undefined,
      fail: (error) => {
        this.#forget(sending);
        source.cancel?.(error);
        controller.error(error);
      },
      end: () => {
        this.#forget(sending);
        source.cancel?.("The server stops");
        controller.close();
      },
    };
    let controller: ReadableStreamDefaultController<Bytes>;
    let begun = false;
    const give = (piece: Bytes | undefined) => {
      // It failed or ended while the source was asked.
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
      // By looks and not by a clock: while a callback blocks the process, no client can take anything.
      if (idleTimeout === 0 || sending.looks === undefined || ++sending.looks * CHECK_INTERVAL <= idleTimeout) continue;
      sending.fail(new Stalled("The client took nothing of its answer"));
      this.#stalled();
    }
  }
}

/** Where the pieces come from. */
interface Source {
  /** The next piece, or undefined at the end. */
  next(): Bytes | undefined | Promise<Bytes | undefined>;
  cancel?(reason: unknown): void;
}
