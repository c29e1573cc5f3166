/** A promise that knows whether somebody waits for it. */

/** Ends like the promise that it is made of, and may be left alone: no rejection of it goes unhandled. */
export class ObservedPromise<Value> extends Promise<Value> {
  #isObserved = false;

  /** What `then` returns is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * @param promise Makes the promise. It gets a function that says whether somebody waits: of an `await`, one turn of the event loop later
   */
  static of<Value>(promise: (isObserved: () => boolean) => Promise<Value>): ObservedPromise<Value> {
    const inner = promise(() => observed.#isObserved);
    const observed = new ObservedPromise<Value>((resolve, reject) => void inner.then(resolve, reject));
    // Not by the method below, since this is not somebody who waits.
    Promise.prototype.then.call(observed, undefined, () => {});
    return observed;
  }

  override then<Result = Value, Other = never>(
    fulfilled?: ((value: Value) => Result | PromiseLike<Result>) | null,
    rejected?: ((reason: unknown) => Other | PromiseLike<Other>) | null,
  ): Promise<Result | Other> {
    this.#isObserved = true;
    return super.then(fulfilled, rejected);
  }
}
