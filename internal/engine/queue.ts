/** The events of one WebSocket client, handled one at a time and in order. */

interface Task {
  /** Bytes that it holds while it waits. */
  readonly cost: number;
  run(): unknown;
}

/** Runs each task at once, unless a promise of an earlier one is pending: then it waits for its turn. */
export class Queue {
  /** Undefined while no promise is pending. */
  #waiting: Task[] | undefined;
  /** Bytes that wait. */
  #cost = 0;

  /** Whether a task would have to wait. */
  get isBusy(): boolean {
    return this.#waiting !== undefined;
  }

  /**
   * Whether there is room for another task to wait.
   *
   * @param limit The most bytes that may wait
   */
  hasRoomFor(cost: number, limit: number): boolean {
    return this.#cost + cost <= limit;
  }

  /** Runs a task when its turn comes. Its promise must not reject. */
  run(run: () => unknown, cost = 0): void {
    if (this.#waiting) {
      this.#cost += cost;
      this.#waiting.push({ cost, run });
      return;
    }
    const result = run();
    if (result instanceof Promise) {
      this.#waiting = [];
      void this.#drain(result);
    }
  }

  /** Drops the tasks that wait, except the last ones. */
  drop(kept: number): void {
    if (this.#waiting) this.#waiting = kept === 0 ? [] : this.#waiting.slice(-kept);
  }

  async #drain(first: Promise<unknown>): Promise<void> {
    await first;
    for (let task = this.#waiting?.shift(); task; task = this.#waiting?.shift()) {
      this.#cost -= task.cost;
      await task.run();
    }
    this.#waiting = undefined;
    this.#cost = 0;
  }
}
