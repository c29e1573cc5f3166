/** Abandons work that takes too long, with one timer for all of it: a timer for each would cost more than a request does. */

/** Ticks from the start to the deadline. Work is abandoned less than one tick late. */
const TICKS = 8;

/** When some work last made progress: work that makes progress is not abandoned. */
export interface Progress {
  tick: number;
}

/** Pending work. */
interface Pending {
  readonly progress: Progress;
  /** From the last progress to the deadline. */
  readonly ticks: number;
  giveUp(atOnce: boolean): void;
}

/** Deadlines of one kind, which all allow the same time. */
export class Deadlines {
  readonly #seconds: () => number;
  readonly #pending = new Set<Pending>();
  #tick = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param seconds Returns how many seconds work may take at present; 0 is no limit */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /** A record of progress that starts now. */
  progress(): Progress {
    return { tick: this.#tick };
  }

  /** Records progress. */
  moved(progress: Progress): void {
    progress.tick = this.#tick;
  }

  /**
   * Abandons some work if it neither ends nor makes progress in time.
   *
   * @param giveUp Abandons it; gets whether its time was cut short
   * @returns A function to call when the work ends
   */
  add(giveUp: (atOnce: boolean) => void, progress = this.progress(), ticks = TICKS + 1): () => void {
    const pending = { progress, ticks, giveUp };
    this.#pending.add(pending);
    this.#schedule();
    return () => this.#pending.delete(pending);
  }

  /**
   * The value of a promise, or the one that `late` returns if the promise does not settle in time.
   *
   * @param late Gets whether the time was cut short
   * @param failed Turns a rejection in time into a value
   * @param discard Gets a value that comes too late
   */
  race<Value, Late>(
    promise: Promise<Value>,
    late: (atOnce: boolean) => Late,
    failed: (error: unknown) => Late,
    discard: (value: Value) => void,
    progress?: Progress,
  ): Promise<Value | Late> {
    return new Promise((resolve) => {
      let given = false;
      const end = this.add(
        (atOnce) => {
          given = true;
          resolve(late(atOnce));
        },
        progress,
        // The work that makes this progress has a deadline too, which must come first.
        progress === undefined ? undefined : TICKS + 2,
      );
      promise.then((value) => {
        end();
        if (given) discard(value);
        else resolve(value);
      }, (error) => {
        end();
        if (!given) resolve(failed(error));
      });
    });
  }

  /** Abandons everything that is pending now, and clears the timer. */
  giveUpAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const pending of this.#pending) {
      this.#pending.delete(pending);
      pending.giveUp(true);
    }
  }

  #schedule(): void {
    const seconds = this.#seconds();
    if (this.#timer !== undefined || seconds === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#check(++this.#tick);
      if (this.#pending.size > 0) this.#schedule();
    }, seconds * 1000 / TICKS);
    // The pending work keeps the process alive by itself.
    Deno.unrefTimer(this.#timer);
  }

  #check(tick: number): void {
    if (this.#seconds() === 0) return;
    for (const pending of this.#pending) {
      if (pending.progress.tick + pending.ticks > tick) continue;
      this.#pending.delete(pending);
      pending.giveUp(false);
    }
  }
}
