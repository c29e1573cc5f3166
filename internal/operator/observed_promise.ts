/** A promise that knows whether somebody waits for it. */

/** Settles like the promise that it is made from. Nobody has to await it: its rejection is always handled. */
export class ObservedPromise<Value> extends Promise<Value> {
  #isObserved = false;

  /** What `then` returns is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * @param promise Makes the promise. It gets a function that tells whether somebody waits, from one turn of the event loop after the call on
   */
  static of<Value>(promise: (isObserved: () => boolean) => Promise<Value>): ObservedPromise<Value> {
    const inner = promise(() => observed.#isObserved);
    const observed = new ObservedPromise<Value>((resolve, reject) => void inner.then(resolve, reject));
    // Not by the method below, since this call does not count as waiting.
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
