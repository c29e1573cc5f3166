/** The limits that the bodies of one run share. */

import { Buffers } from "./body_reader.ts";
import type { Deadlines } from "./deadlines.ts";
import { turns } from "./deno.ts";
import { badRequest } from "./fault.ts";
import type { Settings } from "./limits.ts";

/** Small chunks that are read in one turn of the event loop. They may arrive faster than it turns (H5), and would hold up everything else. */
const SMALL_CHUNKS_PER_TURN = 64;

/** The memory, the buffers and the turns of the event loop for all bodies of a run. */
export class Bodies {
  readonly settings: Settings;
  readonly deadlines: Deadlines;
  readonly buffers = new Buffers();
  /** Whether the run is over, so that no body is read any further. */
  areOver = false;
  /** Bytes in use. */
  #used = 0;
  /** Small chunks that may still be read in this turn. */
  #smallChunks = SMALL_CHUNKS_PER_TURN;
  #turn: Promise<void> | undefined;

  constructor(settings: Settings, deadlines: Deadlines) {
    this.settings = settings;
    this.deadlines = deadlines;
  }

  /** @throws {Error} 503 if there is not enough memory left */
  claim(bytes: number): void {
    if (this.#used + bytes > this.settings.limits.maxBodyMemory) {
      throw badRequest("Too many request bodies are in memory", 503);
    }
    this.#used += bytes;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }

  /** Waits for a turn of the event loop in which another small chunk may be read. */
  async admitSmallChunk(): Promise<void> {
    while (this.#smallChunks === 0) {
      await (this.#turn ??= turns().then(() => {
        this.#smallChunks = SMALL_CHUNKS_PER_TURN;
        this.#turn = undefined;
      }));
    }
    this.#smallChunks--;
  }
}
