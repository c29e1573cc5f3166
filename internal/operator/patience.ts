/** Waiting for files, for no longer than a stop can wait. */

/** Waits for files until a stop has lost its patience. */
export class Patience {
  /** Stops that are still queued and have lost their patience. */
  #lost = 0;
  #interrupt = () => {};

  /**
   * Starts the patience of a stop that is queued behind other changes. When it is over, nothing waits for files any more.
   *
   * @returns To be disposed of when it is the stop's turn
   */
  limit(milliseconds: number): Disposable {
    let lost = false;
    const timer = setTimeout(() => {
      lost = true;
      this.#lost++;
      this.#interrupt();
    }, milliseconds);
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        if (lost) this.#lost--;
      },
    };
  }

  /**
   * Waits for files that are being read.
   *
   * @param discard Called with what was read if it comes too late
   * @throws {Error} (rejects) If a stop has lost its patience
   */
  async wait<Value>(reading: Promise<Value>, discard: (value: Value) => unknown): Promise<Value> {
    const { promise: interrupted, reject } = Promise.withResolvers<never>();
    let late = false;
    this.#interrupt = () => {
      late = true;
      reject(new Error("The server was stopped before its files were read"));
    };
    if (this.#lost > 0) this.#interrupt();
    reading.then((value) => late && discard(value)).catch(() => {});
    try {
      return await Promise.race([interrupted, reading]);
    } finally {
      this.#interrupt = () => {};
    }
  }
}
