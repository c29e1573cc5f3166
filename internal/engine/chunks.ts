/** The chunks of a body, kept without the large buffers that they may arrive in. */

/** Sizes of the blocks into which small chunks are copied, in bytes: of the first one, and at most. */
const FIRST_BLOCK = 1024;
const LARGEST_BLOCK = 64 * 1024;

/** The chunks of a body. Deno delivers views of 64 KiB buffers, so small chunks are copied and large ones are kept. */
export class Chunks {
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  /** The block that is being filled, and how far. */
  #block: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;

  add(chunk: Uint8Array<ArrayBuffer>): void {
    this.#size += chunk.length;
    if (2 * chunk.length >= chunk.buffer.byteLength) {
      this.#endBlock();
      this.#blocks.push(chunk);
      return;
    }
    if (this.#block === undefined || this.#filled + chunk.length > this.#block.length) {
      const next = Math.min(2 * (this.#block?.length ?? FIRST_BLOCK / 2), LARGEST_BLOCK);
      this.#endBlock();
      this.#block = new Uint8Array(Math.max(next, chunk.length));
    }
    this.#block.set(chunk, this.#filled);
    this.#filled += chunk.length;
  }

  #endBlock(): void {
    if (this.#block) this.#blocks.push(this.#block.subarray(0, this.#filled));
    this.#block = undefined;
    this.#filled = 0;
  }

  /** All chunks, in a buffer that holds nothing else. */
  joined(): Uint8Array<ArrayBuffer> {
    this.#endBlock();
    const [first] = this.#blocks;
    if (first !== undefined && first.length === this.#size && first.buffer.byteLength === this.#size) return first;
    const data = new Uint8Array(this.#size);
    let at = 0;
    for (const block of this.#blocks) {
      data.set(block, at);
      at += block.length;
    }
    return data;
  }
}
