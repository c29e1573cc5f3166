/** Giving up what takes too long, by one timer for all that is pending: a timer for each costs more than a request does. */

/** Ticks from the start to the deadline; what is given up is late by less than one of them. */
const TICKS = 8;

/** When something last moved: what moves is not given up. */
export interface Progress {
  tick: number;
}

/** What is pending. */
interface Pending {
  readonly progress: Progress;
  /** From the last progress to the deadline. */
  readonly ticks: number;
  giveUp(atOnce: boolean): void;
}

/** The deadlines of one kind: all are as far away. */
export class Deadlines {
  readonly #seconds: () => number;
  readonly #pending = new Set<Pending>();
  #tick = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param seconds How long is too long, at the time of the call; 0 is never */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /** A record of progress that starts now. */
  progress(): Progress {
    return { tick: this.#tick };
  }

  /** It moves. */
  moved(progress: Progress): void {
    progress.tick = this.#tick;
  }

  /**
   * Gives something up if it does not end, or move, in time.
   *
   * @param giveUp Gets whether its time was cut short
   * @returns To be called at its end
   */
  add(giveUp: (atOnce: boolean) => void, progress = this.progress(), ticks = TICKS + 1): () => void {
    const pending = { progress, ticks, giveUp };
    this.#pending.add(pending);
    this.#schedule();
    return () => this.#pending.delete(pending);
  }

  /**
   * The value of a promise, or what `late` returns if it has not settled in time.
   *
   * @param late Gets whether its time was cut short
   * @param failed What a rejection in time becomes
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
          // What moves it has its deadline first.
        },
        progress,
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

  /** Gives up all that is pending now, and lets go of the timer. */
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
