/** Numbers that look random, and are the same for the same seed. */

/** A generator of numbers (xorshift by Marsaglia, 32 bits). */
export class Random {
  #state: number;

  /** @param index Tells the generators of one seed apart, so that each case can be made again alone */
  constructor(seed: number, index: number) {
    // Neighbours must not resemble each other, and the state must not be 0.
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) || 1;
    for (let turn = 0; turn < 8; turn++) this.#next();
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (this.#state = state) >>> 0;
  }

  /** An integer from 0 up to, but without, a limit. */
  below(limit: number): number {
    return this.#next() % Math.floor(limit);
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** One of some values. */
  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }
}
