/** The queue of changes: each one starts when the one before has ended. */

import { flushConsole } from "./console.ts";

/** Milliseconds that the console gets after each change to print what was logged. */
const FLUSH = 200;
/**
 * A callback may try again at each failure, for ever. So each failed change is followed by a pause: one turn of the event loop
 * at least, which leaves requests their turn, and this many milliseconds if failures have been more frequent than that.
 */
const PACE = 50;
/** This many failures at once are not paced, so that a few mistakes in a row hold up nobody. */
const FREE = 20;

/** A queue of changes. */
export class Transitions {
  readonly #report: (error: unknown, name: string, isTold: boolean) => void;
  #last: Promise<unknown> = Promise.resolve();
  /** When the past failures would have ended, had they come at the pace. */
  #paced = 0;
  /** When the next change may start. */
  #resume = 0;

  /** @param report Called with the error and the name of each change that fails, and whether somebody waits for it */
  constructor(report: (error: unknown, name: string, isTold: boolean) => void) {
    this.#report = report;
  }

  /** Queues a change. Its rejection is handled here too, so that callers need not await it. */
  add(name: string, change: () => Promise<void>, isObserved = () => false): Promise<void> {
    return this.addQuietly(async () => {
      const pause = this.#resume - performance.now();
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        await change();
      } catch (error) {
        this.#pause();
        // An `await` of the promise comes a turn later than the call.
        await new Promise((resolve) => setTimeout(resolve, 0));
        this.#report(error, name, isObserved());
        throw error;
      } finally {
        await flushConsole(FLUSH);
      }
    });
  }

  /** Queues a change that is not reported if it fails, and waits for no pause. */
  addQuietly<Value>(change: () => Value | Promise<Value>): Promise<Value> {
    const result = this.#last.then(change);
    this.#last = result.catch(() => {});
    return result;
  }

  #pause(): void {
    const now = performance.now();
    this.#paced = Math.max(this.#paced, now) + PACE;
    this.#resume = Math.max(now + 1, this.#paced - FREE * PACE);
  }
}
