/** How often messages of one kind are printed. */

/** Messages of one kind that are printed at once, and different texts of one kind. */
const BURST = 5;
/** Milliseconds until the next one after that; they double each time, up to a limit. */
const FIRST_PAUSE = 10_000;
const LONGEST_PAUSE = 600_000;
/** Milliseconds until one with a different text. */
const OTHER_PAUSE = 1_000;

interface Kind {
  printed: number;
  /** The first different texts, as many as are printed at once. */
  readonly texts: Set<string>;
  /** The text that was printed last. */
  last: string | undefined;
  /** When it was printed, in milliseconds of `performance.now()`. */
  lastTime: number;
  /** From when on the next one may be printed in any case. */
  next: number;
  pause: number;
  dropped: number;
}

/** Limits how often messages of one kind are printed, so that a flood of one kind does not hide the others. */
export class Throttle {
  readonly #kinds = new Map<string, Kind>();

  /**
   * Whether a message may be printed: if so, how many of its kind were left out since the last one; if not, undefined.
   *
   * @param kind Must not come from a client, since each kind is remembered
   * @param text One that differs from the last one is printed sooner
   * @param repeats Whether a text may be repeated among the first of its kind
   */
  admit(kind: string, text = "", repeats = true): number | undefined {
    const now = performance.now();
    let state = this.#kinds.get(kind);
    if (state === undefined || now > state.next + LONGEST_PAUSE) {
      const dropped = state?.dropped ?? 0;
      state = {
        printed: 0,
        texts: new Set(),
        last: undefined,
        lastTime: -Infinity,
        next: now,
        pause: FIRST_PAUSE,
        dropped,
      };
      this.#kinds.set(kind, state);
    }
    const isOther = text !== state.last;
    const isUnknown = state.texts.size < BURST && !state.texts.has(text);
    const isNew = isUnknown || (state.printed < BURST && (isOther || repeats)) ||
      (isOther && now >= state.lastTime + OTHER_PAUSE);
    if (!isNew && now < state.next) {
      state.dropped++;
      return undefined;
    }
    state.printed++;
    if (isUnknown) state.texts.add(text);
    state.last = text;
    state.lastTime = now;
    state.next = now + state.pause;
    if (!isNew) state.pause = Math.min(state.pause * 2, LONGEST_PAUSE);
    const { dropped } = state;
    state.dropped = 0;
    return dropped;
  }

  /** Returns how many messages were left out without a later message saying so, and resets that count. */
  takeDropped(): number {
    let dropped = 0;
    for (const kind of this.#kinds.values()) {
      dropped += kind.dropped;
      kind.dropped = 0;
    }
    return dropped;
  }

  reset(): void {
    this.#kinds.clear();
  }
}
