/** Waiting with a time limit. */

/** Waits for a promise, but not longer than some milliseconds. */
export async function within(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}

/**
 * The value of a promise, if it comes in time.
 *
 * @throws {Error} (rejects) If it takes longer than some seconds; the error is what `late` returns
 */
export async function inTime<Value>(seconds: number, promise: Promise<Value>, late: () => Error): Promise<Value> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), seconds * 1000);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
