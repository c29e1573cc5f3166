/** The outcome of an operation: a promise that need not be awaited. */

/** The places of the link's own files, which are left out of the stack that a user sees. */
const OWN = [new URL(".", import.meta.url).href, new URL("../../touchdesigner.ts", import.meta.url).href];

/** The frames of a stack that are the user's. */
function framesOf({ stack = "" }: Error): string[] {
  return stack.split("\n").filter((line) =>
    /^\s+at /.test(line) && !OWN.some((own) => line.includes(own)) && !line.includes("(<anonymous>)")
  );
}

/**
 * A promise. If it rejects and nobody has awaited it, it warns instead: a line of a callback that sends something is rarely awaited, and
 * an unhandled rejection would end the program.
 */
export class Outcome<Value> implements Promise<Value> {
  readonly [Symbol.toStringTag] = "Promise";
  /** The call, as the user wrote it. */
  readonly label: string;
  readonly #promise: Promise<Value>;
  readonly #settle: PromiseWithResolvers<Value>;
  readonly #warn: (message: string) => void;
  /** Made where the operation was called. */
  readonly #place = new Error();
  #settled = false;
  #awaited = false;
  #warning: ReturnType<typeof setTimeout> | undefined;

  constructor(label: string, warn: (message: string) => void) {
    this.label = label;
    this.#warn = warn;
    this.#settle = Promise.withResolvers();
    this.#promise = this.#settle.promise;
    this.#promise.catch(() => {});
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: Value): void {
    this.#settled = true;
    this.#settle.resolve(value);
  }

  /** Rejects with an error that has the stack of the call. */
  fail(reason: string): void {
    if (this.#settled) return;
    this.#settled = true;
    const frames = framesOf(this.#place);
    const error = new Error(`${this.label} failed: ${reason}`);
    error.stack = [`Error: ${error.message}`, ...frames].join("\n");
    this.#settle.reject(error);
    if (this.#awaited) return;
    // Later, since an operation that fails at once may be awaited by the rest of the line.
    this.#warning = setTimeout(() => {
      this.#warn(`${error.message}${frames[0] === undefined ? "" : ` (${frames[0].trim()})`}`);
    });
  }

  then<Fulfilled = Value, Rejected = never>(
    onfulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onrejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#await();
    return this.#promise.then(onfulfilled, onrejected);
  }

  catch<Rejected = never>(
    onrejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Value | Rejected> {
    return this.then(undefined, onrejected);
  }

  finally(onfinally?: (() => void) | null): Promise<Value> {
    this.#await();
    return this.#promise.finally(onfinally);
  }

  #await(): void {
    this.#awaited = true;
    clearTimeout(this.#warning);
  }
}
