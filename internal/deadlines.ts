/** Giving up what takes too long, by one timer for all that is pending: a timer each costs more than a request does. */

/** Ticks from the start to the deadline; what is given up is late by less than one of them. */
const TICKS = 8;

/** What is pending. */
interface Pending {
  /** The tick at which it is given up. */
  readonly due: number;
  giveUp(atOnce: boolean): void;
}

/** The deadlines of one kind: all are as far away. */
export class Deadlines {
  readonly #seconds: () => number;
  readonly #pending = new Set<Pending>();
  #tick = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param seconds How long is too long, as it stands at the time; 0 is never */
  constructor(seconds: () => number) {
    this.#seconds = seconds;
  }

  /**
   * What the promise comes to, or what `late` returns if it has not settled in time. What comes after that is ignored.
   *
   * @param late Gets whether its time was cut short
   * @param failed What a rejection in time comes to; without it, to a rejection
   */
  race<Value, Late>(
    promise: Promise<Value>,
    late: (atOnce: boolean) => Late,
    failed?: (error: unknown) => Late,
  ): Promise<Value | Late> {
    return new Promise((resolve, reject) => {
      const due = this.#seconds() === 0 ? Infinity : this.#tick + TICKS + 1;
      const pending: Pending = { due, giveUp: (atOnce) => resolve(late(atOnce)) };
      this.#pending.add(pending);
      this.#schedule();
      promise.then((value) => {
        this.#pending.delete(pending);
        resolve(value);
      }, (error) => {
        if (!this.#pending.delete(pending)) return;
        if (failed) resolve(failed(error));
        else reject(error);
      });
    });
  }

  /** Gives up all that is pending now, and lets go of the timer. */
  giveUpAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#giveUp(Infinity);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#seconds() === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#giveUp(++this.#tick);
      if (this.#pending.size > 0) this.#schedule();
    }, this.#seconds() * 1000 / TICKS);
    // What is pending has something of its own that keeps the process.
    Deno.unrefTimer(this.#timer);
  }

  #giveUp(tick: number): void {
    for (const pending of this.#pending) {
      if (pending.due > tick) continue;
      this.#pending.delete(pending);
      pending.giveUp(tick === Infinity);
    }
  }
}
