/** The bytes of a body as they arrive, made one buffer with as little copying as possible. */

import { free } from "./deno.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Sizes of the blocks into which chunks are copied, in bytes: of the first one, and at most. */
const FIRST_BLOCK = 1024;
const LARGEST_BLOCK = 1024 * 1024;
/** Once this share of the announced length has arrived, memory is taken for all of it. An announcement alone costs nothing. */
const SHARE = 1 / 8;
/** The most that is read into that memory at once, in bytes. */
const ROOM = 512 * 1024;

/** The chunks of one body. */
export class Chunks {
  readonly #announced: number;
  readonly #claim: (bytes: number) => void;
  /** Blocks that are full. */
  readonly #blocks: Bytes[] = [];
  #size = 0;
  /** The block that is being filled, and how far. */
  #block: Bytes = new Uint8Array(0);
  #filled = 0;
  /** Whether that block has room for all that was announced. */
  #isWhole = false;

  /**
   * @param announced The length of the body, if it is known
   * @param claim Called with the number of bytes before they are kept
   */
  constructor(announced: number | undefined, claim: (bytes: number) => void) {
    this.#announced = announced ?? 0;
    this.#claim = claim;
  }

  /** Room for the next chunk in the buffer of the whole body, if that exists already. A chunk that is read into it need not be copied. */
  room(): Bytes | undefined {
    if (!this.#isWhole || this.#size >= this.#announced) return undefined;
    return this.#block.subarray(this.#filled, this.#filled + ROOM);
  }

  /** Adds a chunk, which is copied, unless it was read into `room()`. */
  add(chunk: Bytes): void {
    if (this.#block.buffer.detached) {
      // The reader took the buffer, and has returned it as the buffer of this chunk.
      this.#block = new Uint8Array(chunk.buffer);
      this.#filled += chunk.length;
      this.#size += chunk.length;
      return;
    }
    const size = this.#size + chunk.length;
    if (!this.#isWhole && size <= this.#announced && size >= SHARE * this.#announced) this.#makeWhole();
    if (!this.#isWhole || size > this.#announced) this.#claim(chunk.length);
    if (this.#filled + chunk.length > this.#block.length) this.#startBlock(chunk.length);
    this.#block.set(chunk, this.#filled);
    this.#filled += chunk.length;
    this.#size = size;
  }

  /** Makes one block for the whole body. */
  #makeWhole(): void {
    this.#claim(this.#announced - this.#size);
    const whole = new Uint8Array(this.#announced);
    this.#moveTo(whole);
    this.#block = whole;
    this.#filled = this.#size;
    this.#isWhole = true;
  }

  #startBlock(least: number): void {
    const next = Math.min(Math.max(FIRST_BLOCK, 2 * this.#block.length), LARGEST_BLOCK);
    this.#endBlock();
    this.#block = new Uint8Array(Math.max(next, least));
    this.#filled = 0;
  }

  #endBlock(): void {
    if (this.#filled > 0) this.#blocks.push(this.#block.subarray(0, this.#filled));
  }

  #moveTo(target: Bytes): void {
    this.#endBlock();
    let at = 0;
    for (const block of this.#blocks) {
      target.set(block, at);
      at += block.length;
      free(block.buffer);
    }
    this.#blocks.length = 0;
  }

  /** All chunks, in a buffer that holds nothing else. Nothing can be added after that. */
  joined(): Bytes {
    if (this.#blocks.length === 0 && this.#filled === this.#block.length) return this.#block;
    const data = new Uint8Array(this.#size);
    this.#moveTo(data);
    return data;
  }
}
